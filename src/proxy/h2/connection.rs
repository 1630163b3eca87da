//! One client's connection: its streams come out of here, each to be served by itself, and its time is kept here.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Request;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};

use super::calm::Calm;
use super::lane::{Lane, Outcome, Under};
use super::linger::{LINGER, Outlet};
use super::unsent::{Piece, Unsent};
use super::wire::Wire;
use crate::proxy::core::{Core, Guest};
use crate::proxy::deadline::{Ticks, Timer};
use crate::proxy::door::Door;
use crate::proxy::problem::Problem;
use crate::proxy::session::Session;
use crate::proxy::stream::Stream;
use crate::proxy::visitor::Visitor;

const NEVER: Ticks = Ticks::new(Duration::MAX);

/// Serves a client that speaks HTTP/2, `read` by whoever found that out, until either side has enough.
pub(in crate::proxy) async fn serve(
    guest: Guest,
    mut stream: Stream,
    read: &[u8],
    visitor: Visitor,
    door: Rc<Door>,
) {
    let core = guest.core();
    // If it cannot be watched, reading fails.
    let _ = stream.watch();
    let under = Under { secure: stream.is_secure(), local: stream.local_addr().ok() };
    let address = visitor.peer.ip().to_string().into();
    let life = Rc::new(Life::new(&core));
    let stream = Rc::new(RefCell::new(stream));
    let wire = Wire { stream: Rc::clone(&stream), read: read.into() };
    let mut shaking = pin!(super::settings(core.limits.head).handshake::<_, Piece>(wire));
    let shaken = poll_fn(|cx| {
        life.timer.wakes(cx.waker());
        match shaking.as_mut().poll(cx) {
            Poll::Ready(shaken) => Poll::Ready(Some(shaken)),
            Poll::Pending if life.timer.expired() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    let connection = match shaken.await {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => return core.broken_frames(visitor.peer, door.frontend, error),
        None if core.is_draining() => return,
        None => return core.refused(visitor.peer, door.frontend, &Problem::HeadTimeout),
    };
    let (stay, outlet) = (Stay::Welcome, Outlet::new(stream));
    let mut client = Client { connection, life, stay, outlet, visitor, address, door, under };
    poll_fn(|cx| client.poll(cx)).await;
    client.life.leave();
    let Client { connection, life, outlet, .. } = client;
    drop(connection);
    outlet.linger(&core, &life.timer).await;
    drop(guest);
}

/// What a connection and its streams know together.
struct Life {
    core: Rc<Core>,
    timer: Timer,
    /// What the timer is set to when the last stream is over.
    patience: Cell<Ticks>,
    streams: Cell<usize>,
    unsent: Rc<Unsent>,
    calm: RefCell<Calm>,
}

impl Life {
    fn new(core: &Rc<Core>) -> Self {
        let timer = core.timer();
        // Until its first request is there, it is a client that sends a head.
        timer.set(core.patience.head);
        timer.set_idle(true);
        let calm = RefCell::new(Calm::new(core.deadlines.now()));
        let patience = Cell::new(core.patience.idle);
        let (streams, unsent) = (Cell::new(0), Rc::default());
        Self { core: Rc::clone(core), timer, patience, streams, unsent, calm }
    }

    fn begin(&self) {
        self.streams.set(self.streams.get() + 1);
        self.timer.set(NEVER);
    }

    fn end(&self, outcome: Outcome) {
        match outcome {
            Outcome::Answered => self.calm.borrow_mut().answered(),
            Outcome::TakenBack => self.calm.borrow_mut().taken_back(self.core.deadlines.now()),
            Outcome::Broken => {}
        }
        self.streams.set(self.streams.get() - 1);
        if self.streams.get() == 0 {
            self.timer.set(self.patience.get());
        }
    }

    /// There will be no more requests.
    fn leave(&self) {
        self.timer.set_idle(false);
        self.patience.set(LINGER);
        self.timer.set(if self.streams.get() == 0 { LINGER } else { NEVER });
    }
}

/// What a client was told.
#[derive(Clone, Copy, Debug)]
enum Stay {
    Welcome,
    /// To ask no more. What it has asked meanwhile is served: it may not have heard it yet.
    Leaving,
    /// That nothing more is served.
    Away,
}

struct Client {
    connection: Connection<Wire, Piece>,
    life: Rc<Life>,
    stay: Stay,
    outlet: Outlet,
    visitor: Visitor,
    /// Its address in text.
    address: Rc<str>,
    door: Rc<Door>,
    under: Under,
}

impl Client {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.begin(request, respond);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.life.core.broken_frames(self.visitor.peer, self.door.frontend, error);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            let (over, lost) = (self.is_over(), self.life.calm.borrow().is_lost());
            match self.stay {
                Stay::Welcome | Stay::Leaving if lost => {
                    self.life.core.refused(self.visitor.peer, self.door.frontend, &Problem::TakenBack);
                    self.send_away(Reason::ENHANCE_YOUR_CALM);
                }
                Stay::Welcome if over || self.life.core.is_draining() || self.life.timer.is_retired() => {
                    self.stay = Stay::Leaving;
                    self.life.leave();
                    self.connection.graceful_shutdown();
                }
                // It takes what it gets, and does not answer.
                Stay::Leaving if over && self.life.unsent.is_empty() => self.send_away(Reason::NO_ERROR),
                Stay::Leaving | Stay::Away if over => return Poll::Ready(()),
                Stay::Welcome | Stay::Leaving | Stay::Away => return Poll::Pending,
            }
        }
    }

    /// Whether nothing runs and time is up. As long as the client takes what was written last, it has more time.
    fn is_over(&mut self) -> bool {
        let life = &self.life;
        if life.streams.get() > 0 || !life.timer.expired() {
            return false;
        }
        let takes = life.unsent.has_moved() | self.outlet.has_sunk();
        let goes_on = takes && !life.unsent.is_empty();
        if goes_on {
            life.timer.set(life.patience.get());
        }
        !goes_on
    }

    /// Ends what runs, and the connection.
    fn send_away(&mut self, reason: Reason) {
        self.stay = Stay::Away;
        self.life.leave();
        self.connection.abrupt_shutdown(reason);
    }

    /// Serves a stream by itself.
    fn begin(&self, request: Request<RecvStream>, respond: SendResponse<Piece>) {
        let core = &self.life.core;
        match Lane::new(request, respond, self.under, &self.life.unsent, core.buffers.text()) {
            Ok(lane) => {
                let stream = Stream::Lane(lane.clone());
                let (address, door) = (Rc::clone(&self.address), Rc::clone(&self.door));
                let session =
                    Session::of_stream(Rc::clone(core), stream, self.visitor.clone(), address, door);
                self.life.begin();
                let who = (self.visitor.peer, self.door.frontend);
                tokio::task::spawn_local(run(Rc::clone(&self.life), lane, session, who));
            }
            Err((mut respond, malformed)) => {
                core.refused(self.visitor.peer, self.door.frontend, &Problem::from(malformed));
                respond.send_reset(Reason::PROTOCOL_ERROR);
            }
        }
    }
}

/// Serves one stream for as long as the client wants it.
/// What it does is on its own: a large task is copied several times before it runs.
#[expect(clippy::manual_async_fn, reason = "the future of an async function has each of these twice")]
fn run(
    life: Rc<Life>,
    lane: Lane,
    mut session: Session,
    (peer, frontend): (SocketAddr, usize),
) -> impl Future<Output = ()> {
    async move {
        let mut serving = Box::pin(session.once());
        let gone = poll_fn(|cx| match serving.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(false),
            Poll::Pending => lane.poll_gone(cx).map(|()| true),
        });
        let gone = gone.await;
        let outcome = lane.outcome();
        // Whoever was served to an end has counted what that was.
        if gone && outcome == Outcome::TakenBack {
            life.core.refused(peer, frontend, &Problem::LeftMidway);
        }
        life.core.buffers.recycle(lane.take_text());
        life.end(outcome);
    }
}
