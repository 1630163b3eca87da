//! One client of a TCP frontend: the first server that can be connected to, and a tunnel between the two.
//!
//! Nothing is known of the protocol, so nothing can be answered: who cannot be served is disconnected with a reset,
//! which no client takes for an answer. So is every new client of a frontend in maintenance.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use super::buffer::Buffer;
use super::choose::Picked;
use super::core::Core;
use super::deadline::Timer;
use super::door::Door;
use super::gone::Patient;
use super::problem::Problem;
use super::reach::{Retry, reach};
use super::stream::Stream;
use super::tunnel::{Closed, pass};
use super::visitor::Visitor;
use crate::pool::Tried;

/// Serves a client until both sides have ended, or one has broken.
pub(super) async fn serve(core: Rc<Core>, mut client: Stream, visitor: Visitor, door: Rc<Door>) {
    if core.is_closed(door.frontend) {
        core.counters.frontends[door.frontend].page();
        return client.abort();
    }
    let timer = poll_fn(|cx| Poll::Ready(core.deadlines.timer(cx.waker()))).await;
    // What connecting takes is not kept for as long as the tunnel lives.
    let (server, _busy) = match Box::pin(connect(&core, &timer, &door, &visitor, &mut client)).await {
        Ok(connected) => connected,
        Err(problem) => return refuse(&core, client, visitor.peer, &door, &problem),
    };
    let (said, answered) = (Buffer::default(), Buffer::default());
    if pass(&core, &timer, (&mut client, said), (server, answered)).await == Closed::Broken {
        client.abort();
    }
}

/// Disconnects a client that cannot be answered.
pub(super) fn refuse(core: &Core, client: Stream, peer: SocketAddr, door: &Door, problem: &Problem) {
    core.refused(peer, door.frontend, problem);
    client.abort();
}

/// Connects to one server after the other until one accepts or none is left.
async fn connect(
    core: &Core,
    timer: &Timer,
    door: &Door,
    visitor: &Visitor,
    stream: &mut Stream,
) -> Result<(Stream, Picked), Problem> {
    let choice = core.choose_blindly(door, visitor.peer);
    let mut client = Patient { stream, knows_interim: false };
    let mut tried = Tried::default();
    let mut problem = Problem::NoServer;
    while let Some(picked) = core.server(&choice, &tried, timer, client.again()).await? {
        let id = picked.id;
        match reach(core, timer, choice.pool, &picked, visitor, &mut client).await {
            Ok(server) => {
                core.counters.servers[id.0].request();
                core.counters.frontends[door.frontend].request();
                return Ok((server, picked));
            }
            Err((failed, Retry::No)) => return Err(failed),
            Err((failed, Retry::NextServer)) => {
                core.log_retry(&failed);
                problem = failed;
                tried.add(id);
            }
        }
    }
    Err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the future that a call would give.
    fn size<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// With two sockets and an entry among the deadlines, this is all there is of an idle tunnel.
    #[test]
    fn an_idle_client_is_small() {
        assert!(size(serve) <= 544, "{} bytes", size(serve));
    }
}
