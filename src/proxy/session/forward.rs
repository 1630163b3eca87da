//! A request on its way: one server after the other until one answers, over connections that are there or new.

use std::future::poll_fn;
use std::time::Duration;

use super::{Asked, Next, Session};
use crate::http::Version;
use crate::pool::{ServerId, Tried};
use crate::proxy::buffer::Buffer;
use crate::proxy::choose::Picked;
use crate::proxy::exchange::{Client, Ended, Exchange, Failure, Server};
use crate::proxy::gone::Patient;
use crate::proxy::problem::{Culprit, Problem};
use crate::proxy::reach::{Retry, reach};
use crate::proxy::stream::Stream;
use crate::proxy::tunnel::{Closed, pass};
use crate::proxy::upstream::{Own, Upstream};

/// Servers close idle connections after seconds. What must not be sent twice only takes a fresher one.
const FRESH: Duration = Duration::from_secs(1);

/// Connections of its own that a client has, to as many servers.
const OWN: usize = 4;

impl Session {
    /// Asks one server after the other until one answers or none is left.
    pub(super) async fn forward(&mut self, asked: &mut Asked) -> Next {
        if let Err(problem) = self.core.may_ask(&self.door, self.visitor.peer) {
            let persistent = asked.persistent && asked.upload.is_taken();
            return self.answer(&problem, persistent, asked.answering.is_head).await;
        }
        if let Some(instead) = asked.instead.take() {
            // What is rare must not make what is not any larger.
            return Box::pin(self.answer_instead(&instead, asked)).await;
        }
        let mut tried = Tried::default();
        let mut problem = Problem::NoServer;
        loop {
            let client =
                Patient { stream: &mut self.stream, knows_interim: asked.version == Version::Http11 };
            let picked = match self.core.server(&asked.choice, &tried, &self.timer, client).await {
                Ok(Some(picked)) => picked,
                Ok(None) => break,
                Err(failed) => {
                    problem = failed;
                    break;
                }
            };
            match self.ask(&picked, asked).await {
                Ok(next) => return next,
                Err((failed, Retry::No)) => {
                    problem = failed;
                    break;
                }
                Err((failed, Retry::NextServer)) => {
                    self.core.log_retry(&failed);
                    problem = failed;
                    tried.add(picked.id);
                    asked.upload.rewind();
                }
            }
        }
        if problem.is_left() {
            self.core.refused(self.visitor.peer, self.door.frontend, &problem);
            return Next::Abort;
        }
        // The connection can go on only when the request's end is known to be behind us.
        let persistent = asked.persistent && asked.upload.is_taken() && problem.culprit() != Culprit::Client;
        if matches!(problem, Problem::NoServer)
            && let Some(page) = self.door.page.clone()
        {
            return Box::pin(self.show(&page, persistent, asked.answering.is_head)).await;
        }
        self.answer(&problem, persistent, asked.answering.is_head).await
    }

    /// Asks one server: over an idle connection first, and over a new one if that turns out to be stale.
    async fn ask(&mut self, picked: &Picked, asked: &mut Asked) -> Result<Next, (Problem, Retry)> {
        let id = picked.id;
        let mut pooled = self.idle_connection(picked, (!asked.is_idempotent).then_some(FRESH));
        loop {
            let reused = pooled.is_some();
            let mut upstream = match pooled.take() {
                Some(upstream) => upstream,
                None => {
                    let knows_interim = asked.version == Version::Http11;
                    let mut client = Patient { stream: &mut self.stream, knows_interim };
                    // What is rare must not make what is not any larger.
                    let pool = asked.choice.pool;
                    let reached = reach(&self.core, &self.timer, pool, picked, &self.visitor, &mut client);
                    Upstream::new(Box::pin(reached).await?)
                }
            };
            let ended = self.exchange(upstream.stream(), picked, asked).await;
            let repeatable = asked.upload.is_whole() && (asked.is_idempotent || asked.upload.is_untouched());
            match ended {
                Ended::Passed { reusable, persistent } => {
                    if reusable {
                        self.keep(picked, upstream);
                    }
                    return Ok(if persistent { Next::Request } else { asked.end() });
                }
                Ended::Switched(said) => {
                    return Ok(Box::pin(self.tunnel(upstream.into_stream(), said)).await);
                }
                // The server closed an idle connection just when we used it: no fault of anyone.
                Ended::Failed(Failure::Silent) if reused && repeatable => asked.upload.rewind(),
                Ended::Failed(failure) => {
                    let again = matches!(failure, Failure::Silent) && repeatable;
                    let retry = if again { Retry::NextServer } else { Retry::No };
                    return Err((self.problem(failure, id, asked), retry));
                }
                Ended::Broke(failure) => return Ok(self.broke_off(failure, id, asked)),
            }
        }
    }

