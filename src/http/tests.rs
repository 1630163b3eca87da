//! The grammar from the outside: what is accepted, what is refused and as what, and that it does not matter how the
//! bytes arrive.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::*;

/// A head as the data plane reads it: scan, parse, facts, rewrite.
fn forwarded(bytes: &str) -> Result<String, Malformed> {
    let range = Scan::request().find(bytes.as_bytes(), 4096)?.expect("a whole head");
    let mut lines = Lines::new();
    let request = Request::parse(&bytes.as_bytes()[range], &mut lines, 20)?;
    let facts = request.facts()?;
    let mut out = Vec::new();
    rewrite_request(
        &request,
        &facts,
        Origin { client: "192.0.2.7", host: "10.0.0.1:80", secure: false },
        &mut out,
    );
    Ok(String::from_utf8(out).expect("the input was text"))
}

fn refused(bytes: &str) -> Malformed {
    forwarded(bytes).expect_err("this must be refused")
}

/// What a client gets, without the date: nearly every server here says none.
fn answered(bytes: &str, to_head: bool, toward: Toward) -> Result<(Body, String), Malformed> {
    let (body, head) = dated(bytes, to_head, toward)?;
    Ok((body, head.replace(NOW, "")))
}

fn dated(bytes: &str, to_head: bool, toward: Toward) -> Result<(Body, String), Malformed> {
    let range = Scan::response().find(bytes.as_bytes(), 4096)?.expect("a whole head");
    let mut lines = Lines::new();
    let response = Response::parse(&bytes.as_bytes()[range], &mut lines, 20)?;
    let facts = response.facts(Answering { is_head: to_head, upgrade: false, ..Answering::default() })?;
    let mut out = Vec::new();
    rewrite_response(&response, &facts, toward, &Date::at(784_111_777), &mut out);
    Ok((facts.body, String::from_utf8(out).expect("the input was text")))
}

const NOW: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

const KEEP_11: Toward = Toward { version: Version::Http11, persistent: true };
const KEEP_10: Toward = Toward { version: Version::Http10, persistent: true };

const OURS: &str = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n";

#[test]
fn a_request_is_passed_on_as_it_came_with_our_fields_behind_it() {
    assert_eq!(
        forwarded("GET /a?b HTTP/1.1\r\nHost: h\r\nAccept:  x \r\n\r\n"),
        Ok(format!("GET /a?b HTTP/1.1\r\nHost: h\r\nAccept:  x \r\n{OURS}\r\n"))
    );
}

