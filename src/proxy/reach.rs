//! A new connection to a server, and what it means that there is none.

use std::io;

use super::choose::Picked;
use super::core::Core;
use super::deadline::Timer;
use super::gone::Patient;
use super::handshake;
use super::problem::Problem;
use super::stream::Stream;
use super::upstream;
use super::visitor::Visitor;
use crate::net::files::{is_exhaustion, is_out_of_ports};

/// What may be done with a request that a server did not answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Retry {
    No,
    NextServer,
}

/// Connects to a server of `pool`, and tells it who the client is if it wants to know. A failure is counted for
/// the server unless it is ours.
pub(super) async fn reach(
    core: &Core,
    timer: &Timer,
    pool: usize,
    picked: &Picked,
    visitor: &Visitor,
    client: &mut Patient<'_>,
) -> Result<Stream, (Problem, Retry)> {
    let id = picked.id;
    let connecting = upstream::connect(picked.address, timer, core.patience.connect, client.again());
    let mut connected = connecting.await.map_err(|gone| (gone.into(), Retry::No))?;
    if let (Ok(server), Some(version)) = (&mut connected, picked.send_proxy)
        && let Err(error) = upstream::greet(server, &visitor.header(version, client.stream), timer).await
    {
        connected = Err(error);
    }
    let connected = connected.map_err(|error| {
        if is_out_of_ports(&error) {
            core.counters.servers[id.0].portless();
            return (Problem::Exhausted(error), Retry::NextServer);
        }
        if is_exhaustion(&error) {
            return (Problem::Exhausted(error), Retry::No);
        }
        core.counters.servers[id.0].error();
        let server = core.name(pool, id);
        let problem = if error.kind() == io::ErrorKind::TimedOut {
            Problem::ConnectTimeout { server }
        } else {
            Problem::Unreachable { server, error }
        };
        (problem, Retry::NextServer)
    });
    let stream = connected?;
    let Some(tls) = core.to_servers(pool) else { return Ok(stream) };
    // In the time that is left for connecting.
    Box::pin(handshake::with_server(timer, stream, tls, picked.address)).await.map_err(|broken| {
        core.counters.servers[id.0].error();
        (handshake::unshaken(core.name(pool, id), broken), Retry::NextServer)
    })
}
