//! Every bound, with what it answers.

use vipd::config::Limits;

use crate::rig::*;

#[test]
fn a_head_that_is_too_long_or_has_too_many_lines() {
    let app = site("a");
    let rig = rig_with(&[app.address], Limits { head: 1024, headers: 10, ..limits() }, 1);
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(1024));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: 1\r\n".repeat(10));
    for request in [long, many, "x".repeat(100_000)] {
        let answer = rig.ask(&request);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(app.connections(), 0);
}

#[test]
fn a_response_head_that_is_too_long() {
    let app = parrot(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(1024)));
    let rig = rig_with(&[app.address], Limits { head: 1024, ..limits() }, 1);
    let answer = rig.ask(LAST);
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("app1: the head is too long"), "{answer}");
}

#[test]
fn a_body_that_is_too_large() {
    let rig = rig_with(&[site("a").address], Limits { body: Some(10), ..limits() }, 1);
    let answer = rig.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = rig.ask(&format!("{chunked}6\r\nabcdef\r\n5\r\nghijk\r\n0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = rig.ask(&format!("{chunked}6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nabcdefghij"), "{answer}");
}

#[test]
fn a_head_that_does_not_come() {
    let rig = rig_with(&[site("a").address], Limits { head_timeout: SOON, ..limits() }, 1);
    let answer = rig.ask("GET / HTTP/1.1\r\nHost:");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("head"), "{answer}");
    // The same when it begins right behind another request.
    let mut client = rig.client();
    client.say(&format!("{GET}GET / HT"));
    assert!(client.message().0.starts_with("HTTP/1.1 200 "));
    assert!(client.message().0.starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_body_that_does_not_come() {
    let rig = rig_with(&[site("a").address], Limits { idle_timeout: SOON, ..limits() }, 1);
    for start in ["Content-Length: 4\r\n\r\nbo", "Transfer-Encoding: chunked\r\n\r\n4\r\nbo"] {
        let answer = rig.ask(&format!("POST / HTTP/1.1\r\nHost: h\r\n{start}"));
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body"), "{answer}");
    }
    assert_eq!(rig.server(0).errors, 0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let rig = rig_with(&[site("a").address], Limits { idle_timeout: SOON, ..limits() }, 1);
    assert_eq!(rig.client().rest(), "");
    let mut client = rig.client();
    client.say(GET);
    client.message();
    assert_eq!(client.rest(), "");
}

#[test]
fn a_server_that_does_not_accept_in_time() {
    let (deaf, up) = (deaf(), site("b"));
    let tight = Limits { connect_timeout: SOON, ..limits() };
    let rig = rig_with(&[deaf.address, up.address], tight.clone(), 1);
    assert!(rig.ask(LAST).contains("\r\n\r\nb\n"), "the next one is asked");
    let rig = rig_with(&[deaf.address], tight, 1);
    let answer = rig.ask(LAST);
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("app1 did not accept"), "{answer}");
}

#[test]
fn a_server_that_does_not_respond_in_time() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig_with(&[app.address], Limits { response_timeout: SOON, ..limits() }, 1);
    let mut client = rig.client();
    for at in 1..=2 {
        client.say(GET);
        let (head, body) = client.message();
        assert!(head.starts_with("HTTP/1.1 504 ") && body.contains("app1 did not respond"), "{head}{body}");
        assert_eq!((app.connections(), rig.server(0).errors), (at, at as u64));
    }
}

#[test]
fn a_server_that_stops_in_the_middle() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        wire.rest();
    });
    let rig = rig_with(&[app.address], Limits { idle_timeout: SOON, ..limits() }, 1);
    let mut client = rig.client();
    client.say(GET);
    assert!(client.head().is_some());
    assert_eq!(client.bytes(4), b"half");
    assert_eq!(client.rest(), "");
    assert_eq!(rig.server(0).errors, 1);
}

#[test]
fn a_client_that_stops_reading_is_disconnected() {
    let (tell, told) = std::sync::mpsc::channel();
    let app = origin(move |mut wire, _| {
        use std::io::Write;
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        while wire.stream().write_all(&[0; 65536]).is_ok() {}
        tell.send(()).expect("the test waits");
    });
    let rig = rig_with(&[app.address], Limits { idle_timeout: SOON, ..limits() }, 1);
    let mut client = rig.client();
    client.say(GET);
    told.recv().expect("the server's connection breaks");
    assert_eq!(rig.server(0).errors, 0, "that was the client");
}

#[test]
fn one_client_too_many_is_told_so() {
    let rig = rig_with(&[site("a").address], Limits { connections: 2, ..limits() }, 2);
    let mut clients = [rig.client(), rig.client()];
    for client in &mut clients {
        client.say(GET);
        client.message();
    }
    let answer = rig.ask("");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("too many connections"), "{answer}");
    drop(clients);
    rig.settles_at(0);
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 200 "));
}

#[test]
fn at_the_limit_those_inside_are_served_and_each_other_one_is_turned_away_until_there_is_room() {
    let rig = rig_with(&[site("a").address], Limits { connections: 8, ..limits() }, 2);
    let mut inside: Vec<_> = (0..8).map(|_| rig.client()).collect();
    for client in &mut inside {
        client.say(GET);
        assert!(client.message().0.starts_with("HTTP/1.1 200 "));
    }
    for turn in 1..=20 {
        let answer = rig.ask(LAST);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert_eq!(field(&answer, "retry-after"), Some("1"), "{answer}");
        assert_eq!(field(&answer, "connection"), Some("close"), "{answer}");
        for client in &mut inside {
            client.say(GET);
            assert!(client.message().0.starts_with("HTTP/1.1 200 "), "turn {turn}");
        }
        assert_eq!((rig.frontend().by_us, rig.frontend().errors), (turn, turn));
        rig.settles_at(8);
    }
    inside.pop();
    rig.settles_at(7);
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 200 "));
}