#[test]
fn one_empty_line_before_the_request_is_ignored() {
    assert!(forwarded("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").is_ok_and(|head| head.starts_with("GET / ")));
    assert_eq!(refused("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), Malformed::EmptyLines);
}

#[test]
fn fields_of_the_hop_end_here() {
    let head = "GET / HTTP/1.1\r\nConnection: keep-alive, X-Secret , upgrade\r\nKeep-Alive: timeout=5\r\n\
                Host: h\r\nx-secret: 1\r\nTE: gzip\r\nUpgrade: h2c\r\n\
                Proxy-Connection: keep-alive\r\nStays: 1\r\n\r\n";
    assert_eq!(forwarded(head), Ok(format!("GET / HTTP/1.1\r\nHost: h\r\nStays: 1\r\n{OURS}\r\n")));
}

#[test]
fn connection_cannot_take_away_what_frames_the_message() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: Content-Length, Host\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(forwarded(head), Ok(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n{OURS}\r\n")));
}

#[test]
fn forwarded_for_is_appended_to_and_the_others_are_replaced() {
    let head = "GET / HTTP/1.1\r\nX-Forwarded-For: a, b\r\nHost: h\r\nx-forwarded-for: c\r\n\
                X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\r\n";
    let ours = OURS.replace("192", "a, b, c, 192");
    assert_eq!(forwarded(head), Ok(format!("GET / HTTP/1.1\r\nHost: h\r\n{ours}\r\n")));
}

#[test]
fn an_absolute_target_wins_over_host() {
    let ours = OURS.replace("Host: h", "Host: real:81");
    assert_eq!(
        forwarded("GET http://real:81/a HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"),
        Ok(format!("GET /a HTTP/1.1\r\nA: 1\r\nHost: real:81\r\n{ours}\r\n"))
    );
    assert!(
        forwarded("GET http://real HTTP/1.1\r\nHost: h\r\n\r\n").is_ok_and(|head| head.starts_with("GET / "))
    );
}

#[test]
fn an_absolute_target_without_a_path_gets_one() {
    let first = |line: &str| {
        let head = forwarded(&format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n")).expect("it is well-formed");
        head.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first("GET http://real?a=b"), "GET /?a=b HTTP/1.1");
    assert_eq!(first("OPTIONS http://real"), "OPTIONS * HTTP/1.1");
    assert_eq!(first("OPTIONS http://real/"), "OPTIONS / HTTP/1.1");
    assert_eq!(first("GET http://[2001:db8::1]:80/"), "GET / HTTP/1.1");
}

#[test]
fn an_old_client_without_host_gets_the_address_it_connected_to() {
    assert_eq!(
        forwarded("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
        Ok("GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n\r\n"
            .into())
    );
}

#[test]
fn a_client_that_waits_to_be_told_to_go_on_is_known() {
    let table = [
        ("HTTP/1.1\r\nExpect: 100-continue", true),
        ("HTTP/1.1\r\nExpect: x, 100-Continue", true),
        ("HTTP/1.1\r\nExpect: 100-continued", false),
        ("HTTP/1.1", false),
        // It is ignored, and not passed on.
        ("HTTP/1.0\r\nExpect: 100-continue", false),
    ];
    for (head, expected) in table {
        let head = format!("PUT / {head}\r\nHost: h\r\nContent-Length: 4\r\n\r\n");
        let range = Scan::request().find(head.as_bytes(), 4096).expect("it is well-formed").expect("whole");
        let mut lines = Lines::new();
        let request = Request::parse(&head.as_bytes()[range], &mut lines, 20).expect("it is well-formed");
        assert_eq!(request.facts().expect("it is well-formed").expects, expected, "{head}");
    }
}

#[test]
fn chunks_are_announced_by_us() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n";
    let expected = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{OURS}Transfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(forwarded(head), Ok(expected));
}

/// Every shape that has been used to smuggle a request, and every other thing that is not HTTP/1.1.
#[test]
fn what_two_readers_could_take_differently_is_refused() {
    let table = [
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Malformed::LengthAndCoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            Malformed::LengthAndCoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            Malformed::ContentLengthTwice,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
            Malformed::ContentLengthTwice,
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", Malformed::ContentLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", Malformed::ContentLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", Malformed::ContentLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n", Malformed::ContentLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 2\r\n\r\n", Malformed::ContentLength),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", Malformed::ContentLength),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n",
            Malformed::ContentLength,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            Malformed::TransferEncoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            Malformed::TransferEncoding,
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", Malformed::TransferEncoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", Malformed::TransferEncoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: , chunked\r\n\r\n", Malformed::TransferEncoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", Malformed::TransferEncoding),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", Malformed::TransferEncoding),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            Malformed::TransferEncoding,
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", Malformed::HeaderValue),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Malformed::UnknownCoding),
        ("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::CodingInOldVersion),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", Malformed::SpaceBeforeColon),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n", Malformed::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n folded\r\n\r\n", Malformed::FoldedLine),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n\tfolded\r\n\r\n", Malformed::FoldedLine),
        ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", Malformed::FoldedLine),
        ("GET / HTTP/1.1\nHost: h\r\n\r\n", Malformed::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", Malformed::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", Malformed::BareLineFeed),
        ("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: 1\rB: 2\r\n\r\n", Malformed::BareCarriageReturn),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\r\n\r\n", Malformed::BareCarriageReturn),
        ("GET /\rX HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::BareCarriageReturn),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n", Malformed::HeaderValue),
        ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", Malformed::HeaderName),
        ("GET / HTTP/1.1\r\nHost: h\r\n: empty\r\n\r\n", Malformed::HeaderName),
        ("GET / HTTP/1.1\r\nHost: h\r\nA(B): 1\r\n\r\n", Malformed::HeaderName),
        ("GET / HTTP/1.1\r\n\r\n", Malformed::HostMissing),
        ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", Malformed::HostTwice),
        ("GET / HTTP/1.0\r\nHost: h\r\nHost: i\r\n\r\n", Malformed::HostTwice),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", Malformed::Host),
        ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("GET /\tb HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("GET /\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET /ä HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET / HTTP/1.1\r\nHost: h:x\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: h:1:2\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: []\r\n\r\n", Malformed::Host),
        ("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", Malformed::Host),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent_Length: 1\r\n\r\n", Malformed::Lookalike),
        ("POST / HTTP/1.1\r\nHost: h\r\ntransfer_Encoding: chunked\r\n\r\n", Malformed::Lookalike),
        ("GET http://:80/ HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("GET http://u@h/a HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Target),
        ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::Connect),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", Malformed::Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Malformed::Version),
        ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", Malformed::Version),
        ("GET / HTTP/1.11\r\nHost: h\r\n\r\n", Malformed::RequestLine),
        ("\x16\x03\x01\x02", Malformed::NotHttp),
    ];
    for (bytes, reason) in table {
        assert_eq!(refused(bytes), reason, "{bytes:?}");
    }
}

#[test]
fn limits_on_the_head() {
    let head = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "x".repeat(50));
    let bytes = head.as_bytes();
    assert!(Scan::request().find(bytes, bytes.len()).is_ok_and(|found| found.is_some()));
    assert_eq!(Scan::request().find(bytes, bytes.len() - 1), Err(Malformed::HeadTooLong));
    assert_eq!(Scan::request().find(&bytes[..60], 60), Err(Malformed::HeadTooLong));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: 1\r\n".repeat(20));
    assert_eq!(refused(&many), Malformed::TooManyHeaders);
    assert_eq!(Malformed::TooManyHeaders.status(), 431);
}

#[test]
fn persistence_follows_version_and_connection() {
    let table = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE , x\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: close, keep-alive\r\n", false),
    ];
    for (version, connection, persistent) in table {
        let head = format!("GET / HTTP/{version}\r\nHost: h\r\n{connection}\r\n");
        let mut lines = Lines::new();
        let request = Request::parse(head.as_bytes(), &mut lines, 9).expect("well-formed");
        assert_eq!(request.facts().expect("sound").persistent, persistent, "{head:?}");
    }
}

