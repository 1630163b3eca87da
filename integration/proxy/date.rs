//! Every final response has a date, the server's or ours.

use vipd::config::{Frontend, Redirect};
use vipd::http::Date;
use vipd::net::clock::wall_ms;
use vipd::proxy::Page;

use crate::h2_client::Client;
use crate::rig::*;

fn seconds() -> u64 {
    wall_ms() / 1000
}

/// Whether `date` is a moment since `since`.
fn is_recent(date: &str, since: u64) -> bool {
    let line = format!("Date: {date}\r\n");
    (since..=seconds()).any(|second| Date::at(second).field() == line.as_bytes())
}

fn date(answer: &str) -> &str {
    field(answer, "date").unwrap_or_else(|| panic!("no date in {answer}"))
}

#[test]
fn who_passes_on_a_response_without_a_date_adds_one_and_keeps_the_servers() {
    const OWN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let since = seconds();
    let plain = rig(&[site("a").address]);
    assert!(is_recent(date(&plain.ask(LAST)), since));
    let answer = format!("HTTP/1.1 200 OK\r\ndate: {OWN}\r\nContent-Length: 0\r\n\r\n");
    let own = rig(&[parrot(answer).address]).ask(LAST);
    assert_eq!((date(&own), own.to_ascii_lowercase().matches("date: ").count()), (OWN, 1), "{own}");
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let answer = rig(&[parrot(interim).address]).ask(LAST);
    assert!(
        answer.starts_with("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nDate: ")
    );
    let mut client = Client::connect(&plain);
    let (head, _) = client.get("/");
    assert!(is_recent(head.headers()["date"].to_str().expect("text"), since));
}

#[test]
fn our_own_answers_have_one() {
    let (since, dead) = (seconds(), nobody());
    let rig = rig(&[dead.address]);
    for request in
        [LAST, "GET / HTTP/1.1\r\n\r\n", "OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n"]
    {
        let mut client = rig.client();
        client.say(request);
        let head = client.head().expect("an answer");
        assert!(is_recent(date(&head), since), "{head}");
    }
    let redirect = Some(Redirect { status: 301, port: 443 });
    let elsewhere = rig_of(snapshot(&[]), Frontend { pool: None, redirect, ..web() }, limits(), 1);
    assert!(is_recent(date(&elsewhere.ask(LAST)), since));
    let page = Some(Page::default());
    let closed = rig_showing(page, snapshot(&[]), web(), limits(), 1);
    assert!(is_recent(date(&closed.ask(LAST)), since));
    let (head, _) = Client::connect(&closed).get("/");
    assert!(is_recent(head.headers()["date"].to_str().expect("text"), since));
}

#[test]
fn time_goes_on() {
    let rig = rig_with(&[site("a").address], limits(), 1);
    let mut client = rig.client();
    let mut ask = || {
        client.say(GET);
        date(&client.message().0).to_owned()
    };
    let (first, end) = (ask(), seconds() + 20);
    while ask() == first {
        assert!(seconds() < end, "it is still {first}");
    }
}
