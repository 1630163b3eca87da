//! TCP frontends: bytes both ways, ends and breaks as they are, and nothing else.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use vipd::config::{Limits, Mode};

use super::rig::{Rig, SOON, Wire, limits, nobody, origin, rig_in};

fn tcp(servers: &[SocketAddr], limits: Limits) -> Rig {
    rig_in(Mode::Tcp, servers, limits)
}

fn is_reset(wire: &Wire) -> bool {
    let read = wire.stream().read(&mut [0]);
    read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn the_server_may_speak_first() {
    let app = origin(|mut wire, _| {
        wire.say("220 hello\r\n\r\n");
        let said = wire.head();
        wire.say(&said.unwrap_or_default());
    });
    let rig = tcp(&[app.address], limits());
    let mut client = rig.client();
    assert_eq!(client.head().as_deref(), Some("220 hello\r\n\r\n"));
    client.say("EHLO\r\n\r\n");
    assert_eq!(client.rest(), "EHLO\r\n\r\n");
    assert_eq!((rig.server(0).requests, rig.frontend().requests, rig.frontend().errors), (1, 1, 0));
}

#[test]
fn an_end_is_passed_on_and_the_answer_still_comes() {
    let app = origin(|mut wire, _| {
        let said = wire.rest();
        wire.say(&format!("{} bytes", said.len()));
    });
    let rig = tcp(&[app.address], limits());
    let mut client = rig.client();
    client.say("twelve bytes");
    client.stream().shutdown(Shutdown::Write).expect("it is connected");
    assert_eq!(client.rest(), "12 bytes");
    rig.settles_at(0);
}

#[test]
fn megabytes_go_both_ways_at_once() {
    const SIZE: usize = 8 << 20;
    let app = origin(|wire, _| {
        let mut from = wire.stream().try_clone().expect("a socket");
        let mut to = wire.stream().try_clone().expect("a socket");
        std::io::copy(&mut from, &mut to).expect("the client reads");
    });
    let rig = tcp(&[app.address], limits());
    let client = rig.client();
    let sent: Vec<u8> =
        (0_u32..).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).take(SIZE).collect();
    let mut writer = client.stream().try_clone().expect("a socket");
    let bytes = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&bytes).expect("the proxy reads");
        writer.shutdown(Shutdown::Write).expect("it is connected");
    });
    let mut got = Vec::new();
    (&mut client.stream()).read_to_end(&mut got).expect("the echo");
    writing.join().expect("it wrote");
    assert!(got == sent, "{} bytes came back, or not the same", got.len());
}

#[test]
fn a_server_that_refuses_is_passed_over() {
    let app = origin(|mut wire, _| wire.say("here"));
    let nobody = nobody();
    let rig = tcp(&[nobody.address, app.address], limits());
    for _ in 0..2 {
        assert_eq!(rig.client().rest(), "here");
    }
    assert!(rig.server(0).errors >= 1 && rig.frontend().errors == 0);
}

#[test]
fn who_cannot_be_served_is_reset() {
    let nobody = nobody();
    let rig = tcp(&[nobody.address], limits());
    assert!(is_reset(&rig.client()));
    assert_eq!((rig.frontend().requests, rig.frontend().errors), (1, 1));
}

#[test]
fn too_many_are_reset() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = tcp(&[app.address], Limits { connections: 1, ..limits() });
    let first = rig.client();
    rig.settles_at(1);
    assert!(is_reset(&rig.client()));
    drop(first);
    rig.settles_at(0);
}

#[test]
fn a_break_on_one_side_is_a_break_on_the_other() {
    let app = origin(|mut wire, _| {
        wire.say("part");
        let socket = socket2::SockRef::from(wire.stream());
        socket.set_linger(Some(Duration::ZERO)).expect("a socket");
    });
    let rig = tcp(&[app.address], limits());
    let client = rig.client();
    let read = (&mut client.stream()).read_to_end(&mut Vec::new());
    assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[test]
fn silence_has_an_end() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = tcp(&[app.address], Limits { tunnel_timeout: SOON, ..limits() });
    let mut client = rig.client();
    client.say("hello");
    assert!(is_reset(&client));
    rig.settles_at(0);
}

#[test]
fn a_busy_life_has_an_end() {
    let app = origin(|wire, _| while wire.stream().write_all(b"tick").is_ok() {});
    let rig = tcp(&[app.address], Limits { tunnel_lifetime: Some(SOON), ..limits() });
    let client = rig.client();
    let read = std::io::copy(&mut client.stream(), &mut std::io::sink());
    assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}
