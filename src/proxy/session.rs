//! One client's connection: its requests, one after the other, each to a server that answers.

use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::consume_budget;

use super::buffer::Buffer;
use super::choose::{Choice, Picked};
use super::core::{Core, Door, Guest};
use super::deadline::{Ticks, Timer};
use super::exchange::{Client, Ended, Exchange, Failure, Server};
use super::h2;
use super::pipe::{Means, Pipe};
use super::problem::{Culprit, Problem};
use super::reach::{Retry, reach};
use super::redirect;
use super::stream::Stream;
use super::tunnel::{Closed, pass};
use super::upstream::Own;
use super::visitor::Visitor;
use crate::http::{Answering, Body, Delivery, Lines, Origin, Request, Scan, Version, rewrite_request};
use crate::pool::{ServerId, Tried};

/// How long a connection that ends early is read on, so that the client gets to see the response: closing with
/// unread bytes resets the connection and takes the response with it.
const LINGER: Duration = Duration::from_secs(2);
/// Servers close idle connections after seconds. What must not be sent twice only takes a fresher one.
const FRESH: Duration = Duration::from_secs(1);

/// Connections of its own that a client has, to as many servers.
const OWN: usize = 4;

/// A request, ready to be sent to any server of the pool.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) upload: Pipe,
    pub(super) version: Version,
    /// The client wants the connection to live on.
    pub(super) persistent: bool,
    pub(super) answering: Answering,
    is_idempotent: bool,
    pub(super) choice: Choice,
    /// What the client gets instead: a status, and where it is sent, if anywhere.
    elsewhere: Option<(u16, Box<[u8]>)>,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Request,
    Close,
    /// Close, but the client may still be sending.
    Linger,
    /// Close so that the client cannot take what it got for the whole response.
    Abort,
}

/// A client's connection. While it is idle this is all there is of it, so it must stay small: what a request needs is
/// boxed for as long as the request lasts.
pub(super) struct Session {
    core: Rc<Core>,
    timer: Timer,
    stream: Stream,
    /// What the client sent beyond what was used.
    buffer: Buffer,
    visitor: Visitor,
    /// Its connections to servers that were told who it is.
    own: Vec<Own>,
    /// The client's address in text, for X-Forwarded-For.
    address: Rc<str>,
    door: Rc<Door>,
    /// A stream has none: its connection has.
    guest: Option<Guest>,
}

impl Session {
    pub(super) fn new(guest: Guest, stream: Stream, visitor: Visitor, door: Rc<Door>) -> Self {
        let core = guest.core();
        let (timer, address) = (core.deadlines.timer(Waker::noop()), visitor.peer.ip().to_string().into());
        Self {
            core,
            timer,
            stream,
            buffer: Buffer::default(),
            visitor,
            own: Vec::new(),
            address,
            door,
            guest: Some(guest),
        }
    }

    /// For a stream of a client that speaks HTTP/2: it is served [`Session::once`].
    pub(super) fn of_stream(
        core: Rc<Core>,
        stream: Stream,
        visitor: Visitor,
        address: Rc<str>,
        door: Rc<Door>,
    ) -> Self {
        let (timer, buffer) = (core.deadlines.timer(Waker::noop()), Buffer::default());
        Self { core, timer, stream, buffer, visitor, own: Vec::new(), address, door, guest: None }
    }

    /// Serves one request and says nothing about what comes next.
    pub(super) async fn once(&mut self) {
        self.wake_by_timer().await;
        self.turn().await;
        self.buffer.release(&self.core.buffers);
    }

    /// Serves the client until either side has enough.
    pub(super) async fn serve(&mut self) {
        self.wake_by_timer().await;
        let mut next = Next::Request;
        let mut begun = self.begins().await;
        if begun && self.door.h2 && self.buffer.data()[0] == h2::PREFACE[0] && Box::pin(self.is_h2()).await {
            return Box::pin(self.speak_h2()).await;
        }
        while next == Next::Request {
            next = if begun { Box::pin(self.turn()).await } else { Next::Close };
            if next == Next::Request {
                // Who stays is watched: the news of the servers' idle connections come with the news of the client's
                // next request. If it cannot be, reading fails.
                let _ = self.stream.watch();
                // Requests that have come together can keep us busy without ever waiting.
                consume_budget().await;
                begun = self.begins().await;
            }
        }
        if next == Next::Linger || next == Next::Close && !self.buffer.is_empty() {
            Box::pin(self.linger()).await;
        }
        self.buffer.release(&self.core.buffers);
        if next == Next::Abort {
            std::mem::replace(&mut self.stream, Stream::Lost).abort();
        }
    }

