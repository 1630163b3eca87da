//! Another protocol on the same connection: passed on when both sides want it, and bytes both ways from then on.

use std::net::Shutdown;

use crate::rig::*;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Switches, then says everything back four bytes at a time; ends when the client does.
fn echo() -> Origin {
    origin(|mut wire, _| {
        let Some(head) = wire.head() else { return };
        assert_eq!(
            (field(&head, "upgrade"), field(&head, "connection")),
            (Some("websocket"), Some("upgrade"))
        );
        wire.say(&format!("{SWITCH}hello"));
        let rest = wire.rest();
        wire.say(&rest);
    })
}

#[test]
fn a_websocket_is_tunnelled_with_what_came_early_on_either_side() {
    let app = echo();
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(&format!("{ASK}early "));
    let head = client.head().expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert_eq!((field(&head, "upgrade"), field(&head, "connection")), (Some("websocket"), Some("upgrade")));
    assert!(field(&head, "sec-websocket-accept").is_some());
    assert_eq!(client.bytes(5), b"hello");
    passes_all(&rig, client);
}

/// A tunnel to a server that says everything back, `early ` first: what looks like a request is none.
pub(crate) fn passes_all(rig: &Rig, mut client: Wire) {
    client.say("GET / HTTP/1.1\r\n\r\n");
    // The end of one direction is passed on, and the other one lives.
    client.stream().shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(client.rest(), "early GET / HTTP/1.1\r\n\r\n");
    rig.settles_at(0);
    assert_eq!((rig.server(0).requests, rig.frontend().requests), (1, 1));
    assert_eq!((rig.server(0).errors, rig.frontend().errors), (0, 0));
}

#[test]
fn both_ends_of_a_tunnel_talk_in_turns() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say(SWITCH);
        for _ in 0..100 {
            let word = wire.bytes(4);
            wire.send(&word);
        }
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(ASK);
    client.head();
    for at in 0..100 {
        let word = format!("{at:04}");
        client.say(&word);
        assert_eq!(client.bytes(4), word.as_bytes());
    }
    assert_eq!(client.rest(), "", "the server has ended, and the client is told");
}

#[test]
fn much_goes_through_a_tunnel_both_ways_at_once() {
    const MUCH: usize = 8 << 20;
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say(SWITCH);
        let mut back = Wire::new(wire.stream().try_clone().expect("a second handle"));
        let sender = std::thread::spawn(move || back.send(&vec![b'b'; MUCH]));
        assert!(wire.bytes(MUCH).iter().all(|byte| *byte == b'a'));
        sender.join().expect("it was read");
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(ASK);
    client.head();
    let mut there = Wire::new(client.stream().try_clone().expect("a second handle"));
    let sender = std::thread::spawn(move || there.send(&vec![b'a'; MUCH]));
    assert!(client.bytes(MUCH).iter().all(|byte| *byte == b'b'));
    sender.join().expect("it was read");
}

#[test]
fn a_server_may_decline() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..2 {
        client.say(ASK);
        let (head, body) = client.message();
        assert!(
            head.starts_with("HTTP/1.1 200 ") && field(&body, "upgrade") == Some("websocket"),
            "{head}{body}"
        );
    }
    assert_eq!(app.connections(), 1, "they stay what they were");
}

#[test]
fn who_did_not_ask_is_not_switched() {
    let rig = rig(&[parrot(SWITCH).address]);
    let answer = rig.ask(LAST);
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("app1: 101 without"), "{answer}");
    assert_eq!((rig.server(0).errors, rig.frontend().errors), (1, 1));
}

#[test]
fn h2c_is_not_for_the_server() {
    let rig = rig(&[site("a").address]);
    let answer = rig.ask(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
    );
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && !answer.contains("h2c") && !answer.contains("HTTP2"),
        "{answer}"
    );
}

#[test]
fn a_tunnel_does_not_care_that_its_server_leaves_the_rotation() {
    let app = echo();
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(ASK);
    assert!(client.head().is_some_and(|head| head.contains(" 101 ")));
    assert_eq!(client.bytes(5), b"hello");
    rig.pools.store(snapshot(&[]).into());
    client.say("still there");
    client.stream().shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(client.rest(), "still there");
}

#[test]
fn a_server_that_dies_ends_its_tunnels_and_another_one_takes_the_next() {
    let dies = origin(|mut wire, _| {
        wire.head();
        wire.say(SWITCH);
        wire.bytes(4);
    });
    let lives = echo();
    let rig = rig(&[dies.address, lives.address]);
    let mut client = rig.client();
    client.say(ASK);
    assert!(client.head().is_some_and(|head| head.contains(" 101 ")));
    client.say("ping");
    assert_eq!(client.rest(), "", "the end is passed on at once");
    let mut client = rig.client();
    client.say(ASK);
    assert!(client.head().is_some_and(|head| head.contains(" 101 ")));
    client.say("ping");
    assert_eq!(client.bytes(5), b"hello");
    client.stream().shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(client.rest(), "ping");
}
