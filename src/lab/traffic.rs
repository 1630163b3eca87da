//! Requests as clients would send them: at a fixed pace, each on a new connection, whatever became of the others.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Error, Host, Journal, Moment, Tally};

/// How often a request is sent and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From the start of one request to the start of the next.
    pub every: Duration,
    /// From the start of a request to the end of its answer.
    pub budget: Duration,
}

impl Default for Pace {
    /// 500 requests a second with 150 ms each.
    fn default() -> Self {
        Self { every: Duration::from_millis(2), budget: Duration::from_millis(150) }
    }
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When its connection was begun.
    pub sent: Moment,
    /// From then to the end of the answer, or to the failure.
    pub took: Duration,
    /// Index into the targets of the traffic.
    pub target: usize,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer came in time.
    Answered {
        /// Its status.
        status: u16,
        /// The application server that says so in `X-Server`.
        server: Option<String>,
    },
    /// No answer came, or not in time.
    Failed {
        /// `timed out`, `connection refused`.
        why: String,
    },
}

impl Outcome {
    /// Why a client is not content; `None` when the status is 200.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Answered { status: 200, .. } => None,
            Self::Answered { status, .. } => Some(format!("status {status}")),
            Self::Failed { why } => Some(why.clone()),
        }
    }

    /// Which application server answered.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::Answered { server, .. } => server.as_deref(),
            Self::Failed { .. } => None,
        }
    }
}

/// A client that sends on until it is dropped: to each target in turn, open-loop, so that a failure slows nothing down.
#[derive(Debug)]
pub struct Traffic {
    sent: Journal<Moment>,
    exchanges: Journal<Exchange>,
    budget: Duration,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Traffic {
    /// Sends from `host` to `targets` in turn, from now on.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn start(host: &Host, targets: &[SocketAddr], pace: Pace) -> Result<Self, Error> {
        Self::start_with(host, targets, pace, |_| {})
    }

    /// The same, and shows each exchange to `tap` as well, when it has ended, on the traffic's own thread.
    ///
    /// # Errors
    /// As [`Traffic::start`].
    pub fn start_with(
        host: &Host,
        targets: &[SocketAddr],
        pace: Pace,
        tap: impl Fn(&Exchange) + Send + 'static,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::at("starting the traffic"))?;
        let (stop, stopped) = oneshot::channel();
        let (sent, exchanges) = (Journal::new(), Journal::new());
        let client = Client { targets: targets.to_vec(), pace, sent: sent.clone() };
        let journal = exchanges.clone();
        let record = move |exchange| {
            tap(&exchange);
            journal.push(exchange);
        };
        let thread = host.netns().thread(&format!("{} traffic", host.name()), move || {
            runtime.block_on(client.run(stopped, record));
        })?;
        Ok(Self { sent, exchanges, budget: pace.budget, stop: Some(stop), thread: Some(thread) })
    }

    /// Every exchange that has ended, in the order of their ends.
    pub const fn exchanges(&self) -> &Journal<Exchange> {
        &self.exchanges
    }

    /// The tally of the requests sent at or after `from` and before `to`, once all of them have ended. `to` lies in the
    /// past or is now.
    pub fn tally(&self, from: Moment, to: Moment) -> Tally {
        let sent = self.sent.read(|sent| sent.partition_point(|at| *at < to));
        let settled = |all: &[Exchange]| {
            let ended = all.iter().filter(|exchange| exchange.sent < to).count();
            (ended >= sent).then(|| Tally::of(all, from, to))
        };
        let tally = self.exchanges.wait(0, self.budget + Duration::from_secs(5), settled);
        // Past that the client's thread has died; what it saw until then is all there is.
        tally.unwrap_or_else(|| self.exchanges.read(|all| Tally::of(all, from, to)))
    }

    /// Waits until `count` requests sent at or after `from` have succeeded in a row; the moment at which the first of
    /// them was sent, or `None` when that did not happen `within` this time.
    pub fn wait_for_successes(&self, from: Moment, count: usize, within: Duration) -> Option<Moment> {
        self.exchanges.wait(0, within, |all| {
            let mut run = Vec::with_capacity(count);
            for exchange in all.iter().rev().take_while(|exchange| exchange.outcome.failure().is_none()) {
                if exchange.sent >= from {
                    run.push(exchange.sent);
                }
                if run.len() == count {
                    return run.into_iter().min();
                }
            }
            None
        })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A tap that panicked has said so on stderr already.
            let _ = thread.join();
        }
    }
}

/// What the thread needs to send.
struct Client {
    targets: Vec<SocketAddr>,
    pace: Pace,
    sent: Journal<Moment>,
}

impl Client {
    async fn run(self, mut stopped: oneshot::Receiver<()>, record: impl Fn(Exchange)) {
        let mut ticks = interval(self.pace.every);
        // A late tick is made up for: the number of requests is the clock's, not the load's.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut running = JoinSet::new();
        for target in (0..self.targets.len()).cycle() {
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    Some(Ok(exchange)) = running.join_next() => record(exchange),
                    _ = ticks.tick() => break,
                }
            }
            let sent = Moment::now();
            self.sent.push(sent);
            running.spawn(exchange(sent, target, self.targets[target], self.pace.budget));
        }
    }
}

async fn exchange(sent: Moment, target: usize, address: SocketAddr, budget: Duration) -> Exchange {
    let outcome = match timeout(budget, get(address)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Failed { why: error.kind().to_string() },
        Err(_) => Outcome::Failed { why: "timed out".to_owned() },
    };
    Exchange { sent, took: Moment::now().since(sent), target, outcome }
}

/// One `GET /` on a new connection, the answer read to its end.
async fn get(address: SocketAddr) -> std::io::Result<Outcome> {
    let mut server = TcpStream::connect(address).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(understand(&answer))
}

fn understand(answer: &[u8]) -> Outcome {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    match (response.parse(answer), response.code) {
        (Ok(httparse::Status::Complete(_)), Some(status)) => {
            let server = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("X-Server"));
            let server = server.map(|header| String::from_utf8_lossy(header.value).into_owned());
            Outcome::Answered { status, server }
        }
        (Ok(httparse::Status::Partial), _) if answer.is_empty() => {
            Outcome::Failed { why: "closed without an answer".to_owned() }
        }
        _ => Outcome::Failed { why: "a broken answer".to_owned() },
    }
}
