//! Machines that vanish: what is sent to them is lost, and they say nothing. Who waits for them has other limits on time,
//! of an hour; the kernel's own half a minute is really waited for, once for all.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use vipd::config::{Limits, Mode};
use vipd::lab::Netns;

#[path = "proxy/rig.rs"]
#[expect(dead_code, reason = "what only the tests of the data plane say")]
mod rig;

use rig::{GET, Origin, Rig, Wire, limits, ok, origin, rig_in};

/// Longer than the half minute on the busiest machine, and much shorter than the limits.
const PATIENCE: Duration = Duration::from_secs(180);
const NEVER: Duration = Duration::from_secs(3600);

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A rig with a server, and what that hands over once it has treated a connection as `serve` says.
fn front(mode: Mode, serve: impl Fn(&mut Wire) + Send + Sync + 'static) -> (Rig, Origin, Receiver<Wire>) {
    let (hand, held) = channel();
    let app = origin(move |mut wire, _| {
        serve(&mut wire);
        hand.send(wire).expect("the test holds it");
    });
    let limits = Limits { idle_timeout: NEVER, tunnel_timeout: NEVER, ..limits() };
    (rig_in(mode, &[app.address], limits), app, held)
}

/// From now on nothing that is sent from this address, or to it, arrives.
fn vanish(address: SocketAddr) {
    let port = address.port();
    let chain = format!("type filter hook input priority 0; tcp sport {port} drop; tcp dport {port} drop;");
    let table = format!("table inet vanished{port} {{ chain in {{ {chain} }}; }}");
    assert!(Command::new("nft").arg(table).status().expect("nftables").success());
}

fn port_of(wire: &Wire) -> SocketAddr {
    wire.stream().local_addr().expect("it is connected")
}

fn is_reset(wire: &Wire) {
    wire.stream().set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let read = wire.stream().read(&mut [0]);
    assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

/// The last word of each conversation is such that nothing is in flight to the side that vanishes.
fn machines_vanish() {
    let (server_of_tcp, app_of_tcp, held) = front(Mode::Tcp, |wire| {
        wire.bytes(4);
        wire.say("pong");
    });
    let mut abandoned = server_of_tcp.client();
    abandoned.say("ping");
    assert_eq!(abandoned.bytes(4), b"pong");
    let _silent = held.recv().expect("it has answered");

    let (client_of_tcp, _app, held) = front(Mode::Tcp, |wire| drop(wire.bytes(4)));
    let mut client = client_of_tcp.client();
    client.say("ping");
    let server = held.recv().expect("it has heard the client");

    let (client_of_tunnel, _app, held) = front(Mode::Http, |wire| {
        wire.head();
        wire.say(SWITCH);
        wire.bytes(4);
    });
    let mut upgraded = client_of_tunnel.client();
    upgraded.say(UPGRADE);
    assert!(upgraded.head().is_some_and(|head| head.starts_with("HTTP/1.1 101 ")));
    upgraded.say("ping");
    let tunnelled = held.recv().expect("it has heard the client");

    let (server_of_http, app_of_http, held) = front(Mode::Http, |wire| {
        wire.head();
        wire.say(&ok("fine"));
    });
    let mut idle = server_of_http.client();
    idle.say(GET);
    assert_eq!(idle.message().1, "fine");
    let _kept = held.recv().expect("it has answered");
    server_of_http.keeps(0, 1, PATIENCE);

    for gone in [app_of_tcp.address, port_of(&client), port_of(&upgraded), app_of_http.address] {
        vanish(gone);
    }
    is_reset(&abandoned);
    is_reset(&server);
    is_reset(&tunnelled);
    server_of_http.keeps(0, 0, PATIENCE);
}

#[test]
fn silent_connections_of_machines_that_have_vanished_end_long_before_the_limits_on_time() {
    let inside = || {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("iproute2");
        assert!(up.success());
        machines_vanish();
    };
    Netns::create().expect("namespaces").run(inside).expect("a namespace");
}
