//! What clients do by frames to use up a proxy, and requests that two readers could take differently.

use std::time::Duration;

use vipd::config::Limits;

use crate::frames::*;
use crate::h2_client::{Client, get};
use crate::rig::*;

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// The proxy serves others as if nothing had happened, and holds nothing of the attack.
fn unmoved(rig: &Rig) {
    assert!(rig.ask(LAST).contains("200 OK"));
    rig.settles_at(0);
}

/// Says `attack` until the proxy has enough, `most` times at most; the code it says goodbye with, if it gets through.
fn until_refused(rig: &Rig, most: u32, mut attack: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let mut client = Rude::connect(rig);
    let mut reader = Rude(client.0.try_clone().expect("a socket"));
    let goodbye = std::thread::spawn(move || reader.until(GOAWAY).map(|frame| frame.code()));
    let refused = (0..most).any(|at| !client.send(&attack(at)));
    if !refused {
        // It may say so after the last of it.
        let _ = client.0.shutdown(std::net::Shutdown::Write);
    }
    let code = goodbye.join().expect("frames");
    assert!(refused || code.is_some_and(|code| code != 0), "{most} times");
    code
}

#[test]
fn rapid_resets_end_the_connection() {
    let app = site("app1");
    let rig = rig_with(&[app.address], limits(), 1);
    let code = until_refused(&rig, 100_000, |at| {
        let stream = at * 2 + 1;
        let mut bytes = frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(&ASK));
        bytes.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
        bytes
    });
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    assert!(rig.server(0).requests < 2000, "{:?}", rig.server(0));
    unmoved(&rig);
}

#[test]
fn requests_that_are_taken_back_later_end_it_as_well() {
    let app = origin(|mut wire, _| {
        if wire.head().is_some_and(|head| head.contains("/other")) {
            wire.say(&ok(""));
        }
        wire.rest();
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = Rude::connect(&rig);
    let (code, taken_back) = takes_back(&mut client, 1);
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    assert!(taken_back > 128, "a page with {taken_back} parts may be left");
    rig.settles_at(0);
}

/// Asks and takes back until the proxy has enough, from stream `first` on: the code that it says goodbye with, and how many
/// it let pass.
fn takes_back(client: &mut Rude, first: u32) -> (Option<u32>, u32) {
    for at in 0..5000 {
        // Each is known before it is taken back: a ping's answer tells so.
        let stream = first + at * 2;
        client.ask(stream, &ASK);
        client.send(&frame(PING, 0, 0, &[0; 8]));
        let answers = |it: &Frame| it.kind == GOAWAY || it.kind == PING && it.payload == [0; 8];
        let Some(answer) = std::iter::from_fn(|| client.next()).find(answers) else { return (None, at) };
        if answer.kind == GOAWAY {
            return (Some(answer.code()), at);
        }
        client.send(&frame(RESET, 0, stream, &8_u32.to_be_bytes()));
    }
    panic!("nobody minds");
}

#[test]
fn who_was_told_to_leave_may_not_take_back_more() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = Rude::connect(&rig);
    // It is never answered, so that there is something to stay for.
    client.ask(1, &ASK);
    rig.settles_at(1);
    rig.proxy.drain();
    assert_eq!(client.until(GOAWAY).expect("a word").code(), 0);
    // Whoever has not heard that yet, and does not say so, may ask on.
    assert_eq!(takes_back(&mut client, 3).0, Some(ENHANCE_YOUR_CALM));
    assert_eq!(rig.proxy.join(Duration::from_secs(20)), 0);
}

#[test]
fn streams_that_make_us_reset_them_end_it() {
    let app = site("app1");
    let rig = rig_with(&[app.address], limits(), 1);
    // A window update of nothing is an error of its stream (RFC 9113 §6.9).
    until_refused(&rig, 100_000, |at| {
        let stream = at * 2 + 1;
        let mut bytes = frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(&ASK));
        bytes.extend(frame(WINDOW_UPDATE, 0, stream, &[0; 4]));
        bytes
    });
    assert!(rig.server(0).requests < 5000, "{:?}", rig.server(0));
    unmoved(&rig);
}

