//! The PROXY protocol: from a proxy in front, and to the servers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vipd::config::{Frontend, Limits, Mode, Network};
use vipd::pool::{Rule, SIGNATURE, SendProxy, Snapshot};
use vipd::proxy::proxy_header::{self, Header, emit};

use super::rig::{GET, LAST, Origin, Rig, Wire, field, limits, origin, pool, rig_of, site, web};

const FROM: &str = "192.0.2.7:56324";
const TO: &str = "198.51.100.1:443";
const MODES: [Mode; 2] = [Mode::Http, Mode::Tcp];
const VERSIONS: [SendProxy; 2] = [SendProxy::V1, SendProxy::V2];

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').expect("a prefix");
    Network::new(address.parse().expect("an address"), prefix.parse().expect("a number")).expect("a network")
}

/// A frontend that believes headers from `networks`, in front of a pool that sends some, or not.
fn rig(mode: Mode, networks: &[&str], send_proxy: Option<SendProxy>, app: SocketAddr, limits: Limits) -> Rig {
    let accept_proxy = networks.iter().map(|text| network(text)).collect();
    let frontend = Frontend { mode, defer_accept: mode == Mode::Http, accept_proxy, ..web() };
    let rule = Rule { send_proxy, ..Rule::default() };
    rig_of(Snapshot::new([pool(&[(app, 1)], rule)]), frontend, limits, 1)
}

fn header(version: SendProxy, source: &str, destination: &str) -> Vec<u8> {
    let mut out = Vec::new();
    emit(version, Some((at(source), at(destination))), &mut out);
    out
}

/// Reads exactly the header that a connection begins with.
fn read_header(wire: &mut Wire) -> Header {
    let mut bytes = Vec::new();
    loop {
        match proxy_header::parse(&bytes).expect("a header") {
            Some((header, length)) => {
                assert_eq!(length, bytes.len());
                return header;
            }
            None => bytes.extend(wire.bytes(1)),
        }
    }
}

