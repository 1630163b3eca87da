//! Whose fault an error is: the counters and the log say the same, by the log as it is without a setting.

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::Duration;

use socket2::SockRef;
use tokio::time::Instant;
use vipd::config::{Frontend, Limits, Mode, PerSource};
use vipd::pool::{Bounds, Failures, Rule, Snapshot};
use vipd::proxy::Count;

use crate::frames::{ASK, DATA, END_HEADERS, HEADERS, RESET, Rude, frame};
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

/// Listens to the log of this process, which no other test shares, as far as it goes by default.
fn listen() {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(|| Log)
        .init();
}

fn log() -> String {
    String::from_utf8(LOG.lock().expect("nobody panics").clone()).expect("text")
}

/// How many lines have all of these in them.
fn lines(parts: &[&str]) -> u64 {
    let log = log();
    log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count() as u64
}

/// What the lines about the rest add up to.
fn summed(who: &str) -> u64 {
    let log = log();
    let sums =
        log.lines().filter_map(|line| line.split_once(&format!(" more {who} within "))?.0.rsplit(' ').next());
    sums.map(|count| count.parse::<u64>().expect("a number")).sum()
}

/// Waits until so many errors of a frontend are counted, with whose they are. They are told afterwards, but before the
/// proxy is gone.
fn errors(rig: &Rig, count: u64) {
    let of = |it: Count| it.by_client + it.by_server + it.by_us;
    until(|| of(rig.frontend()) >= count, &format!("{count} errors"));
}

fn until(mut is_so: impl FnMut() -> bool, what: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "never {what}: {}", log());
        std::thread::yield_now();
    }
}

#[test]
fn errors_are_told_apart_by_counters_and_log_alike() {
    if !alone("blame::errors_are_told_apart_by_counters_and_log_alike") {
        return;
    }
    listen();
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
    let told = |level: &str, culprit: &str| {
        lines(&[level, "refused: ", culprit, "frontend=\"web\"", "client=127.0.0.1:"])
    };
    let culprits = [(" INFO ", "culprit=Client"), (" WARN ", "culprit=Server"), (" WARN ", "culprit=Us")];
    assert_eq!(culprits.map(|(level, culprit)| told(level, culprit)), [3, 2, 1], "{}", log());
    // A server that is passed over is told as well, by name.
    assert_eq!(lines(&[" WARN ", "next server: app1 cannot be connected to"]), 2, "{}", log());
}

#[test]
fn of_a_flood_a_few_are_told_and_the_rest_is_summed_up() {
    if !alone("blame::of_a_flood_a_few_are_told_and_the_rest_is_summed_up") {
        return;
    }
    listen();
    let bounds = Bounds { connections: Some(1), ..Bounds::default() };
    let front =
        Frontend { per_source: Some(PerSource::new(bounds)), mode: Mode::Tcp, defer_accept: false, ..web() };
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig_of(snapshot(&[(app.address, 1)]), front, limits(), 1);
    let _inside = rig.client();
    rig.settles_at(1);
    for _ in 0..60 {
        assert_eq!(rig.client().rest(), "");
    }
    let count = rig.frontend();
    assert_eq!((count.by_client, count.errors), (60, 60));
    drop(rig);
    let told = lines(&["refused: too many connections from your address", "status=429"]);
    assert!(told > 0 && told < 60, "{told} lines: {}", log());
    assert_eq!(told + summed("by clients"), 60, "{}", log());
    assert!(lines(&[" × web: refused: too many connections from your address"]) > 0, "{}", log());
}

#[test]
fn what_breaks_off_is_counted_and_told() {
    if !alone("blame::what_breaks_off_is_counted_and_told") {
        return;
    }
    listen();
    // A server, in each of the ways it can.
    for (answer, why) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "app1 closed the connection in the middle"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx\r\n",
            "malformed response from app1",
        ),
    ] {
        let rig = rig_with(&[once(answer).address], limits(), 1);
        rig.ask(GET);
        errors(&rig, 1);
        let (server, front) = (rig.server(0), rig.frontend());
        assert_eq!((server.errors, front.requests, front.errors, front.by_server), (1, 1, 1, 1), "{answer}");
        drop(rig);
        assert_eq!(lines(&[" WARN ", "broken off: ", why, "culprit=Server"]), 1, "{}", log());
    }
    // A client in the middle of its request.
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = rig.client();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    until(|| app.connections() > 0, "at the server");
    SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).expect("it is a socket");
    drop(client);
    rig.settles_at(0);
    assert_eq!((rig.proxy.stats().left[0], rig.frontend().errors, rig.server(0).errors), (1, 0, 0));
    drop(rig);
    assert_eq!(lines(&[" INFO ", "left: the client left in the middle"]), 1, "{}", log());
    // One that does not read its response.
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        while wire.stream().write_all(&[0; 65536]).is_ok() {}
    });
    let rig = rig_with(&[app.address], Limits { idle_timeout: SOON, ..limits() }, 1);
    let mut client = rig.client();
    client.say(GET);
    until(|| rig.proxy.stats().left[0] > 0, "given up");
    assert_eq!((rig.frontend().errors, rig.server(0).errors), (0, 0));
    drop(rig);
    assert_eq!(lines(&[" INFO ", "left: the client did not read its response in time"]), 1, "{}", log());
}

