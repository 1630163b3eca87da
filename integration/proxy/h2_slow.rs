//! Clients of HTTP/2 that read slowly, or not at all.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::frames::*;
use crate::h2_client::{Client, get};
use crate::life::{alone, peak};
use crate::rig::*;

fn answers(rig: &Rig, count: u64) {
    let end = Instant::now() + Duration::from_secs(20);
    while rig.frontend().requests < count {
        assert!(Instant::now() < end, "{:?}", rig.frontend());
        thread::yield_now();
    }
}

/// A server whose kernel holds as much as it can of a long body for everyone; it says no more.
fn generous() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let body = vec![b'x'; 1 << 20];
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let count = stream.read(&mut head).expect("a request");
            if head[..count].starts_with(b"GET /short ") {
                stream.write_all(ok("").as_bytes()).expect("it reads");
                continue;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n").expect("it reads");
            stream.set_nonblocking(true).expect("a socket");
            match stream.write(&body) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            held.push(stream);
        }
    });
    address
}

#[test]
fn who_reads_nothing_makes_the_proxy_hold_little() {
    const CLIENTS: u32 = 2;
    if !alone("h2_slow::who_reads_nothing_makes_the_proxy_hold_little") {
        return;
    }
    let rig = rig_with(&[generous()], limits(), 1);
    let others = || {
        let text = rig.ask("GET /short HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert!(text.contains("200 OK"), "{text}");
    };
    others();
    let before = peak();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Rude::connect(&rig)).collect();
    for client in &mut clients {
        client.open_windows();
        (0..128).for_each(|at| client.ask(at * 2 + 1, &ASK));
    }
    answers(&rig, 1 + u64::from(CLIENTS) * 128);
    // Others are served, and each of the many streams had many a chance to take more.
    (0..300).for_each(|_| others());
    let grown = peak().saturating_sub(before);
    assert!(grown < 12 << 20, "{grown} bytes");
}

/// Settings with windows for more than is asked for.
fn wide() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 30);
    builder
}

#[test]
fn more_than_may_be_held_arrives_whole_in_its_turn() {
    const LONG: usize = 300_000;
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let body = "d".repeat(LONG);
            wire.say(&if head.starts_with("GET /chunks") {
                format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{LONG:x}\r\n{body}\r\n0\r\n\r\n"
                )
            } else {
                ok(&body)
            });
        }
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = Client::with(&rig, &wide());
    let paths = (0..100).map(|at| if at % 2 == 0 { "/length" } else { "/chunks" });
    let asked: Vec<_> = paths.map(|path| client.ask(get(path), true).0).collect();
    for response in asked {
        let text = client.whole(response).1;
        assert!(text.len() == LONG && text.bytes().all(|byte| byte == b'd'), "{}", text.len());
    }
    assert_eq!((rig.frontend().requests, rig.frontend().errors), (100, 0));
}

#[test]
fn streams_that_are_not_read_stop_no_others() {
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let long = head.starts_with("GET /long");
            wire.say(&ok(&"d".repeat(if long { 1 << 20 } else { 1 << 16 })));
        }
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut builder = h2::client::Builder::new();
    builder.initial_connection_window_size(1 << 30);
    let mut client = Client::with(&rig, &builder);
    let asked: Vec<_> = (0..100).map(|_| client.ask(get("/long"), true).0).collect();
    let _unread: Vec<_> =
        asked.into_iter().map(|response| client.head(response).expect("it has begun")).collect();
    for _ in 0..10 {
        assert_eq!(client.get("/").1.len(), 1 << 16);
    }
}
