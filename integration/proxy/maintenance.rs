//! Pages instead of servers, by command and for want of servers, and the pool that stands in.

use std::sync::Arc;
use std::time::Duration;

use vipd::config::{Frontend, Maintenance, Mode, Pattern, Redirect, RequestRoute};
use vipd::pool::{Rotation, Rule, Server, ServerId, Snapshot};
use vipd::proxy::Page;

use crate::h2_client::Client;
use crate::rig::*;

const TEXT: &str = "<h1>back at six</h1>\n";

fn page(text: &str) -> Option<Page> {
    let maintenance =
        Maintenance { page: "/srv/sorry.html".into(), status: 503, retry_after: Duration::from_secs(300) };
    Some(Page::new(&maintenance, text))
}

/// One frontend with the page, whose pool has these servers.
fn rig_with_page(snapshot: Snapshot) -> Rig {
    rig_showing(page(TEXT), snapshot, web(), limits(), 1)
}

fn closed(snapshot: Snapshot) -> Snapshot {
    snapshot.with_closed([true])
}

#[test]
fn by_command_the_page_is_shown_whatever_the_servers_and_the_connection_lives_on() {
    let app = site("a");
    let rig = rig_with_page(snapshot(&[(app.address, 1)]));
    let mut client = rig.client();
    client.say(GET);
    assert!(client.message().1.starts_with("a\n"));
    rig.pools.store(closed(snapshot(&[(app.address, 1)])).into());
    for _ in 0..2 {
        client.say(GET);
        let (head, body) = client.message();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        assert_eq!(body, TEXT);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("retry-after", "300"),
            ("connection", "keep-alive"),
        ] {
            assert_eq!(field(&head, name), Some(value), "{head}");
        }
    }
    client.say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head().expect("an answer");
    assert_eq!(field(&head, "content-length"), Some("21"), "{head}");
    rig.pools.store(snapshot(&[(app.address, 1)]).into());
    client.say(GET);
    let (head, body) = client.message();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "a body came behind the answer to HEAD: {head}");
    assert!(body.starts_with("a\n"), "{body}");
    let count = rig.frontend();
    assert_eq!((count.requests, count.pages, count.errors), (5, 3, 0));
    assert_eq!((rig.server(0).requests, app.connections()), (2, 1), "no server was asked");
}

#[test]
fn a_body_that_nobody_reads_ends_the_connection() {
    let rig = rig_with_page(closed(snapshot(&[])));
    let answer = rig.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with(TEXT), "{answer}");
    assert_eq!(field(&answer, "connection"), Some("close"));
    let answer = rig.ask("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "what is malformed stays so: {answer}");
}

#[test]
fn without_a_page_of_its_own_there_is_a_plain_sentence() {
    let rig = rig_of(closed(snapshot(&[])), web(), limits(), 1);
    let answer = rig.ask(LAST);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("down for maintenance\n"), "{answer}");
    assert_eq!((rig.frontend().pages, rig.frontend().errors), (1, 0));
    rig.pools.store(snapshot(&[]).into());
    let answer = rig.ask(LAST);
    assert!(answer.contains("no healthy server"), "{answer}");
    assert_eq!((rig.frontend().pages, rig.frontend().errors), (1, 1), "want of servers is an error");
}

#[test]
fn for_want_of_servers_the_page_is_shown_and_unreachable_ones_are_an_error() {
    let nobody = nobody();
    let rig = rig_with_page(snapshot(&[(nobody.address, 1)]));
    let mut client = rig.client();
    client.say(GET);
    assert!(client.message().0.starts_with("HTTP/1.1 502 "), "its checks have not noticed yet");
    rig.pools.store(snapshot(&[]).into());
    for _ in 0..2 {
        client.say(GET);
        assert_eq!(client.message().1, TEXT);
    }
    assert_eq!((rig.frontend().requests, rig.frontend().pages, rig.frontend().errors), (3, 2, 1));
}

/// Two pools of one server each, or of none.
fn two(first: Option<&Origin>, second: Option<&Origin>) -> Snapshot {
    let server = |at, origin: &Origin| Server::new(ServerId(at), format!("app{}", at + 1), origin.address, 1);
    let pool = |servers: Option<Server>| {
        Rotation::new(servers.into_iter().collect(), Rule::default(), Arc::default())
    };
    Snapshot::new([pool(first.map(|origin| server(0, origin))), pool(second.map(|origin| server(1, origin)))])
}

