//! Checks of servers that the test runs itself, each with one way to answer.

use std::net::SocketAddr;

use nix::errno::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;

use super::super::words::trouble;
use super::*;
use crate::config::{Check, HttpCheck, PostgresCheck, RedisCheck, Role};
use crate::pool::ServerId;

mod kinds;
mod looking;

fn target(address: SocketAddr, kind: CheckKind, timeout: Duration) -> Target {
    let check = Check { interval: timeout, timeout, ..Check::new(kind) };
    Target { server: ServerId(0), name: "app1".into(), address, check, send_proxy: None }
}

fn http(expect: &[(u16, u16)]) -> CheckKind {
    CheckKind::Http(HttpCheck { expect: expect.to_vec(), ..HttpCheck::get("/health") })
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

async fn check(address: SocketAddr, kind: CheckKind, timeout: Duration) -> (Observation, String) {
    let sight = probe(&target(address, kind, timeout), &Connectors::default(), &mut None, timeout).await;
    (sight.observation.expect("this node can ask"), sight.why)
}

/// Checks a server that sends `answer` in these pieces and closes. Gives the request it got as well.
fn answered_with(answer: &[&[u8]], kind: CheckKind) -> (Observation, String, String) {
    within(async {
        let (listener, address) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("the check connects");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.expect("it asks"), 0, "half a request");
            }
            for piece in answer {
                stream.set_nodelay(true).expect("TCP");
                // It may have seen enough, and is gone.
                let _ = stream.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            drop(stream);
            String::from_utf8(request).expect("ASCII")
        };
        let ((seen, why), request) = tokio::join!(check(address, kind, Duration::from_secs(5)), server);
        (seen, why, request)
    })
}

fn within<T>(test: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
}

fn fails_with(answer: &[&[u8]], expected: &str) {
    let (seen, why, _) = answered_with(answer, http(&[(200, 399)]));
    assert_eq!((seen, why.as_str()), (Observation::Fail, expected));
}

fn passes_with(answer: &[&[u8]], expected: &str) {
    let (seen, why, _) = answered_with(answer, http(&[(200, 399)]));
    assert_eq!(seen, Observation::Pass, "{why}");
    assert!(why.starts_with(expected) && why.ends_with("ms"), "{why}");
}

#[test]
fn an_expected_status_passes() {
    passes_with(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], "HTTP 200 in ");
    passes_with(&[b"HTTP/1.0 302 Found\r\n\r\n"], "HTTP 302 in ");
    passes_with(&[b"HTTP/1.1 204\r\n\r\n"], "HTTP 204 in ");
    passes_with(&[b"HTTP/1.1 200 OK\r\nServer : old\r\n\r\n"], "HTTP 200 in ");
    passes_with(&[b"H", b"TTP/1.1 20", b"0 OK\r\nA: b\r", b"\n\r", b"\n"], "HTTP 200 in ");
}

#[test]
fn interim_answers_are_skipped() {
    passes_with(
        &[
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ],
        "HTTP 200 in ",
    );
    fails_with(&[b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], "HTTP 101, expected 200-399");
}

#[test]
fn another_status_fails_and_says_what_was_expected() {
    fails_with(&[b"HTTP/1.1 503 Service Unavailable\r\n\r\n"], "HTTP 503, expected 200-399");
    let (seen, why, _) = answered_with(&[b"HTTP/1.1 404 Not Found\r\n\r\n"], http(&[(200, 200), (300, 399)]));
    assert_eq!((seen, why.as_str()), (Observation::Fail, "HTTP 404, expected 200, 300-399"));
    let (seen, _, _) = answered_with(&[b"HTTP/1.1 503 Busy\r\n\r\n"], http(&[(200, 200), (503, 503)]));
    assert_eq!(seen, Observation::Pass);
}