#[test]
fn a_head_that_never_ends_is_refused() {
    let app = site("app1");
    let rig = rig_with(&[app.address], limits(), 1);
    let piece = block(&[("x-long", &"y".repeat(100))]).repeat(100);
    until_refused(&rig, 10_000, |at| match at {
        0 => frame(HEADERS, 0, 1, &block(&ASK)),
        _ => frame(CONTINUATION, 0, 1, &piece),
    });
    let empty =
        |at| if at == 0 { frame(HEADERS, 0, 1, &block(&ASK)) } else { frame(CONTINUATION, 0, 1, &[]) };
    until_refused(&rig, 1_000_000, empty);
    unmoved(&rig);
}

#[test]
fn a_head_that_is_too_long_is_a_431() {
    let app = site("app1");
    let rig = rig_with(&[app.address], Limits { head: 1024, ..limits() }, 1);
    let mut client = Client::connect(&rig);
    let mut long = get("/");
    for _ in 0..20 {
        long.headers_mut().append("x-long", "y".repeat(100).parse().expect("a value"));
    }
    let (response, _) = client.ask(long, true);
    assert_eq!(client.whole(response).0.status().as_u16(), 431);
    assert_eq!((app.connections(), rig.server(0).requests), (0, 0), "no server is asked");
    assert_eq!(client.get("/").0.status().as_u16(), 200, "the connection lives on");
    assert_eq!((app.connections(), rig.server(0).requests), (1, 1));
}

#[test]
fn floods_of_settings_and_pings_cost_no_memory() {
    if !crate::life::alone("h2_attack::floods_of_settings_and_pings_cost_no_memory") {
        return;
    }
    let app = site("app1");
    let rig = rig_with(&[app.address], Limits { idle_timeout: Duration::from_secs(2), ..limits() }, 1);
    let before = crate::life::peak();
    for attack in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[0; 8])] {
        // Nobody reads the answers: it stands still when the kernel holds all it can.
        let mut client = Rude::connect(&rig);
        let many = attack.repeat(1000);
        client.0.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket");
        let sent = (0..100_000).take_while(|_| client.send(&many)).count();
        assert!(sent < 100_000, "{sent} thousand were taken");
        assert!(rig.ask(LAST).contains("200 OK"), "others are served");
    }
    let grown = crate::life::peak() - before;
    assert!(grown < 8 << 20, "{grown} bytes");
    // Neither keeps a connection alive.
    unmoved(&rig);
}

#[test]
fn floods_of_empty_data_end_it() {
    let app = site("app1");
    let rig = rig_with(&[app.address], limits(), 1);
    let post = [(":method", "POST"), (":scheme", "http"), (":authority", "a.com"), (":path", "/")];
    until_refused(&rig, 1_000_000, |at| match at {
        0 => frame(HEADERS, END_HEADERS, 1, &block(&post)),
        _ => frame(DATA, 0, 1, &[]).repeat(10),
    });
    unmoved(&rig);
}

#[test]
fn a_connection_that_asks_nothing_is_closed_in_time() {
    let app = site("app1");
    let limits = Limits { head_timeout: SOON, ..limits() };
    let rig = rig_with(&[app.address], limits, 1);
    let mut silent = Rude::connect(&rig);
    assert_eq!(silent.until(GOAWAY).expect("a word").code(), 0);
    while silent.next().is_some() {}
    // Neither a beginning of a preface nor of a head buys time.
    let mut slow = rig.client();
    slow.send(&PREFACE[..20]);
    assert!(slow.rest().starts_with("HTTP/1.1 505"));
    let mut half = Rude::connect(&rig);
    half.send(&frame(HEADERS, 0, 1, &block(&ASK)));
    while half.next().is_some() {}
    rig.settles_at(0);
}

