//! What one source of clients may have. The rates are so low that no test runs long enough to see them give more.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use vipd::config::{Frontend, Limits, Mode, Network, PerSource};
use vipd::pool::{Bounds, Rate, SendProxy};
use vipd::proxy::{OverLimits, proxy_header};

use crate::h2_tools::run;
use crate::rig::*;

/// So many, and then no more for as long as a test runs.
fn only(burst: u32) -> Option<Rate> {
    Some(Rate { count: 1, period: Duration::from_secs(3600), burst })
}

fn limited(bounds: Bounds) -> Frontend {
    Frontend { per_source: Some(PerSource::new(bounds)), ..web() }
}

fn rig_limited(frontend: Frontend, limits: Limits) -> Rig {
    rig_of(snapshot(&[(site("a").address, 1)]), frontend, limits, 2)
}

/// A client on another address of this machine.
fn from(source: [u8; 4], to: SocketAddr) -> Wire {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("all of 127.0.0.0/8 is here");
    socket.connect(&to.into()).expect("someone listens");
    Wire::new(TcpStream::from(socket))
}

fn over(rig: &Rig) -> OverLimits {
    rig.proxy.stats().over_limits[0]
}

#[test]
fn a_request_too_many_is_told_so_and_its_connection_goes_on() {
    let rig = rig_limited(limited(Bounds { request_rate: only(2), ..Bounds::default() }), limits());
    let mut client = rig.client();
    for _ in 0..2 {
        client.say(GET);
        assert!(client.message().0.starts_with("HTTP/1.1 200 "));
    }
    for _ in 0..2 {
        client.say(GET);
        let (head, body) = client.message();
        assert!(head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{head}");
        let wait: u64 = field(&head, "retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        assert!((3500..=3600).contains(&wait), "{head}");
        assert_eq!(field(&head, "connection"), Some("keep-alive"));
        assert!(body.contains("requests from your address come too fast"), "{body}");
    }
    // By another connection it is still the same source, from another address it is another one.
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 429 "));
    let mut other = from([127, 0, 0, 2], rig.address);
    other.say(LAST);
    assert!(other.rest().starts_with("HTTP/1.1 200 "));
    assert_eq!(over(&rig), OverLimits { request_rate: 3, ..OverLimits::default() });
    let count = rig.frontend();
    assert_eq!((count.requests, count.errors, count.by_client), (6, 3, 3));
}

#[test]
fn a_body_that_comes_with_a_request_too_many_is_not_taken_for_the_next_one() {
    let rig = rig_limited(limited(Bounds { request_rate: only(1), ..Bounds::default() }), limits());
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 200 "));
    let mut client = rig.client();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nGET /within HTTP/1.1\r\n");
    let (head, _) = client.message();
    assert!(head.starts_with("HTTP/1.1 429 ") && field(&head, "connection") == Some("close"), "{head}");
    assert_eq!(client.rest(), "");
}

#[test]
fn connections_at_a_time_are_counted_over_all_cores_and_until_they_end() {
    let rig = rig_limited(limited(Bounds { connections: Some(3), ..Bounds::default() }), limits());
    let mut clients: Vec<_> = (0..20).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.say(GET);
    }
    let mut inside = Vec::new();
    for mut client in clients {
        let (head, body) = client.message();
        if head.starts_with("HTTP/1.1 200 ") {
            inside.push(client);
        } else {
            assert!(head.starts_with("HTTP/1.1 429 ") && field(&head, "retry-after") == Some("1"), "{head}");
            assert!(body.contains("too many connections from your address"), "{body}");
            assert_eq!(client.rest(), "", "it is closed");
        }
    }
    assert_eq!(inside.len(), 3);
    assert_eq!(over(&rig), OverLimits { connections: 17, ..OverLimits::default() });
    let mut other = from([127, 0, 0, 2], rig.address);
    other.say(LAST);
    assert!(other.rest().starts_with("HTTP/1.1 200 "));
    drop((inside, other));
    rig.settles_at(0);
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 200 "));
}

#[test]
fn connections_that_come_too_fast_are_turned_away_in_every_mode() {
    for mode in [Mode::Http, Mode::Tcp] {
        let bounds = Bounds { connection_rate: only(2), ..Bounds::default() };
        let defer_accept = mode == Mode::Http;
        let rig = rig_limited(Frontend { mode, defer_accept, ..limited(bounds) }, limits());
        for _ in 0..2 {
            let mut client = rig.client();
            client.say(GET);
            assert!(client.message().0.starts_with("HTTP/1.1 200 "), "{mode:?}");
        }
        match mode {
            Mode::Http => assert!(rig.ask(LAST).starts_with("HTTP/1.1 429 ")),
            // It is gone before it could be told anything.
            Mode::Tcp => assert_eq!(rig.client().rest(), "", "closed without a word"),
        }
        assert_eq!(over(&rig), OverLimits { connection_rate: 1, ..OverLimits::default() });
    }
}

#[test]
fn who_is_turned_away_does_not_take_the_place_of_others() {
    // Room for 16 clients. A source that has enough brings 40 more, which say nothing and do not leave.
    let frontend = limited(Bounds { connections: Some(1), ..Bounds::default() });
    let rig =
        rig_limited(Frontend { defer_accept: false, ..frontend }, Limits { connections: 16, ..limits() });
    let mut first = rig.client();
    first.say(GET);
    assert!(first.message().0.starts_with("HTTP/1.1 200 "));
    let crowd: Vec<_> = (0..40).map(|_| rig.client()).collect();
    // An eighth of all are being told at a time, the rest is closed.
    while over(&rig).connections < 40 || rig.proxy.stats().connections > 1 + 16 / 8 {
        std::thread::yield_now();
    }
    let mut other = from([127, 0, 0, 2], rig.address);
    other.say(LAST);
    assert!(other.rest().starts_with("HTTP/1.1 200 "));
    drop(crowd);
}

#[test]
fn the_source_is_who_a_believed_header_says() {
    let peers = Network::new(IpAddr::from([127, 0, 0, 0]), 8).expect("a network");
    let mut frontend = limited(Bounds { request_rate: only(1), ..Bounds::default() });
    frontend.accept_proxy = vec![peers];
    if let Some(per_source) = &mut frontend.per_source {
        per_source.except = vec![Network::new(IpAddr::from([198, 51, 100, 0]), 24).expect("a network")];
    }
    let rig = rig_limited(frontend, limits());
    let ask = |source: &str| {
        let (source, to) = (source.parse().expect("an address"), rig.address);
        let to = if SocketAddr::is_ipv4(&source) { to } else { "[2001:db8::80]:80".parse().expect("one") };
        let mut bytes = Vec::new();
        proxy_header::emit(SendProxy::V2, Some((source, to)), &mut bytes);
        bytes.extend_from_slice(LAST.as_bytes());
        let mut client = rig.client();
        client.send(&bytes);
        client.rest().split(' ').nth(1).map(str::to_owned)
    };
    for (source, expected) in [
        ("192.0.2.1:1000", "200"),
        ("192.0.2.1:1001", "429"),
        ("192.0.2.2:1000", "200"),
        ("[2001:db8:1:2::1]:1000", "200"),
        ("[2001:db8:1:2:ffff::9]:1000", "429"),
        ("[2001:db8:1:3::1]:1000", "200"),
        ("198.51.100.7:1000", "200"),
        ("198.51.100.7:1001", "200"),
    ] {
        assert_eq!(ask(source).as_deref(), Some(expected), "{source}");
    }
}

#[test]
fn each_stream_of_http_2_is_a_request() {
    let rig = rig_limited(limited(Bounds { request_rate: only(2), ..Bounds::default() }), limits());
    let text = run("h2load", &["-n", "5", "-c", "1", "-m", "5", &format!("http://{}/", rig.address)]);
    assert!(text.contains("status codes: 2 2xx, 0 3xx, 3 4xx, 0 5xx"), "{text}");
    assert_eq!(over(&rig), OverLimits { request_rate: 3, ..OverLimits::default() });
}
