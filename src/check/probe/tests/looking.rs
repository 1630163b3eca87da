//! What an HTTP check looks at, and the connection that it keeps.

use super::*;
use crate::config::Method;

fn looks(change: impl FnOnce(&mut HttpCheck)) -> CheckKind {
    let mut check = HttpCheck::get("/health");
    change(&mut check);
    CheckKind::Http(check)
}

/// The result of a check that is answered with these header lines and this body.
fn said(kind: CheckKind, lines: &str, body: &str) -> (Observation, String) {
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{lines}\r\n{body}");
    let (seen, why, _) = answered_with(&[answer.as_bytes()], kind);
    // Without the time that it took.
    let why = why.rsplit_once(" in ").filter(|_| seen == Observation::Pass).map_or(&*why, |(words, _)| words);
    (seen, why.to_owned())
}

fn fail(why: &str) -> (Observation, String) {
    (Observation::Fail, why.to_owned())
}

fn pass(why: &str) -> (Observation, String) {
    (Observation::Pass, why.to_owned())
}

#[test]
fn the_body_must_contain_the_text() {
    let kind = || looks(|check| check.body = Some("ready".into()));
    assert_eq!(said(kind(), "", "all ready"), pass("HTTP 200"));
    assert_eq!(said(kind(), "", "read"), fail("HTTP 200, but \"ready\" is not in its body"));
    let chunks: [&[u8]; 3] =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea", b"\r\n2\r\n", b"dy\r\n0\r\n\r\n"];
    assert_eq!(answered_with(&chunks, kind()).0, Observation::Pass);
    let until_close: [&[u8]; 2] = [b"HTTP/1.0 200 OK\r\n\r\nrea", b"dy"];
    assert_eq!(answered_with(&until_close, kind()).0, Observation::Pass);
    let cut: [&[u8]; 1] = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nready"];
    let why = "closed the connection in the middle of the answer's body";
    assert_eq!(answered_with(&cut, kind()).1, why);
}

#[test]
fn a_body_without_end_is_read_up_to_a_bound() {
    let endless = [b"HTTP/1.0 200 OK\r\n\r\n".as_slice(), &[b'x'; 200_000]].concat();
    let (_, why, _) = answered_with(&[&endless], looks(|check| check.body = Some("ready".into())));
    assert_eq!(why, "HTTP 200, but \"ready\" is not in its body");
}

#[test]
fn header_fields_must_have_their_values() {
    let kind = || looks(|check| check.expect_headers = vec![("X-Ready".into(), "yes".into())]);
    assert_eq!(said(kind(), "x-ready: yes\r\n", ""), pass("HTTP 200"));
    assert_eq!(said(kind(), "X-Ready: no\r\nX-Ready: yes\r\n", ""), pass("HTTP 200"));
    assert_eq!(said(kind(), "X-Ready: no\r\n", ""), fail("HTTP 200, but X-Ready is \"no\", not \"yes\""));
    assert_eq!(said(kind(), "", ""), fail("HTTP 200, but it has no X-Ready"));
}

#[test]
fn json_says_how_the_server_is() {
    let json = "Content-Type: application/json; charset=utf-8\r\n";
    let kind = || looks(|_| {});
    for (word, body) in [
        (", healthy", r#"{"status":"healthy","server":"us-east"}"#),
        (", UP", r#"{"status":"UP"}"#),
        (", pass", r#"{"status":"pass","version":1}"#),
        ("", r#"{"status":200}"#),
        ("", r#"["status"]"#),
        ("", "{"),
    ] {
        assert_eq!(said(kind(), json, body), pass(&format!("HTTP 200{word}")), "{body}");
    }
    let sick = r#"{"status":"draining","server":"us-east"}"#;
    assert_eq!(said(kind(), json, sick), fail("its status is \"draining\", not \"healthy\""));
    assert_eq!(said(kind(), "Content-Type: text/plain\r\n", sick), pass("HTTP 200"));
    // Nginx sends its default type beside the one of `add_header`; a proxy on the way may join the two.
    for kinds in [
        "Content-Type: application/octet-stream\r\nContent-Type: application/json\r\n",
        "Content-Type: text/plain; charset=utf-8, application/json\r\n",
    ] {
        assert_eq!(said(kind(), kinds, sick), fail("its status is \"draining\", not \"healthy\""), "{kinds}");
    }
    assert_eq!(said(looks(|check| check.json = false), json, sick), pass("HTTP 200"));
}

#[test]
fn head_has_no_body() {
    let kind = looks(|check| check.method = Method::Head);
    let (seen, _, request) = answered_with(&[b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"], kind);
    assert!(request.starts_with("HEAD /health HTTP/1.1\r\n"), "{request}");
    assert_eq!(seen, Observation::Pass);
}

/// How many connections it takes to check a server three times that answers and then does this.
fn connections(answer: &'static [u8], closes: bool) -> usize {
    within(async {
        let (listener, address) = listener().await;
        let target = target(address, http(&[(200, 399)]), Duration::from_secs(5));
        let counted = std::cell::Cell::new(0);
        let server = async {
            loop {
                let (mut stream, _) = listener.accept().await.expect("it listens");
                counted.set(counted.get() + 1);
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                    if request.ends_with(b"\r\n\r\n") {
                        request.clear();
                        stream.write_all(answer).await.expect("the check waits");
                        if closes {
                            break;
                        }
                    }
                }
            }
        };
        let (mut line, connectors) = (None, Connectors::default());
        let checks = async {
            for nth in 0..3 {
                let sight = probe(&target, &connectors, &mut line, Duration::from_secs(5)).await;
                assert_eq!(sight.observation, Some(Observation::Pass), "{nth}: {}", sight.why);
            }
        };
        tokio::select! { () = server => unreachable!("it serves for ever"), () = checks => {} }
        counted.get()
    })
}

#[test]
fn a_connection_is_kept_where_the_server_allows_it() {
    assert_eq!(connections(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false), 1);
    assert_eq!(
        connections(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false),
        1
    );
    assert_eq!(connections(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", false), 3);
    // A length that is too short: what comes next would be taken for an answer.
    assert_eq!(connections(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokok", false), 3);
}

#[test]
fn a_kept_connection_that_the_server_closed_is_no_failure() {
    assert_eq!(connections(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true), 3);
}