#[test]
fn a_response_is_delimited_for_its_client() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: x\r\nA: 1\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let close = "HTTP/1.0 200 OK\r\nServer: old\r\n\r\n";
    let table = [
        (length, KEEP_11, Body::Length(3), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: 1\r\n\r\n"),
        (
            length,
            KEEP_10,
            Body::Length(3),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: 1\r\nConnection: keep-alive\r\n\r\n",
        ),
        (chunked, KEEP_11, Body::Chunked, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (chunked, KEEP_10, Body::Chunked, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
        (
            close,
            KEEP_11,
            Body::UntilClose,
            "HTTP/1.1 200 OK\r\nServer: old\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (close, KEEP_10, Body::UntilClose, "HTTP/1.1 200 OK\r\nServer: old\r\nConnection: close\r\n\r\n"),
    ];
    for (head, toward, body, expected) in table {
        assert_eq!(answered(head, false, toward), Ok((body, expected.into())), "{head:?} to {toward:?}");
    }
}

#[test]
fn a_final_response_has_a_date() {
    let to_client = |head: &str| dated(head, false, KEEP_11).expect("well-formed").1;
    let without = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(to_client(without), format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n{NOW}\r\n"));
    assert_eq!(to_client("HTTP/1.1 304 x\r\n\r\n"), format!("HTTP/1.1 304 x\r\n{NOW}\r\n"));
    // A server's own is the better one, whatever it says.
    for own in ["Date: Tue, 29 Feb 2000 00:00:00 GMT", "dAtE: yesterday"] {
        let with = format!("HTTP/1.1 200 OK\r\n{own}\r\nContent-Length: 3\r\n\r\n");
        assert_eq!(to_client(&with), with);
    }
    // Unless it is for us alone.
    let named = "HTTP/1.1 200 OK\r\nConnection: date\r\nDate: x\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(to_client(named), to_client(without));
    assert_eq!(to_client("HTTP/1.1 103 x\r\n\r\n"), "HTTP/1.1 103 x\r\n\r\n", "an interim one may have none");
}

#[test]
fn white_space_before_a_servers_colon_is_taken_out() {
    let head = "HTTP/1.1 200 OK\r\nA: 1\r\nB :2\r\nConnection : X, close\r\nX\t: hop\r\n\
                C \t :  3 \r\nContent-Length\t: 5\r\nD:4\r\nE : \r\n\r\n";
    let expected = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\nContent-Length: 5\r\nD:4\r\nE: \r\n\r\n";
    assert_eq!(answered(head, false, KEEP_11), Ok((Body::Length(5), expected.into())));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n";
    assert_eq!(answered(chunked, false, KEEP_11), Ok((Body::Chunked, chunked.replace(" :", ":"))));
}

#[test]
fn responses_without_a_body() {
    let head = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\n");
    let kept = Ok((Body::Empty, head("304 x")));
    assert_eq!(answered(&head("304 x"), false, KEEP_11), kept);
    assert_eq!(answered(&head("200 OK"), true, KEEP_11), Ok((Body::Empty, head("200 OK"))));
    assert_eq!(answered(&head("204 x"), false, KEEP_11), Ok((Body::Empty, "HTTP/1.1 204 x\r\n\r\n".into())));
    let toward = Toward { persistent: false, ..KEEP_11 };
    assert_eq!(answered(&head("103 x"), false, toward), Ok((Body::Empty, "HTTP/1.1 103 x\r\n\r\n".into())));
}

#[test]
fn servers_are_held_to_the_same_rules() {
    let table = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Malformed::LengthAndCoding,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", Malformed::ContentLengthTwice),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Malformed::TransferEncoding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::CodingInOldVersion),
        ("HTTP/1.1 200 OK\r\nA: 1\r\n b\r\n\r\n", Malformed::FoldedLine),
        ("HTTP/1.1 200 OK\r\nContent-Length : 1\r\nContent-Length: 1\r\n\r\n", Malformed::ContentLengthTwice),
        (
            "HTTP/1.1 200 OK\r\nContent-Length\t: 1\r\nTransfer-Encoding : chunked\r\n\r\n",
            Malformed::LengthAndCoding,
        ),
        ("HTTP/1.1 200 OK\r\nA b: 1\r\n\r\n", Malformed::HeaderName),
        ("HTTP/1.1 200 OK\r\n : 1\r\n\r\n", Malformed::FoldedLine),
        ("HTTP/1.1 200 OK\nA: 1\r\n\r\n", Malformed::BareLineFeed),
        ("HTTP/1.1 200 O\rK\r\n\r\n", Malformed::BareCarriageReturn),
        ("HTTP/1.1 101 x\r\n\r\n", Malformed::Switched),
        ("HTTP/1.1 099 x\r\n\r\n", Malformed::Status),
        ("HTTP/1.1 600 x\r\n\r\n", Malformed::Status),
        ("HTTP/1.1 20 x\r\n\r\n", Malformed::StatusLine),
        ("HTTP/2.0 200 OK\r\n\r\n", Malformed::Version),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Malformed::EmptyLines),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", Malformed::RequestLine),
    ];
    for (bytes, reason) in table {
        let response = answered(bytes, false, KEEP_11);
        assert_eq!(response.map(|(body, _)| body), Err(reason), "{bytes:?}");
    }
}

/// Decodes `body` in pieces cut at `cuts`; data and trailers, whether that is all, and how many bytes were left over.
fn decoded(body: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, bool, usize), Malformed> {
    let mut decoder = Decoder::default();
    let (mut said, mut used) = (Vec::new(), 0);
    for to in cuts.iter().copied().chain([body.len()]) {
        let to = to.clamp(used, body.len());
        let mut piece = &body[used..to];
        while let Some(part) = decoder.next(&mut piece)? {
            let (Part::Data(bytes) | Part::Trailer(bytes)) = part;
            said.extend_from_slice(bytes);
        }
        used = to - piece.len();
    }
    Ok((said, decoder.is_done(), body.len() - used))
}

#[test]
fn chunks_are_decoded() {
    let body = b"5\r\nhello\r\n6;name=\"x\"\r\n world\r\n0\r\nX: y\r\nHost: z\r\n\r\nGET";
    assert_eq!(decoded(body, &[]), Ok((b"hello worldX: y\r\n".to_vec(), true, 3)));
    assert_eq!(decoded(b"00A\r\n0123456789\r\n000\r\n\r\n", &[]), Ok((b"0123456789".to_vec(), true, 0)));
    assert_eq!(decoded(b"5\r\nhel", &[]), Ok((b"hel".to_vec(), false, 0)));
}

#[test]
fn malformed_chunks_are_refused() {
    let table: [(&[u8], Malformed); 24] = [
        (b"\r\n", Malformed::ChunkSize),
        (b";x\r\n", Malformed::ChunkSize),
        (b"x\r\n", Malformed::ChunkSize),
        (b"-1\r\n", Malformed::ChunkSize),
        (b"+1\r\n", Malformed::ChunkSize),
        (b"0x1\r\n", Malformed::ChunkSize),
        (b" 1\r\n", Malformed::ChunkSize),
        (b"1 \r\n", Malformed::ChunkSize),
        (b"1_0\r\n", Malformed::ChunkSize),
        (b"1\nx\r\n", Malformed::ChunkSize),
        (b"1\rx", Malformed::ChunkSize),
        (b"1000000000000000\r\n", Malformed::ChunkSize),
        (b"1;a\nb\r\n", Malformed::ChunkExtension),
        (b"1;a\rb\r\n", Malformed::ChunkSize),
        (b"1\r\nxx\r\n", Malformed::ChunkEnd),
        (b"1\r\nx\n0\r\n", Malformed::ChunkEnd),
        (b"0\r\n folded\r\n\r\n", Malformed::Trailer),
        (b"0\r\nA: 1\nB: 2\r\n\r\n", Malformed::Trailer),
        (b"0\r\n\n", Malformed::Trailer),
        (b"0\r\nno colon\r\n\r\n", Malformed::Trailer),
        (b"0\r\n: empty\r\n\r\n", Malformed::Trailer),
        (b"0\r\nA : 1\r\n\r\n", Malformed::Trailer),
        (b"0\r\nA: 1\r2\r\n\r\n", Malformed::Trailer),
        (b"0\r\nA: \0\r\n\r\n", Malformed::Trailer),
    ];
    for (body, reason) in table {
        assert_eq!(decoded(body, &[]), Err(reason), "{:?}", String::from_utf8_lossy(body));
    }
    let long = [b"1;".as_slice(), &[b'x'; 257], b"\r\n"].concat();
    assert_eq!(decoded(&long, &[]), Err(Malformed::ChunkExtension));
    let long = [b"0\r\n".as_slice(), &b"A: 1\r\n".repeat(2049), b"\r\n"].concat();
    assert_eq!(decoded(&long, &[]), Err(Malformed::Trailer));
}

#[test]
fn trailers_that_would_steer_the_message_end_here() {
    for name in
        ["Content-Length", "transfer-encoding", "Host", "Authorization", "Trailer", "X-Forwarded-For", "te"]
    {
        let body = format!("0\r\n{name}: 1\r\nGrpc-Status: 0\r\n\r\n");
        assert_eq!(decoded(body.as_bytes(), &[]), Ok((b"Grpc-Status: 0\r\n".to_vec(), true, 0)), "{name}");
    }
}

#[test]
fn an_upgrade_is_passed_on_when_it_is_asked_for_properly() {
    let asked =
        |fields: &str| forwarded(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")).expect("well-formed");
    let websocket = asked("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(
        websocket,
        format!("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n{OURS}Connection: upgrade\r\n\r\n")
    );
    for not in [
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
    ] {
        assert!(!asked(not).to_ascii_lowercase().contains("upgrade"), "{not}");
    }
    assert_eq!(asked("Connection: TE\r\nTE: gzip, Trailers\r\n").matches("TE: trailers").count(), 1);
    assert!(!asked("TE: trailers\r\n").contains("TE"));
}

#[test]
fn only_who_asked_may_be_switched() {
    let answer = |bytes: &str, upgrade| {
        let mut lines = Lines::new();
        let response = Response::parse(bytes.as_bytes(), &mut lines, 9)?;
        let facts = response.facts(Answering { is_head: false, upgrade, ..Answering::default() })?;
        let mut out = Vec::new();
        rewrite_response(&response, &facts, KEEP_11, &Date::at(784_111_777), &mut out);
        Ok(String::from_utf8(out).expect("the input was text").replace(NOW, ""))
    };
    let switched = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(answer(switched, true), Ok(switched.to_owned()));
    assert_eq!(answer(switched, false), Err(Malformed::Switched));
    assert_eq!(answer("HTTP/1.1 101 x\r\n\r\n", true), Err(Malformed::Switched));
    let plain = "HTTP/1.1 200 OK\r\nUpgrade: h2\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(answer(plain, true), Ok("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n".to_owned()));
}

#[test]
fn an_empty_piece_never_becomes_the_last_chunk() {
    let mut out = Vec::new();
    frame(b"", &mut out);
    assert!(out.is_empty());
}

/// Scans `bytes` as they arrive in pieces cut at `cuts`.
fn scanned(bytes: &[u8], cuts: &[usize]) -> Result<Option<std::ops::Range<usize>>, Malformed> {
    let mut scan = Scan::request();
    for to in cuts {
        let found = scan.find(&bytes[..(*to).min(bytes.len())], 64)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    scan.find(bytes, 64)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..100_usize, 0..12).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

/// Text that is dense in what heads and chunks are made of.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        " ",
        ":",
        "GET / HTTP/1.1",
        "HTTP/1.1 200 OK",
        "Host: h",
        "A: 1",
        "0",
        "5",
        "hello",
        ";",
        "f",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "\t",
        "\0",
    ]);
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    // A failure is kept beside this file.
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_split_of_a_head_scans_the_same(bytes in soup(), cuts in cuts()) {
        prop_assert_eq!(scanned(&bytes, &cuts), scanned(&bytes, &[]));
    }

    #[test]
    fn any_split_of_a_body_decodes_the_same(bytes in soup(), cuts in cuts()) {
        match (decoded(&bytes, &cuts), decoded(&bytes, &[])) {
            (Ok(split), Ok(whole)) => prop_assert_eq!(split, whole),
            (split, whole) => prop_assert_eq!(split.err(), whole.err()),
        }
    }

    #[test]
    fn framed_data_decodes_to_itself(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8), cuts in cuts()) {
        let mut body = Vec::new();
        pieces.iter().for_each(|piece| frame(piece, &mut body));
        body.extend_from_slice(&[LAST_CHUNK, END].concat());
        prop_assert_eq!(decoded(&body, &cuts), Ok((pieces.concat(), true, 0)));
    }

    /// Whatever is accepted is passed on as one head that is accepted again with the same framing: the server behind
    /// us cannot see another message than we did.
    #[test]
    fn what_is_passed_on_means_the_same(bytes in soup()) {
        let Ok(Some(range)) = Scan::request().find(&bytes, 4096) else { return Ok(()) };
        let mut lines = Lines::new();
        let Ok(request) = Request::parse(&bytes[range], &mut lines, 20) else { return Ok(()) };
        let Ok(facts) = request.facts() else { return Ok(()) };
        let mut out = Vec::new();
        rewrite_request(&request, &facts, Origin { client: "::1", host: "h", secure: false }, &mut out);
        prop_assert_eq!(Scan::request().find(&out, 4096), Ok(Some(0..out.len())));
        let mut lines = Lines::new();
        let again = Request::parse(&out, &mut lines, 40).expect("well-formed again");
        let again = again.facts().expect("sound again");
        prop_assert_eq!((again.body, again.is_head), (facts.body, facts.is_head));
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Scan::request().find(&bytes, 100);
        let (mut lines, mut more) = (Lines::new(), Lines::new());
        let _ = Request::parse(&bytes, &mut lines, 20).map(|request| request.facts());
        let _ = Response::parse(&bytes, &mut more, 20).map(|response| response.facts(Answering::default()));
    }
}
