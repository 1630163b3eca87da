//! The data plane as a whole: memory, draining, stopping, addresses.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;
use vipd::config::{Frontend, Limits};
use vipd::proxy::{self, Settings};

use crate::frames::{GOAWAY, Rude};
use crate::rig::*;

const SIZE: usize = 100 << 20;

/// Peak memory of this process in bytes.
pub(crate) fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    line.trim_end_matches("kB").trim().parse::<usize>().expect("a number") * 1024
}

/// Runs one test in a process of its own; the others would count in its memory. Whether this is that process.
pub(crate) fn alone(test: &str) -> bool {
    const ALONE: &str = "VIPD_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let run = Command::new(program).args(["--exact", test, "--nocapture"]).env(ALONE, "1").output();
    let run = run.expect("this program can be run again");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"), "{test} is there");
    false
}

#[test]
fn bodies_are_streamed_and_never_held() {
    if !alone("life::bodies_are_streamed_and_never_held") {
        return;
    }
    let app = origin(|mut wire, _| {
        let head = wire.head().expect("a request");
        let mut left = if head.starts_with("POST") { SIZE } else { 0 };
        while left > 0 {
            left -= wire.bytes(left.min(65536)).len();
        }
        let chunked = head.starts_with("GET /chunked");
        wire.say(if chunked {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n"
        });
        for _ in 0..SIZE / 65536 {
            if chunked {
                wire.say("10000\r\n");
            }
            wire.send(&[b'x'; 65536]);
            if chunked {
                wire.say("\r\n");
            }
        }
        wire.say(if chunked { "0\r\n\r\n" } else { "" });
    });
    let rig = rig(&[app.address]);
    let before = peak();
    for request in ["GET /", "GET /chunked", "POST /"] {
        let mut client = rig.client();
        let length = if request == "POST /" { SIZE } else { 0 };
        client.say(&format!(
            "{request} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        ));
        for _ in 0..length / 65536 {
            client.send(&[b'x'; 65536]);
        }
        assert!(client.head().is_some_and(|head| head.starts_with("HTTP/1.1 200 ")));
        let mut stream = client.stream();
        let (mut received, mut block) = (client.buffered(), [0; 65536]);
        loop {
            match stream.read(&mut block).expect("bytes in time") {
                0 => break,
                count => received += count,
            }
        }
        assert!(received >= SIZE, "{request}: {received}");
    }
    let grown = peak().saturating_sub(before);
    assert!(grown < 8 << 20, "300 MiB went through and the process grew by {grown} bytes");
}

#[test]
fn draining_finishes_what_runs_and_says_goodbye() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let (tell, told) = mpsc::channel();
    let app = origin(move |mut wire, _| {
        while let Some(head) = wire.head() {
            if head.starts_with("GET /slow") {
                tell.send(()).expect("the test waits");
                wait.lock().expect("one at a time").recv().expect("the test says when");
            }
            wire.say(&ok("fine"));
        }
    });
    let rig = rig_with(&[app.address], limits(), 2);
    let (mut slow, mut idle) = (rig.client(), rig.client());
    idle.say(GET);
    idle.message();
    slow.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    told.recv().expect("the server has it");
    rig.proxy.drain();
    idle.say(GET);
    let (head, body) = idle.message();
    assert_eq!((field(&head, "connection"), body.as_str()), (Some("close"), "fine"));
    assert_eq!(idle.rest(), "");
    go.send(()).expect("the server waits");
    let (head, body) = slow.message();
    assert_eq!((field(&head, "connection"), body.as_str()), (Some("close"), "fine"));
    let address = rig.address;
    assert_eq!(rig.proxy.join(Duration::from_secs(20)), 0);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn who_stays_idle_is_disconnected_by_a_drain() {
    let rig = rig(&[site("a").address]);
    let mut idle = rig.client();
    idle.say(GET);
    idle.message();
    assert_eq!(rig.proxy.join(Duration::from_secs(20)), 0);
    assert_eq!(idle.rest(), "");
}

#[test]
fn a_connection_takes_requests_for_so_long_and_no_longer() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let app = origin(move |mut wire, _| {
        while let Some(head) = wire.head() {
            if head.starts_with("GET /slow") {
                wait.lock().expect("one at a time").recv().expect("the test says when");
            }
            wire.say(&ok("fine"));
        }
    });
    let limits = Limits { connection_lifetime: Some(SOON), ..limits() };
    let rig = rig_with(&[app.address], limits, 1);
    let (mut busy, mut idle, mut silent) = (rig.client(), rig.client(), Rude::connect(&rig));
    busy.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    rig.settles_at(3);
    idle.say(GET);
    assert_eq!(field(&idle.message().0, "connection"), None);
    // When the younger one is closed, the other is as old.
    assert_eq!(idle.rest(), "");
    go.send(()).expect("the server waits");
    let (head, body) = busy.message();
    assert_eq!((field(&head, "connection"), body.as_str()), (Some("close"), "fine"));
    assert_eq!(busy.rest(), "");
    assert_eq!(silent.until(GOAWAY).expect("a word").code(), 0);
    assert_eq!(rig.frontend().errors, 0);
}

#[test]
fn grace_has_an_end() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(GET);
    rig.settles_at(1);
    assert_eq!(rig.proxy.join(Duration::ZERO), 1);
    assert_eq!(client.rest(), "");
}

#[test]
fn connections_are_counted_while_they_last() {
    let rig = rig(&[site("a").address]);
    let clients = [rig.client(), rig.client(), rig.client()];
    rig.settles_at(3);
    drop(clients);
    rig.settles_at(0);
}

#[test]
fn connections_that_are_kept_are_counted_until_their_server_closes_them() {
    let (both, over) = (Barrier::new(2), Arc::new(Barrier::new(3)));
    let closing = Arc::clone(&over);
    let app = origin(move |mut wire, _| {
        wire.head();
        both.wait();
        wire.say(&ok("fine"));
        closing.wait();
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut clients = [rig.client(), rig.client()];
    clients.iter_mut().for_each(|client| client.say(GET));
    clients.iter_mut().for_each(|client| assert_eq!(client.message().1, "fine"));
    rig.keeps(0, 2, PATIENCE);
    over.wait();
    rig.keeps(0, 0, PATIENCE);
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let frontend = Frontend { name: "web".into(), bind: vec![address], pool: Some(0), ..Frontend::default() };
    let settings =
        Settings { frontends: vec![frontend], pages: Vec::new(), limits: limits(), threads: 2, servers: 0 };
    let pools = Arc::new(ArcSwap::from_pointee(snapshot(&[])));
    let error = proxy::start(settings, pools).expect_err("the port is taken").to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}

#[test]
fn an_address_of_another_node_can_be_listened_on() {
    let loopback = std::net::Ipv6Addr::LOCALHOST;
    let bind = vec![([192, 0, 2, 1], 0).into(), ([127, 0, 0, 1], 0).into(), (loopback, 0).into()];
    let frontend = Frontend { name: "web".into(), bind, pool: Some(0), ..Frontend::default() };
    let settings =
        Settings { frontends: vec![frontend], pages: Vec::new(), limits: limits(), threads: 1, servers: 0 };
    let pools = Arc::new(ArcSwap::from_pointee(snapshot(&[])));
    let proxy = proxy::start(settings, pools).expect("free bind");
    assert_eq!(proxy.addresses()[0].len(), 3);
    for address in &proxy.addresses()[0][1..] {
        let mut wire = Wire::connect(*address);
        wire.say(LAST);
        assert!(wire.rest().starts_with("HTTP/1.1 503 "));
    }
}
