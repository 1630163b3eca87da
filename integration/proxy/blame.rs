//! Whose fault an error is: the counters and the log say the same.

use std::io::{self, Write};
use std::sync::Mutex;

use vipd::config::Limits;
use vipd::pool::{Failures, Rule, Snapshot};

use crate::life::alone;
use crate::rig::*;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("nobody panics").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn errors_are_told_apart_by_counters_and_log_alike() {
    if !alone("blame::errors_are_told_apart_by_counters_and_log_alike") {
        return;
    }
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(|| Log)
        .init();
    let dead = nobody();
    let rig = rig_with(&[dead.address], Limits { connections: 1, ..limits() }, 1);
    for _ in 0..3 {
        assert!(rig.ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
        rig.settles_at(0);
    }
    for _ in 0..2 {
        assert!(rig.ask(LAST).starts_with("HTTP/1.1 502 "));
        rig.settles_at(0);
    }
    let mut only = rig.client();
    only.say("GET / HT");
    rig.settles_at(1);
    let full = rig.ask(LAST);
    assert!(full.starts_with("HTTP/1.1 503 ") && field(&full, "retry-after") == Some("1"), "{full}");
    let count = rig.frontend();
    assert_eq!((count.requests, count.errors), (6, 6));
    assert_eq!((count.by_client, count.by_server, count.by_us), (3, 2, 1));
    let log = String::from_utf8(LOG.lock().expect("nobody panics").clone()).expect("text");
    let lines =
        |culprit: &str| log.lines().filter(|line| line.contains(&format!("culprit={culprit}"))).count();
    assert_eq!((lines("Client"), lines("Server"), lines("Us")), (3, 2, 1), "{log}");
}

#[test]
fn the_last_hop_answers_itself_and_the_others_are_counted_down() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say("OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n");
    let (head, body) = client.message();
    assert!(head.starts_with("HTTP/1.1 204 ") && body.is_empty() && !head.contains("Location"), "{head}");
    client.say("TRACE / HTTP/1.1\r\nHost: h\r\nmax-forwards: 0\r\n\r\n");
    assert!(client.message().0.starts_with("HTTP/1.1 501 "));
    assert_eq!(app.connections(), 0, "neither was passed on");
    client.say("OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 5\r\n\r\n");
    let (_, seen) = client.message();
    assert_eq!(field(&seen, "max-forwards"), Some("4"), "{seen}");
    client.say("GET / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n");
    let (_, seen) = client.message();
    assert_eq!(field(&seen, "max-forwards"), Some("0"), "it means nothing to other methods: {seen}");
}

#[test]
fn an_answer_with_a_status_that_counts_is_a_failure_of_its_server_and_is_passed_on() {
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let status = head.split(['/', ' ']).nth(2).expect("a path");
            wire.say(&format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let failures = Failures::NONE.with(502, 504).expect("5xx");
    let pool = pool(&[(app.address, 1)], Rule { failures, ..Rule::default() });
    let rig = rig_of(Snapshot::new([pool]), web(), limits(), 1);
    let mut client = rig.client();
    for status in [200, 404, 500, 501, 502, 503, 504, 505, 599] {
        client.say(&format!("GET /{status} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let (head, _) = client.message();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} Whatever\r\n")), "{head}");
    }
    let (server, frontend) = (rig.server(0), rig.frontend());
    assert_eq!((server.requests, server.failed, server.errors), (9, 3, 0));
    assert_eq!((frontend.requests, frontend.failed, frontend.errors), (9, 0, 0), "the frontend has answered");
    assert_eq!(app.connections(), 1);
}