/// A server that wants a header on each connection and answers each request with what that said.
fn told() -> Origin {
    origin(|mut wire, at| {
        let header = read_header(&mut wire);
        while let Some(head) = wire.head() {
            let forwarded = field(&head, "x-forwarded-for").unwrap_or("-");
            let body = format!("{at} {header:?} for {forwarded}");
            wire.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    })
}

fn is_reset(wire: &Wire) -> bool {
    let read = wire.stream().read(&mut [0]);
    read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn the_client_is_who_the_header_says() {
    let app = site("app");
    for version in VERSIONS {
        let rig = rig(Mode::Http, &["127.0.0.0/8"], None, app.address, limits());
        let mut client = rig.client();
        client.send(&[&header(version, FROM, TO)[..], GET.as_bytes()].concat());
        let (_, said) = client.message();
        assert_eq!(field(&said, "x-forwarded-for"), Some("192.0.2.7"), "{said}");
        client.say(GET);
        assert_eq!(field(&client.message().1, "x-forwarded-for"), Some("192.0.2.7"));
        assert_eq!((rig.frontend().requests, rig.frontend().errors), (2, 0));
    }
}

#[test]
fn a_header_may_come_in_any_pieces_and_nothing_behind_it_is_lost() {
    let app = told();
    for mode in MODES {
        let rig = rig(mode, &["127.0.0.1/32"], Some(SendProxy::V2), app.address, limits());
        for version in VERSIONS {
            let bytes = [&header(version, FROM, TO)[..], LAST.as_bytes()].concat();
            for step in [1, 7, 13, 16, 29, bytes.len()] {
                let mut client = rig.client();
                for piece in bytes.chunks(step) {
                    client.send(piece);
                }
                client.stream().shutdown(Shutdown::Write).expect("it is connected");
                let said = client.rest();
                let expected = format!("{:?}", Header::Client { source: at(FROM), destination: at(TO) });
                assert!(said.contains(&expected), "{mode:?} {version:?} by {step}: {said}");
            }
        }
    }
}

#[test]
fn who_is_not_listed_is_taken_as_it_is() {
    let app = site("app");
    let rig = rig(Mode::Http, &["10.0.0.0/8", "::/0"], None, app.address, limits());
    let (_, said) = {
        let mut client = rig.client();
        client.say(GET);
        client.message()
    };
    assert_eq!(field(&said, "x-forwarded-for"), Some("127.0.0.1"), "{said}");
    let mut liar = rig.client();
    liar.send(&[&header(SendProxy::V1, FROM, TO)[..], GET.as_bytes()].concat());
    assert!(liar.rest().starts_with("HTTP/1.1 400 "));
}

#[test]
fn nobody_is_who_its_socket_says() {
    let app = site("app");
    let rig = rig(Mode::Http, &["0.0.0.0/0"], None, app.address, limits());
    for version in VERSIONS {
        let mut client = rig.client();
        client.send(version.nobody());
        client.say(GET);
        assert_eq!(field(&client.message().1, "x-forwarded-for"), Some("127.0.0.1"));
    }
}

#[test]
fn what_is_no_header_is_reset_and_counted() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let local = SIGNATURE;
    for mode in MODES {
        let rig = rig(mode, &["0.0.0.0/0"], None, app.address, limits());
        let wrong: [&[u8]; 4] = [
            GET.as_bytes(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 99999\r\n",
            &[&local[..], &[0x21, 0x11, 0, 3, 1, 2, 3]].concat(),
            &[b"PROXY UNKNOWN ", &[b'f'; 200][..]].concat(),
        ];
        for (at, bytes) in wrong.into_iter().enumerate() {
            let mut client = rig.client();
            client.send(bytes);
            assert!(is_reset(&client), "{mode:?} {}", bytes.escape_ascii());
            assert_eq!(rig.frontend().errors, at as u64 + 1);
        }
        let cut = rig.client();
        (&mut cut.stream()).write_all(b"PROXY TC").expect("it is connected");
        cut.stream().shutdown(Shutdown::Write).expect("it is connected");
        assert!(is_reset(&cut));
        rig.settles_at(0);
        // Whoever only looks whether someone listens makes no mistake.
        drop(rig.client());
        rig.settles_at(0);
        assert_eq!((rig.frontend().errors, app.connections()), (5, 0));
    }
}

#[test]
fn a_header_that_never_ends_has_an_end() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    for mode in MODES {
        let limits = Limits { head_timeout: Duration::from_millis(100), ..limits() };
        let rig = rig(mode, &["0.0.0.0/0"], None, app.address, limits);
        let mut client = rig.client();
        client.say("PROXY TCP4 ");
        assert!(is_reset(&client), "{mode:?}");
        assert_eq!((rig.frontend().errors, app.connections()), (1, 0));
    }
}

#[test]
fn servers_are_told_of_the_client() {
    for mode in MODES {
        for version in VERSIONS {
            let app = told();
            let rig = rig(mode, &[], Some(version), app.address, limits());
            let mut client = rig.client();
            let source = client.stream().local_addr().expect("it is connected");
            client.say(GET);
            let said = client.message().1;
            let expected = Header::Client { source, destination: rig.address };
            assert!(said.starts_with(&format!("0 {expected:?}")), "{said}");
            // The client keeps its connection, and nobody else gets it.
            client.say(GET);
            assert_eq!(client.message().1, said);
            let mut other = rig.client();
            other.say(GET);
            assert!(other.message().1.starts_with("1 "));
            assert_eq!(app.connections(), 2);
        }
    }
}

#[test]
fn what_a_proxy_in_front_said_is_passed_on_and_two_families_cannot_be() {
    for version in VERSIONS {
        let app = told();
        let rig = rig(Mode::Http, &["127.0.0.0/8"], Some(version), app.address, limits());
        for (from, to, family) in [(FROM, TO, 4), ("[2001:db8::7]:1", "[2001:db8::1]:443", 6)] {
            let mut client = rig.client();
            client.send(&header(SendProxy::V2, from, to));
            client.say(GET);
            let expected = format!("{:?}", Header::Client { source: at(from), destination: at(to) });
            let said = client.message().1;
            assert!(said.contains(&expected), "{family}: {said}");
        }
    }
    let mut mixed = Vec::new();
    emit(SendProxy::V1, Some((at(FROM), at("[::1]:443"))), &mut mixed);
    assert_eq!(mixed, b"PROXY UNKNOWN\r\n");
}

#[test]
fn servers_take_turns_and_a_client_keeps_its_connection_to_each() {
    let (one, other) = (told(), told());
    let rule = Rule { send_proxy: Some(SendProxy::V1), ..Rule::default() };
    let servers = [(one.address, 1), (other.address, 1)];
    let rig = rig_of(Snapshot::new([pool(&servers, rule)]), web(), limits(), 1);
    let mut client = rig.client();
    for _ in 0..6 {
        client.say(GET);
        client.message();
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
}

#[test]
fn a_connection_that_its_server_closed_is_opened_anew() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let app = origin(move |mut wire, _| {
        read_header(&mut wire);
        if wire.head().is_some() {
            seen.fetch_add(1, Ordering::SeqCst);
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let rig = rig(Mode::Http, &[], Some(SendProxy::V1), app.address, limits());
    let mut client = rig.client();
    for _ in 0..3 {
        client.say(GET);
        assert!(client.message().0.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!((count.load(Ordering::SeqCst), app.connections()), (3, 3));
}