#[test]
fn the_sorry_pool_stands_in_while_the_chosen_one_has_no_server_and_the_page_behind_it() {
    let (app, sorry) = (site("app"), site("sorry"));
    let front = Frontend { sorry_pool: Some(1), ..web() };
    let rig = rig_showing(page(TEXT), two(Some(&app), Some(&sorry)), front, limits(), 1);
    let mut client = rig.client();
    let mut says = |start: &str| {
        client.say(GET);
        let body = client.message().1;
        assert!(body.starts_with(start), "{body}, not {start}");
    };
    says("app\n");
    rig.pools.store(two(None, Some(&sorry)).into());
    says("sorry\n");
    rig.pools.store(two(None, None).into());
    says(TEXT);
    rig.pools.store(closed(two(Some(&app), Some(&sorry))).into());
    says(TEXT);
    rig.pools.store(two(Some(&app), None).into());
    says("app\n");
    assert_eq!((rig.frontend().requests, rig.frontend().pages, rig.frontend().errors), (5, 2, 0));
    assert_eq!((rig.server(0).requests, rig.server(1).requests), (2, 1));
}

#[test]
fn a_route_has_the_sorry_pool_too_and_a_redirect_the_page_by_command() {
    let sorry = site("sorry");
    let routes = vec![RequestRoute { pattern: Pattern { host: None, path: Some("/v1".into()) }, pool: 0 }];
    let redirect = Some(Redirect { status: 301, port: 443 });
    let front = Frontend { pool: None, routes, redirect, sorry_pool: Some(1), ..web() };
    let rig = rig_showing(page(TEXT), two(None, Some(&sorry)), front, limits(), 1);
    let ask = |path: &str| rig.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    assert!(ask("/v1").contains("sorry\n"));
    assert!(ask("/").starts_with("HTTP/1.1 301 "), "{}", ask("/"));
    rig.pools.store(closed(two(None, Some(&sorry))).into());
    for path in ["/v1", "/"] {
        assert!(ask(path).ends_with(TEXT), "{}", ask(path));
    }
}

#[test]
fn a_long_page_reaches_slow_readers_whole() {
    let long = "0123456789abcdef".repeat(16 << 10);
    assert_eq!(long.len() as u64, Maintenance::LARGEST);
    let rig = rig_showing(page(&long), closed(snapshot(&[])), web(), limits(), 1);
    let mut clients: Vec<_> = (0..8).map(|_| rig.client()).collect();
    for client in &mut clients {
        // All are asked before one is read.
        client.say(&GET.repeat(4));
    }
    for client in &mut clients {
        for _ in 0..4 {
            assert!(client.message().1 == long);
        }
    }
    assert_eq!(rig.frontend().pages, 32);
    // And those who want no more than that.
    for request in ["GET / HTTP/1.1\r\nHost: a.com\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let mut client = rig.client();
        client.say(request);
        let answer = client.rest();
        assert!(answer.ends_with(&long), "{} bytes", answer.len());
    }
}

#[test]
fn http_2_gets_the_page() {
    let long = "0123456789abcdef".repeat(4 << 10);
    let rig = rig_showing(page(&long), closed(snapshot(&[])), web(), limits(), 1);
    let mut client = Client::connect(&rig);
    let (head, body) = client.get("/");
    assert_eq!(head.status(), 503);
    assert_eq!(head.headers()["retry-after"], "300");
    assert_eq!(head.headers()["content-type"], "text/html; charset=utf-8");
    assert!(body == long);
    let request = http::Request::head("http://a.com/").body(()).expect("a request");
    let (response, _) = client.ask(request, true);
    let (head, body) = client.whole(response);
    assert_eq!((head.status().as_u16(), body.len()), (503, 0));
    assert_eq!((rig.frontend().pages, rig.frontend().errors), (2, 0));
}

#[test]
fn a_tcp_frontend_keeps_its_connections_and_closes_new_ones() {
    let echo = || {
        origin(|mut wire, _| {
            for _ in 0..2 {
                let word = wire.bytes(4);
                wire.send(&word);
            }
        })
    };
    let (app, sorry) = (echo(), echo());
    let front = Frontend { mode: Mode::Tcp, h2: false, defer_accept: false, sorry_pool: Some(1), ..web() };
    let rig = rig_of(two(Some(&app), Some(&sorry)), front, limits(), 1);
    let mut inside = rig.client();
    inside.say("ping");
    assert_eq!(inside.bytes(4), b"ping");
    rig.pools.store(closed(two(Some(&app), Some(&sorry))).into());
    assert_eq!(rig.client().rest(), "", "it is disconnected");
    inside.say("pong");
    assert_eq!(inside.bytes(4), b"pong");
    assert_eq!((rig.frontend().pages, rig.frontend().errors), (1, 0));
    rig.pools.store(two(None, Some(&sorry)).into());
    let mut client = rig.client();
    client.say("ping");
    assert_eq!(client.bytes(4), b"ping");
    assert_eq!((app.connections(), sorry.connections()), (1, 1));
}