    /// Tells the client that there are too many already. What it sends is not read as a request.
    pub(super) async fn turn_away(&mut self) {
        self.refuse(&Problem::Full).await;
    }

    /// Answers with a problem before anything is read as a request.
    pub(super) async fn refuse(&mut self, problem: &Problem) {
        self.wake_by_timer().await;
        self.answer(problem, false, false).await;
        self.linger().await;
        self.buffer.release(&self.core.buffers);
    }

    async fn wake_by_timer(&self) {
        let knows = poll_fn(|cx| {
            self.timer.wakes(cx.waker());
            Poll::Ready(())
        });
        knows.await;
    }

    /// Whether the client begins as HTTP/2 does, see [`h2::PREFACE`]. As little is read as tells.
    async fn is_h2(&mut self) -> bool {
        self.timer.set(self.core.patience.head);
        let told = poll_fn(|cx| {
            loop {
                let said = self.buffer.data();
                let told = said.len().min(h2::PREFACE.len());
                if said[..told] != h2::PREFACE[..told] || told == h2::PREFACE.len() {
                    return Poll::Ready(told == h2::PREFACE.len() && said.starts_with(h2::PREFACE));
                }
                match self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers) {
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Pending if !self.timer.expired() => {
                        self.buffer.park(&self.core.buffers);
                        return Poll::Pending;
                    }
                    // The reader of requests says what there is to say.
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(false),
                }
            }
        });
        told.await
    }

    async fn speak_h2(&mut self) {
        let Some(guest) = self.guest.take() else { return };
        let read = Vec::from(self.buffer.data());
        self.buffer.release(&self.core.buffers);
        let stream = std::mem::replace(&mut self.stream, Stream::Lost);
        h2::serve(guest, stream, &read, self.visitor.clone(), Rc::clone(&self.door)).await;
    }

    /// Waits for the next request; false when the client has closed or has been idle for too long.
    async fn begins(&mut self) -> bool {
        if !self.buffer.is_empty() {
            // Its beginning has come with the last one.
            return true;
        }
        self.timer.set(self.core.patience.idle);
        self.timer.set_idle(true);
        let begun = poll_fn(|cx| match self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers) {
            Poll::Ready(read) => Poll::Ready(read.is_ok_and(|count| count > 0)),
            Poll::Pending if self.timer.expired() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        });
        let begun = begun.await;
        self.timer.set_idle(false);
        begun
    }

    /// One request that has begun.
    async fn turn(&mut self) -> Next {
        self.timer.set(self.core.patience.head);
        let mut scan = Scan::request();
        match poll_fn(|cx| self.poll_request(cx, &mut scan)).await {
            Ok(Some(mut asked)) => {
                let next = self.forward(&mut asked).await;
                asked.upload.release(&self.core.buffers);
                next
            }
            Ok(None) => Next::Close,
            Err(problem) => self.answer(&problem, false, false).await,
        }
    }

    /// Reads the rest of a request's head; `None` when the client has closed instead.
    fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        scan: &mut Scan,
    ) -> Poll<Result<Option<Asked>, Problem>> {
        loop {
            if let Some(asked) = self.request(scan).transpose() {
                return Poll::Ready(asked.map(Some));
            }
            match self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => {
                    self.buffer.release(&self.core.buffers);
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending if self.timer.expired() => return Poll::Ready(Err(Problem::HeadTimeout)),
                Poll::Pending => {
                    self.buffer.park(&self.core.buffers);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Takes a request off the buffer if there is a whole head.
    fn request(&mut self, scan: &mut Scan) -> Result<Option<Asked>, Problem> {
        let found = scan.find(self.buffer.data(), self.core.limits.head)?;
        let Some(range) = found else { return Ok(None) };
        let length = range.end;
        let asked = self.read_head(range)?;
        self.buffer.consume(length);
        if self.buffer.is_empty() {
            // Nothing to hold while a server thinks; the response will be read into the same, warm memory.
            self.buffer.release(&self.core.buffers);
        }
        Ok(Some(asked))
    }

    fn read_head(&self, range: Range<usize>) -> Result<Asked, Problem> {
        let limits = &self.core.limits;
        let mut lines = Lines::new();
        let request = Request::parse(&self.buffer.data()[range], &mut lines, limits.headers)?;
        let facts = request.facts()?;
        if matches!((facts.body, limits.body), (Body::Length(length), Some(limit)) if length > limit) {
            return Err(Problem::BodyTooLarge);
        }
        let choice = self.core.choose(&self.door, self.visitor.peer, &request, &facts);
        let redirect = self.door.redirect.filter(|_| choice.is_none());
        let elsewhere = redirect.map(|redirect| {
            (redirect.status, redirect::location(redirect, &request, &facts, &self.door.host))
        });
        let elsewhere = redirect::last_hop(&request, &facts).or(elsewhere);
        let choice = choice.unwrap_or_default();
        let mut out = self.core.buffers.text();
        let (host, secure) = (&self.door.host, self.stream.is_secure());
        rewrite_request(&request, &facts, Origin { client: &self.address, host, secure }, &mut out);
        self.core.hide(&choice, &mut out);
        Ok(Asked {
            upload: Pipe::new(out, facts.body, facts.delivery(), limits.body),
            version: request.version,
            persistent: facts.persistent,
            answering: Answering { is_head: facts.is_head, upgrade: facts.upgrade },
            is_idempotent: facts.is_idempotent,
            choice,
            elsewhere,
        })
    }

    /// Asks one server after the other until one answers or none is left.
    async fn forward(&mut self, asked: &mut Asked) -> Next {
        if let Some((status, location)) = &asked.elsewhere {
            self.core.counters.frontends[self.door.frontend].request();
            let persistent = asked.persistent && asked.upload.is_taken() && !self.core.is_draining();
            let mut out = self.core.buffers.text();
            redirect::render(*status, location, persistent, &mut out);
            return self.say(out, persistent).await;
        }
        let mut tried = Tried::default();
        let mut problem = Problem::NoServer;
        loop {
            let picked = match self.core.server(&asked.choice, &tried, &self.timer).await {
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
        // The connection can go on only when the request's end is known to be behind us.
        let persistent = asked.persistent && asked.upload.is_taken() && problem.culprit() != Culprit::Client;
        self.answer(&problem, persistent, asked.answering.is_head).await
    }

    /// Asks one server: over an idle connection first, and over a new one if that turns out to be stale.
    async fn ask(&mut self, picked: &Picked, asked: &mut Asked) -> Result<Next, (Problem, Retry)> {
        let id = picked.id;
        let mut pooled = self.idle_connection(picked, (!asked.is_idempotent).then_some(FRESH));
        loop {
            let reused = pooled.is_some();
            let mut stream = match pooled.take() {
                Some(stream) => stream,
                None => {
                    let client = (&self.visitor, &self.stream);
                    reach(&self.core, &self.timer, asked.choice.pool, picked, client).await?
                }
            };
            let ended = self.exchange(&mut stream, picked, asked).await;
            let repeatable = asked.upload.is_whole() && (asked.is_idempotent || asked.upload.is_untouched());
            match ended {
                Ended::Passed { reusable, persistent } => {
                    if reusable {
                        self.keep(picked, stream);
                    }
                    return Ok(if persistent {
                        Next::Request
                    } else if asked.upload.is_taken() {
                        Next::Close
                    } else {
                        Next::Linger
                    });
                }
                Ended::Switched(said) => {
                    return Ok(self.tunnel(stream, said).await);
                }
                // The server closed an idle connection just when we used it: no fault of anyone.
                Ended::Failed(Failure::Silent) if reused && repeatable => asked.upload.rewind(),
                Ended::Failed(Failure::ServerBroke) => {
                    self.core.counters.servers[id.0].error();
                    // The end of the connection would be the end of the body for an old client.
                    return Ok(if asked.version == Version::Http10 { Next::Abort } else { Next::Close });
                }
                Ended::Failed(failure) => return self.failed(failure, id, asked, repeatable),
            }
        }
    }

    /// A connection for another request: the client's own to a server that knows whose it is, else anyone's.
    fn idle_connection(&mut self, picked: &Picked, fresh: Option<Duration>) -> Option<Stream> {
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
    fn keep(&mut self, picked: &Picked, stream: Stream) {
        let Picked { id, address, send_proxy, .. } = *picked;
        let now = self.core.deadlines.now();
        match send_proxy {
            None => self.core.upstreams.put(id, address, stream, now),
            Some(_) => {
                self.own.retain(|own| !own.is_to(id));
                if self.own.len() == OWN {
                    self.own.swap_remove(0);
                }
                self.own.push(Own::new(id, address, stream, now));
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
        match pass(&self.core, &self.timer, (&mut self.stream, said), (server, answered)).await {
            Closed::Whole => Next::Close,
            Closed::Broken => Next::Abort,
        }
    }

    /// What an exchange that did not pass a whole response means for the request.
    fn failed(
        &self,
        failure: Failure,
        id: ServerId,
        asked: &Asked,
        repeatable: bool,
    ) -> Result<Next, (Problem, Retry)> {
        let server = || {
            self.core.counters.servers[id.0].error();
            self.core.name(asked.choice.pool, id)
        };
        let problem = match failure {
            Failure::Silent if repeatable => {
                return Err((Problem::Unanswered { server: server() }, Retry::NextServer));
            }
            Failure::Silent | Failure::CutShort => Problem::Unanswered { server: server() },
            Failure::BadResponse(malformed) => Problem::BadResponse { server: server(), malformed },
            Failure::Slow => Problem::ResponseTimeout { server: server() },
            Failure::BadBody(malformed) => Problem::Malformed(malformed),
            Failure::TooLarge => Problem::BodyTooLarge,
            Failure::SlowBody => Problem::BodyTimeout,
            Failure::ServerBroke => return Ok(Next::Close),
            // What a client does not read would stay with the kernel for as long as the client likes.
            Failure::ClientGone => return Ok(Next::Abort),
        };
        Err((problem, Retry::No))
    }

    /// Answers with the problem itself.
    async fn answer(&mut self, problem: &Problem, persistent: bool, is_head: bool) -> Next {
        self.core.refused(self.visitor.peer, self.door.frontend, problem);
        let persistent = persistent && !self.core.is_draining();
        let mut out = self.core.buffers.text();
        problem.render(persistent, is_head, &mut out);
        self.say(out, persistent).await
    }

    /// Sends a whole response of our own.
    async fn say(&mut self, out: Vec<u8>, persistent: bool) -> Next {
        let mut pipe = Pipe::new(out, Body::Empty, Delivery::Raw, None);
        let patience = self.core.patience.idle;
        self.timer.set(patience);
        let sent = poll_fn(|cx| {
            let means = Means { buffers: &self.core.buffers, timer: &self.timer, patience, pace: 0 };
            match pipe.poll_flush(cx, &mut Buffer::default(), &mut self.stream, means) {
                Poll::Ready(sent) => Poll::Ready(sent.is_ok()),
                Poll::Pending if self.timer.expired() => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        });
        let sent = sent.await;
        pipe.release(&self.core.buffers);
        match (sent, persistent) {
            (false, _) => Next::Abort,
            (true, true) => Next::Request,
            (true, false) => Next::Linger,
        }
    }

    /// Says that nothing more will come, and reads on for a while.
    async fn linger(&mut self) {
        self.timer.set(Ticks::new(LINGER));
        // A failure means that the client is gone, which the read below will tell.
        let said = poll_fn(|cx| match self.stream.poll_shutdown(cx) {
            Poll::Pending if self.timer.expired() => Poll::Ready(Ok(())),
            said @ (Poll::Ready(_) | Poll::Pending) => said,
        });
        let _ = said.await;
        poll_fn(|cx| {
            loop {
                self.buffer.consume(self.buffer.len());
                let read = self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers);
                match read {
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Pending if !self.timer.expired() => return Poll::Pending,
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
}