#[test]
fn at_twice_the_limit_who_gets_no_answer_is_counted_and_told_all_the_same() {
    if !alone("blame::at_twice_the_limit_who_gets_no_answer_is_counted_and_told_all_the_same") {
        return;
    }
    listen();
    let rig = rig_with(&[site("a").address], Limits { connections: 1, ..limits() }, 1);
    let mut first = rig.client();
    first.say("GET / HT");
    rig.settles_at(1);
    // The second one is told and lingers for a while; who comes meanwhile is not told.
    let mut refused = 0;
    loop {
        let mut second = rig.client();
        second.say(LAST);
        assert!(second.head().is_some_and(|head| head.starts_with("HTTP/1.1 503 ")));
        let third = rig.ask(LAST);
        refused += 2;
        if third.is_empty() {
            break;
        }
        drop(second);
        rig.settles_at(1);
    }
    assert_eq!((rig.frontend().by_us, rig.frontend().errors), (refused, refused));
    drop(rig);
    assert_eq!(
        lines(&[" WARN ", "refused: too many connections", "culprit=Us"]) + summed("by the proxy"),
        refused
    );
}

#[test]
fn what_clients_do_wrong_by_frames_is_counted_and_told() {
    if !alone("blame::what_clients_do_wrong_by_frames_is_counted_and_told") {
        return;
    }
    listen();
    let app = origin(|mut wire, _| drop(wire.rest()));
    let rig = rig_with(&[app.address], limits(), 1);
    // Two hosts.
    let mut two = Rude::connect(&rig);
    two.ask(1, &ASK.into_iter().chain([("host", "b.com")]).collect::<Vec<_>>());
    assert_eq!(two.until(RESET).expect("a refusal").code(), 1);
    errors(&rig, 1);
    // What the library refuses: data of a stream that was never begun.
    let mut bent = Rude::connect(&rig);
    bent.send(&frame(DATA, 0, 1, b"x"));
    while bent.next().is_some() {}
    errors(&rig, 2);
    // Requests that are taken back, each when it is known, until we ask for calm.
    let mut restless = Rude::connect(&rig);
    let reader = std::thread::spawn({
        let mut reader = Rude(restless.0.try_clone().expect("a socket"));
        move || while reader.next().is_some() {}
    });
    // It is listened to for two more seconds when it was told, which may be many requests.
    let (mut stream, end) = (1, Instant::now() + Duration::from_secs(20));
    while restless.send(&frame(HEADERS, END_HEADERS, stream, &crate::frames::block(&ASK)))
        && restless.send(&frame(RESET, 0, stream, &8_u32.to_be_bytes()))
    {
        assert!(Instant::now() < end, "nobody minds: {:?}", rig.frontend());
        stream += 2;
    }
    reader.join().expect("frames");
    errors(&rig, 3);
    let count = rig.frontend();
    assert_eq!((count.errors, count.by_client), (3, 3));
    drop(rig);
    let told = |why| lines(&[" INFO ", "refused: ", why, "culprit=Client"]);
    assert_eq!(
        (told("more than one Host"), told("no HTTP/2: "), told("")),
        (1, 2 - told("back too fast"), 3),
        "{}",
        log()
    );
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

/// A server that asks for no body, and a client that sends none, look the same but for who has to speak next.
#[test]
fn a_body_that_the_server_does_not_ask_for_is_missing_by_its_fault() {
    const EXPECT: &str = "Expect: 100-continue\r\n";
    const LENGTH: &str = "Content-Length: 4\r\n";
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    // What the server says to the head, what the client sends.
    let table = [
        ("", [EXPECT, LENGTH, ""], 504),
        ("", [EXPECT, CHUNKED, ""], 504),
        ("HTTP/1.1 20", [EXPECT, LENGTH, ""], 504),
        ("", ["", LENGTH, ""], 408),
        ("", ["", CHUNKED, ""], 408),
        ("", [EXPECT, LENGTH, "PU"], 408),
        ("", [EXPECT, CHUNKED, "4\r\nPU"], 408),
        ("HTTP/1.1 100 Continue\r\n\r\n", [EXPECT, LENGTH, ""], 408),
    ];
    for (says, [expect, framing, body], status) in table {
        let app = origin(move |mut wire, _| {
            if wire.head().is_some() {
                wire.say(says);
                wire.rest();
            }
        });
        let rig = rig_with(&[app.address], Limits { idle_timeout: SOON, ..limits() }, 1);
        let said = rig.ask(&format!("PUT / HTTP/1.1\r\nHost: h\r\n{expect}{framing}\r\n{body}"));
        let case = format!("{says:?} to {expect}{framing}{body}: {said}");
        assert!(said.contains(&format!("HTTP/1.1 {status} ")), "{case}");
        let count = rig.frontend();
        let by_server = u64::from(status == 504);
        assert_eq!((count.by_client, count.by_server), (1 - by_server, by_server), "{case}");
        assert_eq!(rig.server(0).errors, by_server, "{case}");
    }
}