#[test]
fn who_comes_when_all_places_are_taken_is_told_so_in_frames() {
    let app = site("app1");
    let rig = rig_with(&[app.address], Limits { connections: 1, ..limits() }, 1);
    let mut inside = rig.client();
    inside.say(GET);
    inside.message();
    let mut client = Rude::connect(&rig);
    assert_eq!(client.next().map(|frame| frame.kind), Some(SETTINGS));
    let goodbye = client.next().expect("a reason");
    assert_eq!(
        (goodbye.kind, &goodbye.payload[..4], goodbye.code()),
        (GOAWAY, &[0; 4][..], ENHANCE_YOUR_CALM)
    );
    assert!(client.next().is_none());
    assert_eq!(rig.frontend().errors, 1);
    drop(client);
    rig.settles_at(1);
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 503 "), "and others in words");
}

#[test]
fn more_streams_than_agreed_are_refused() {
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = Rude::connect(&rig);
    (0..129).for_each(|at| client.ask(at * 2 + 1, &ASK));
    let refused = client.until(RESET).expect("a refusal");
    assert_eq!((refused.stream, refused.code()), (257, 7), "REFUSED_STREAM: it may be asked again");
}

#[test]
fn requests_that_mean_two_things_are_refused() {
    let app = site("app1");
    let rig = rig_with(&[app.address], limits(), 1);
    let with = |more: (&'static str, &'static str)| ASK.into_iter().chain([more]).collect::<Vec<_>>();
    let without = |name: &str| ASK.into_iter().filter(|(it, _)| *it != name).collect::<Vec<_>>();
    for fields in [
        with(("connection", "close")),
        with(("transfer-encoding", "chunked")),
        with(("upgrade", "websocket")),
        with(("keep-alive", "1")),
        with(("proxy-connection", "close")),
        with(("te", "gzip")),
        with(("X-Upper", "1")),
        with(("host", "b.com")),
        with(("x-space", " 1")),
        with((":path", "/again")),
        with((":unknown", "1")),
        with(("content-length", "5")),
        with(("content-length", "+0")),
        without(":method"),
        without(":path"),
        without(":scheme"),
    ] {
        let mut client = Rude::connect(&rig);
        client.ask(1, &fields);
        let end = std::iter::from_fn(|| client.next()).find(|it| [RESET, GOAWAY].contains(&it.kind));
        assert_eq!(end.map(|frame| frame.code()), Some(PROTOCOL_ERROR), "{fields:?}");
    }
    assert_eq!(app.connections(), 0, "no server has seen them");
    rig.settles_at(0);
}

#[test]
fn what_http_1_refuses_is_refused_with_its_status() {
    let app = site("app1");
    let rig = rig_with(&[app.address], limits(), 1);
    let replaced = |name: &str, value: &'static str| {
        ASK.map(|(it, old)| if it == name { (it, value) } else { (it, old) }).to_vec()
    };
    let connect = vec![(":method", "CONNECT"), (":authority", "a.com:443")];
    let twice: Vec<_> = ASK.into_iter().chain([("content_length", "1")]).collect();
    let hostless: Vec<_> = ASK.into_iter().filter(|(name, _)| *name != ":authority").collect();
    for fields in [connect, twice, hostless, replaced(":authority", "user@a.com")] {
        let mut client = Rude::connect(&rig);
        client.ask(1, &fields);
        let body = client.until(DATA).map(|frame| String::from_utf8(frame.payload).expect("text"));
        let body = body.expect("an answer of our own");
        assert!(body.starts_with("400 ") || body.starts_with("501 "), "{fields:?}: {body}");
    }
    assert_eq!((app.connections(), rig.frontend().errors), (0, 4));
}

#[test]
fn who_does_not_want_http_2_refuses_its_preface() {
    let app = site("app1");
    let frontend = vipd::config::Frontend { h2: false, ..web() };
    let rig = rig_of(snapshot(&[(app.address, 1)]), frontend, limits(), 1);
    let mut client = rig.client();
    client.send(PREFACE);
    assert!(client.rest().starts_with("HTTP/1.1 505"));
    // A method that begins alike is a method.
    let rig = crate::rig::rig(&[app.address]);
    assert!(rig.ask("PRINT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").contains("PRINT / HTTP/1.1"));
}
