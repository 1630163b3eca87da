//! CONNECT where it is allowed: a tunnel once the server agrees, and nothing that could be read two ways before.

use std::sync::Arc;

use vipd::config::{Frontend, Redirect};
use vipd::pool::{Rotation, Rule, Snapshot, Turn};

use crate::h2_client::Client;
use crate::rig::*;
use crate::upgrade::passes_all;

const ASK: &str = "CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n";

/// One core in front of a server that gets CONNECT.
fn tunnels(server: &Origin) -> Rig {
    rig_of(snapshot(&[(server.address, 1)]), Frontend { connect: true, ..web() }, limits(), 1)
}

/// Agrees with these fields, then says everything back; ends when the client does.
fn agrees(fields: &'static str) -> Origin {
    origin(move |mut wire, _| {
        let Some(head) = wire.head() else { return };
        wire.say(&format!("HTTP/1.1 200 Connection established\r\n{fields}\r\n{head}"));
        let rest = wire.rest();
        wire.say(&rest);
    })
}

#[test]
fn a_tunnel_begins_behind_the_head_whatever_its_length_says() {
    for fields in ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Upgrade: x\r\n"] {
        let app = agrees(fields);
        let rig = tunnels(&app);
        let mut client = rig.client();
        client.say(&format!("{ASK}early "));
        let head = client.head().expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 Connection established\r\n"), "{head}");
        for name in ["content-length", "transfer-encoding", "connection", "upgrade"] {
            assert_eq!(field(&head, name), None, "{head}");
        }
        let asked = client.head().expect("what the server got");
        assert!(asked.starts_with("CONNECT db.example.com:5432 HTTP/1.1\r\n"), "{asked}");
        assert_eq!(field(&asked, "host"), Some("db.example.com:5432"));
        assert_eq!(field(&asked, "x-forwarded-for"), Some("127.0.0.1"));
        passes_all(&rig, client);
    }
}

#[test]
fn old_clients_and_foreign_hosts_get_the_authority_that_they_asked_for() {
    for ask in ["CONNECT a.com:1 HTTP/1.0\r\n\r\n", "CONNECT a.com:1 HTTP/1.1\r\nHost: b.com:2\r\n\r\n"] {
        let app = agrees("");
        let rig = tunnels(&app);
        let mut client = rig.client();
        client.say(ask);
        client.head();
        let asked = client.head().expect("what the server got");
        assert!(asked.starts_with("CONNECT a.com:1 HTTP/1.1\r\n"), "{asked}");
        assert_eq!(field(&asked, "host"), Some("a.com:1"), "{asked}");
        assert!(!asked.contains("b.com"), "{asked}");
    }
}

#[test]
fn what_comes_early_is_no_request_when_the_server_declines() {
    let app = parrot("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let rig = tunnels(&app);
    let answer = rig.ask(&format!("{ASK}GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("no"), "{answer}");
    assert_eq!(field(&answer, "connection"), Some("close"));
    assert_eq!((rig.server(0).requests, rig.frontend().requests), (1, 1), "the tail was no request");
    let rig = rig_of(snapshot(&[]), Frontend { connect: true, ..web() }, limits(), 1);
    let answer = rig.ask(&format!("{ASK}{GET}"));
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.matches("HTTP/1.1 503").count() == 1, "{answer}");
}

#[test]
fn what_could_be_read_two_ways_reaches_no_server() {
    let app = site("a");
    let rig = tunnels(&app);
    let targets =
        ["h", "h:", ":1", "h:x", "h:0", "h:65536", "/a", "*", "http://h/", "u@h:1", "h:1/", "::1:1", "[::1]"];
    for target in targets {
        let answer = rig.ask(&format!("CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
    }
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answer = rig.ask(&format!("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("CONNECT with a body"), "{answer}");
    }
    assert_eq!(app.connections(), 0);
}

#[test]
fn a_switch_is_no_answer_to_connect() {
    let app = parrot("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    let rig = tunnels(&app);
    let ask = ASK.replace("\r\n\r\n", "\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    let answer = rig.ask(&ask);
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

#[test]
fn there_is_no_tunnel_by_a_redirect_or_by_http_2() {
    let redirect = Some(Redirect { status: 301, port: 443 });
    let front = Frontend { connect: true, pool: None, redirect, ..web() };
    let none = Rotation::new(Vec::new(), Rule::default(), Arc::new(Turn::new()));
    let rig = rig_of(Snapshot::new([none]), front, limits(), 1);
    let answer = rig.ask(ASK);
    assert!(answer.starts_with("HTTP/1.1 501 ") && field(&answer, "location").is_none(), "{answer}");

    let app = site("a");
    let rig = tunnels(&app);
    let mut client = Client::connect(&rig);
    let request = http::Request::connect("db.example.com:5432").body(()).expect("a request");
    let (response, _) = client.ask(request, true);
    let (head, text) = client.whole(response);
    assert!(head.status() == 501 && text.contains("CONNECT is not served"), "{text}");
    assert!(client.get("/").1.starts_with("a\n"), "the connection lives on");
    assert_eq!(app.connections(), 1);
}
