//! The end of a door: whoever got through to it before it closes is served.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use super::core::{BATCH, Core};
use super::deadline::TICK;
use super::door::Door;
use crate::net::files::is_exhaustion;
use crate::net::last_call::let_through;
use crate::net::listen::Listener;

/// Until the kernel has let in those whose first byte it was waiting for: a second, and some for a slow machine.
const DEFERRED: Duration = Duration::from_millis(1_400);
/// Until handshakes that have begun are through: a round trip.
const HANDSHAKE: Duration = Duration::from_millis(200);

impl Core {
    /// Lets in everyone who has connected, and everyone who is about to.
    pub(super) async fn let_the_last_in(self: &Rc<Self>, listener: &Listener, door: &Rc<Door>) {
        if door.defers {
            self.note(door, listener.stop_waiting());
            self.accept_for(DEFERRED, listener, door).await;
        }
        self.note(door, listener.let_nobody_begin());
        self.accept_for(HANDSHAKE, listener, door).await;
        self.note(door, listener.take_queued(|tcp, peer| self.admit_late(tcp, peer, door)));
    }

    /// As [`Core::admit`], whether or not nobody may begin any more.
    fn admit_late(self: &Rc<Self>, tcp: TcpStream, peer: SocketAddr, door: &Rc<Door>) {
        self.note(door, let_through(&tcp, peer));
        self.admit(tcp, peer, door);
    }

    /// Goes on accepting for a while.
    async fn accept_for(self: &Rc<Self>, span: Duration, listener: &Listener, door: &Rc<Door>) {
        let go_on = async {
            loop {
                match listener.accept(BATCH, |tcp, peer| self.admit_late(tcp, peer, door)).await {
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => self.accept_failed(door, &error).await,
                }
            }
        };
        // That it never ends by itself is the point.
        let _: Result<(), _> = tokio::time::timeout(span, go_on).await;
    }

    /// Says that a client could not be accepted, and waits a little when it was our fault.
    pub(super) async fn accept_failed(&self, door: &Door, error: &io::Error) {
        self.log_trouble(door, "a client could not be accepted", error);
        // Files become free when clients leave. Otherwise that client gave up, and the next may not have.
        if is_exhaustion(error) {
            tokio::time::sleep(TICK / 10).await;
        }
    }

    fn note(&self, door: &Door, done: io::Result<()>) {
        if let Err(error) = done {
            self.log_trouble(door, "clients may be lost at the door", &error);
        }
    }
}
