//! Clients that leave while their requests wait, and clients that only look as if they did.

use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use vipd::config::{Frontend, Limits, Mode};

use crate::h2_client::{Client, get};
use crate::queue::{LONG, Limited, limited, slow};
use crate::rig::*;

/// Longer than any test waits for anything.
const NEVER: Duration = Duration::from_secs(600);

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    /// With RST.
    Resets,
    /// With FIN.
    Closes,
}

fn leave(client: Wire, how: Leaves) {
    if let Leaves::Resets = how {
        SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).expect("it is a socket");
    }
    drop(client);
}

fn left(rig: &Rig) -> u64 {
    rig.proxy.stats().left[0]
}

/// A front whose one place is taken by `first`, as soon as the server has its request.
fn taken(front: &Limited, seen: &std::sync::Mutex<Vec<String>>) -> Wire {
    let mut first = front.rig.client();
    first.say("GET /first HTTP/1.1\r\nHost: h\r\n\r\n");
    while seen.lock().expect("nobody panics").is_empty() {
        std::thread::yield_now();
    }
    first
}

#[test]
fn a_client_that_leaves_gives_up_its_place_in_the_queue_at_once() {
    for how in [Leaves::Resets, Leaves::Closes] {
        let (app, go, seen) = slow();
        // Nobody waits so long that time makes room, and only one may wait.
        let front = limited(1, 1, NEVER, web(), &app);
        let mut first = taken(&front, &seen);
        let mut leaving = front.rig.client();
        leaving.say("GET /left HTTP/1.1\r\nHost: h\r\n\r\n");
        front.waits_for(1);
        leave(leaving, how);
        front.waits_for(0);
        let mut next = front.rig.client();
        next.say("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
        front.waits_for(1);
        (0..2).for_each(|_| go.send(()).expect("it listens"));
        assert_eq!((first.message().1, next.message().1), ("/first".into(), "/next".into()));
        assert_eq!(*seen.lock().expect("nobody panics"), ["/first", "/next"], "{how:?}");
        let (frontend, server) = (front.rig.frontend(), front.rig.server(0));
        assert_eq!((left(&front.rig), frontend.requests, frontend.errors), (1, 2, 0), "{how:?}");
        assert_eq!((server.requests, server.errors), (2, 0));
    }
}

#[test]
fn a_client_that_has_only_finished_speaking_is_asked_and_answered() {
    let (app, go, seen) = slow();
    let front = limited(1, 2, LONG, web(), &app);
    let mut first = taken(&front, &seen);
    let mut waiting = front.rig.client();
    waiting.say("GET /half HTTP/1.1\r\nHost: h\r\n\r\n");
    front.waits_for(1);
    waiting.stream().shutdown(Shutdown::Write).expect("it is open");
    // It is asked whether it is there, and is.
    assert!(waiting.head().is_some_and(|head| head == "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_eq!(front.queue.waiting(), 1);
    // An old one cannot be asked.
    let mut old = front.rig.client();
    old.say("GET /old HTTP/1.0\r\nHost: h\r\n\r\n");
    front.waits_for(2);
    old.stream().shutdown(Shutdown::Write).expect("it is open");
    (0..3).for_each(|_| go.send(()).expect("it listens"));
    assert_eq!(first.message().1, "/first");
    let (head, body) = waiting.message();
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "/half", "{head}{body}");
    let (head, body) = old.message();
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "/old", "{head}{body}");
    assert_eq!((left(&front.rig), front.rig.frontend().errors), (0, 0));
}

#[test]
fn what_was_sent_behind_the_request_is_still_there_afterwards() {
    let (app, go, seen) = slow();
    let front = limited(1, 1, LONG, web(), &app);
    let mut first = taken(&front, &seen);
    let mut client = front.rig.client();
    client.say("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
    front.waits_for(1);
    client.say("GET /two HTTP/1.1\r\nHost: h\r\n\r\n");
    client.stream().shutdown(Shutdown::Write).expect("it is open");
    (0..3).for_each(|_| go.send(()).expect("it listens"));
    assert_eq!(first.message().1, "/first");
    let bodies = [client.message().1, client.message().1];
    assert_eq!((bodies, client.rest().as_str()), (["/one".into(), "/two".into()], ""));
}

#[test]
fn a_tcp_client_that_resets_leaves_the_queue_and_one_that_has_finished_speaking_does_not() {
    let app = origin(|mut wire, nth| {
        wire.say(&format!("{nth}"));
        wire.rest();
    });
    let tcp = Frontend { mode: Mode::Tcp, defer_accept: false, ..web() };
    let front = limited(1, 1, NEVER, tcp, &app);
    let mut first = front.rig.client();
    assert_eq!(first.bytes(1), b"0");
    let leaving = front.rig.client();
    front.waits_for(1);
    leave(leaving, Leaves::Resets);
    front.waits_for(0);
    let mut quiet = front.rig.client();
    front.waits_for(1);
    quiet.stream().shutdown(Shutdown::Write).expect("it is open");
    drop(first);
    assert_eq!(quiet.rest(), "1");
    assert_eq!((left(&front.rig), front.rig.frontend().errors), (1, 0));
}

#[test]
fn a_stream_of_http_2_that_is_reset_leaves_the_queue() {
    let (app, go, seen) = slow();
    let front = limited(1, 1, NEVER, web(), &app);
    let mut first = taken(&front, &seen);
    let mut client = Client::connect(&front.rig);
    let (response, mut stream) = client.ask(get("/left"), true);
    front.waits_for(1);
    stream.send_reset(h2::Reason::CANCEL);
    front.waits_for(0);
    drop(response);
    let (response, _) = client.ask(get("/next"), true);
    front.waits_for(1);
    (0..2).for_each(|_| go.send(()).expect("it listens"));
    assert_eq!((first.message().1, client.whole(response).1), ("/first".into(), "/next".into()));
    assert_eq!(*seen.lock().expect("nobody panics"), ["/first", "/next"]);
    assert_eq!((left(&front.rig), front.rig.frontend().errors), (1, 0));
}

#[test]
fn a_client_that_leaves_while_a_server_is_connected_to_is_noticed() {
    for how in [Leaves::Resets, Leaves::Closes] {
        let deaf = deaf();
        let rig = rig_with(&[deaf.address], Limits { connect_timeout: NEVER, ..limits() }, 1);
        let mut client = rig.client();
        client.say(GET);
        rig.settles_at(1);
        leave(client, how);
        rig.settles_at(0);
        assert_eq!((left(&rig), rig.frontend().errors, rig.server(0).errors), (1, 0, 0), "{how:?}");
    }
}

#[test]
fn a_client_that_has_finished_speaking_hears_that_no_server_was_reached() {
    let deaf = deaf();
    let connect_timeout = Duration::from_millis(500);
    let rig = rig_with(&[deaf.address], Limits { connect_timeout, ..limits() }, 1);
    let mut client = rig.client();
    client.say(GET);
    client.stream().shutdown(Shutdown::Write).expect("it is open");
    let answers = client.rest();
    assert!(answers.contains("HTTP/1.1 504 ") && left(&rig) == 0, "{answers}");
}