    /// A connection for another request: the client's own to a server that knows whose it is, else anyone's.
    fn idle_connection(&mut self, picked: &Picked, fresh: Option<Duration>) -> Option<Upstream> {
        let Picked { id, address, send_proxy, .. } = *picked;
        match send_proxy {
            None => self.core.idle_connection(id, address, fresh),
            Some(_) => {
                let at = self.own.iter().position(|own| own.is_to(id))?;
                self.own.swap_remove(at).take(address, self.core.oldest(fresh))
            }
        }
    }

    /// Keeps a connection whose exchange is over for the next one that may have it.
    fn keep(&mut self, picked: &Picked, upstream: Upstream) {
        let Picked { id, address, send_proxy, .. } = *picked;
        let now = self.core.deadlines.now();
        match send_proxy {
            None => self.core.upstreams.put(id, address, upstream, now),
            Some(_) => {
                self.own.retain(|own| !own.is_to(id));
                if self.own.len() == OWN {
                    self.own.swap_remove(0);
                }
                self.own.push(Own::new(id, address, upstream, now));
            }
        }
    }

    async fn exchange(&mut self, stream: &mut Stream, picked: &Picked, asked: &mut Asked) -> Ended {
        let client = Client {
            frontend: self.door.frontend,
            buffer: &mut self.buffer,
            stream: &mut self.stream,
            timer: &self.timer,
        };
        let server = Server { id: picked.id, tell: picked.tell, stream };
        let mut exchange = Exchange::new(&self.core, client, server, asked);
        let ended = poll_fn(|cx| exchange.poll(cx)).await;
        exchange.release();
        ended
    }

    /// Passes on whatever client and server have agreed on, `answered` by the server first.
    async fn tunnel(&mut self, server: Stream, answered: Buffer) -> Next {
        let said = std::mem::take(&mut self.buffer);
        self.stream.keep_alive();
        match pass(&self.core, &self.timer, (&mut self.stream, said), (server, answered)).await {
            Closed::Whole => Next::Close,
            Closed::Broken => Next::Abort,
        }
    }

    /// Leaves a client that has a part of a response and will not get the rest.
    fn broke_off(&self, failure: Failure, id: ServerId, asked: &Asked) -> Next {
        let problem = self.problem(failure, id, asked);
        self.core.broke_off(self.visitor.peer, self.door.frontend, &problem);
        // The end of the connection would be the end of the body for an old client. And what a client does not read
        // would stay with the kernel for as long as the client likes.
        let is_told = asked.version == Version::Http11 && problem.culprit() == Culprit::Server;
        if is_told { asked.end() } else { Next::Abort }
    }

    /// Why an exchange did not pass a whole response. What is the server's fault is counted for it.
    fn problem(&self, failure: Failure, id: ServerId, asked: &Asked) -> Problem {
        let server = || {
            self.core.counters.servers[id.0].error();
            self.core.name(asked.choice.pool, id)
        };
        match failure {
            Failure::Silent | Failure::CutShort => Problem::Unanswered { server: server() },
            Failure::BrokenOff => Problem::BrokenOff { server: server() },
            Failure::BadResponse(malformed) => Problem::BadResponse { server: server(), malformed },
            Failure::Slow => Problem::ResponseTimeout { server: server() },
            Failure::Stalled => Problem::Stalled { server: server() },
            Failure::BadBody(malformed) => Problem::Malformed(malformed),
            Failure::TooLarge => Problem::BodyTooLarge,
            Failure::SlowBody => Problem::BodyTimeout,
            Failure::ClientGone => Problem::LeftMidway,
            Failure::Unread => Problem::Unread,
        }
    }
}

impl Asked {
    /// How the connection ends behind a response that is the last one. A client that has said so itself "MUST NOT send
    /// any further requests on that connection" (RFC 9112 §9.6). Another one may have sent some that nobody reads, or
    /// what was for a tunnel, or the rest of its body.
    fn end(&self) -> Next {
        if self.is_last && self.upload.is_taken() { Next::Close } else { Next::Linger }
    }
}