#[test]
fn the_request_names_host_and_ourselves_and_what_was_asked_for() {
    let kind = CheckKind::Http(HttpCheck {
        host: Some("shop.example".into()),
        request_headers: vec![("X-Probe".into(), "1".into())],
        ..HttpCheck::get("/up?deep=1")
    });
    let (_, _, request) = answered_with(&[b"HTTP/1.1 200 OK\r\n\r\n"], kind);
    let ours = format!("User-Agent: vipd/{}", env!("CARGO_PKG_VERSION"));
    let lines: Vec<_> = request.split("\r\n").collect();
    let expected =
        ["GET /up?deep=1 HTTP/1.1", "Host: shop.example", &ours, "Accept: */*", "X-Probe: 1", "", ""];
    assert_eq!(lines, expected);
    let (_, _, request) = answered_with(&[b"HTTP/1.1 200 OK\r\n\r\n"], http(&[(200, 200)]));
    assert!(request.contains("\r\nHost: 127.0.0.1:"), "{request}");
}

#[test]
fn what_is_not_http_fails_and_shows_how_it_begins() {
    fails_with(&[b"SSH-2.0-OpenSSH_9.2\r\n"], "not HTTP: invalid HTTP version: \"SSH-2.0-OpenSSH_9.2\"");
    fails_with(
        &[b"\x15\x03\x01\x00\x02\x02\x46"],
        "not HTTP: invalid HTTP version: \"\\x15\\x03\\x01\\x00\\x02\\x02F\"",
    );
    fails_with(&[b"HTTP/1.1 2x0 OK\r\n\r\n"], "not HTTP: invalid response status: \"HTTP/1.1 2x0 OK\"");
    fails_with(&[&[b'x'; 9_000]], &format!("not HTTP: invalid HTTP version: \"{}\"", "x".repeat(40)));
}

#[test]
fn half_an_answer_fails() {
    fails_with(&[], "closed the connection without an answer");
    fails_with(&[b"HTTP/1.1 200 OK\r\nServer:"], "closed the connection in the middle of the answer's head");
}

#[test]
fn an_endless_head_is_read_up_to_a_bound() {
    let head = [b"HTTP/1.1 200 OK\r\nCookie: ".as_slice(), &[b'x'; 20_000]].concat();
    fails_with(&[&head], "the answer's head is longer than 8 KiB");
}

#[test]
fn a_closed_port_is_refused() {
    within(async {
        let (listener, address) = listener().await;
        drop(listener);
        for kind in [CheckKind::Tcp, http(&[(200, 399)])] {
            let refused = (Observation::Fail, "connection refused".to_string());
            assert_eq!(check(address, kind, Duration::from_secs(5)).await, refused);
        }
    });
}

#[test]
fn a_tcp_check_passes_when_the_connection_is_accepted() {
    within(async {
        let (_listener, address) = listener().await;
        let (seen, why) = check(address, CheckKind::Tcp, Duration::from_secs(5)).await;
        assert_eq!(seen, Observation::Pass);
        assert!(why.starts_with("connected in "), "{why}");
    });
}

#[test]
fn a_server_that_accepts_and_says_nothing_times_out() {
    within(async {
        let (_listener, address) = listener().await;
        let seen = check(address, http(&[(200, 399)]), Duration::from_millis(30)).await;
        assert_eq!(seen, (Observation::Fail, "timed out after 30 ms waiting for the answer".to_string()));
    });
}

#[test]
fn a_server_that_does_not_accept_times_out() {
    within(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("loopback has a free port");
        let listener = socket.listen(1).expect("it listens");
        let address = listener.local_addr().expect("it is bound");
        // The queue of connections nobody accepts fills up; from then on the kernel drops whoever asks.
        let limit = Duration::from_millis(50);
        let mut queue = Vec::new();
        while let Ok(Ok(stream)) = timeout(limit, TcpStream::connect(address)).await {
            queue.push(stream);
            assert!(queue.len() < 10, "the queue takes whoever comes");
        }
        let seen = check(address, CheckKind::Tcp, limit).await;
        assert_eq!(seen, (Observation::Fail, "timed out after 50 ms connecting".to_string()));
    });
}

#[test]
fn trouble_of_our_own_is_called_ours() {
    let words = |errno: Errno| trouble(&std::io::Error::from(errno));
    assert_eq!(words(Errno::EMFILE), "too many open files on this node");
    assert_eq!(words(Errno::EHOSTUNREACH), "no route to host");
}
