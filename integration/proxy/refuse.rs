//! What is refused: requests that two readers could take differently, and responses that are not HTTP.

use crate::rig::*;

#[test]
fn smuggling_shapes_are_refused_and_never_reach_a_server() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let table = [
        (
            "400",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n",
        ),
        ("400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
        ("400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nx"),
        ("400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx"),
        ("400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        ),
        ("400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ("400", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("501", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n B: 2\r\n\r\n"),
        ("400", "GET / HTTP/1.1\nHost: h\n\n"),
        ("400", "GET / HTTP/1.1\r\nHost: h\r\nA: 1\rB: 2\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        ("400", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("400", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03"),
        ("501", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
        ("505", "PRI * HTTP/2.0\r\nHost: h\r\n\r\n"),
    ];
    for (status, request) in table {
        // What follows is never taken for a request.
        let answer = rig.ask(&format!("{request}{GET}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        assert_eq!(field(&answer, "connection"), Some("close"), "{request:?}");
        assert_eq!(answer.matches("Content-Length: ").count(), 1, "{request:?}: {answer}");
    }
    assert_eq!(app.connections(), 0);
    let count = rig.frontend();
    assert_eq!((count.requests, count.errors), (table.len() as u64, table.len() as u64));
    assert_eq!(rig.server(0).errors, 0, "clients' mistakes are not a server's");
}

#[test]
fn malformed_chunks_are_refused_and_the_server_sees_no_end() {
    for chunk in ["x\r\n", "1 \r\nx\r\n", "2\r\nx\r\n0\r\n\r\n", "1\nx", "ffffffffffffffffff\r\n", "-1\r\n"] {
        let (tell, told) = std::sync::mpsc::channel();
        let app = origin(move |mut wire, _| {
            wire.head();
            tell.send(wire.rest()).expect("the test waits");
        });
        let rig = rig(&[app.address]);
        let mut client = rig.client();
        client.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        client.say(chunk);
        let answer = client.rest();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("chunk"), "{chunk:?}: {answer}");
        let seen = told.recv().expect("the server's connection is closed");
        assert!(!seen.contains("0\r\n\r\n"), "{chunk:?}: {seen:?}");
    }
}

#[test]
fn malformed_responses_become_502_and_name_the_server() {
    let table = [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
        "HTTP/1.1 200 OK\r\nA: 1\r\n B: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b: 1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\x15\x03\x01\x00\x02\x02\x0a",
    ];
    for response in table {
        let app = parrot(response);
        let rig = rig(&[app.address]);
        let mut client = rig.client();
        for at in 1..=2 {
            client.say(GET);
            let (head, body) = client.message();
            assert!(head.starts_with("HTTP/1.1 502 ") && body.contains("app1"), "{response:?}: {head}{body}");
            assert_eq!(app.connections(), at, "the server's connection is not used again");
        }
        assert_eq!((rig.server(0).errors, rig.frontend().errors), (2, 2));
    }
}

#[test]
fn a_response_that_breaks_off_is_not_passed_for_whole() {
    for (response, whole) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "halfhalf"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "0\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx", "0\r\n\r\n"),
    ] {
        let rig = rig(&[once(response).address]);
        let mut client = rig.client();
        client.say(GET);
        let rest = client.rest();
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") || rest.is_empty(), "{rest}");
        assert!(!rest.ends_with(whole), "{rest}");
        assert_eq!(rig.server(0).errors, 1);
    }
}

#[test]
fn an_old_client_learns_of_a_broken_response_by_a_reset() {
    let rig = rig(&[once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").address]);
    let mut client = rig.client();
    client.say("GET / HTTP/1.0\r\n\r\n");
    let end = std::io::Read::read_to_end(&mut client.stream(), &mut Vec::new());
    assert_eq!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn bytes_behind_a_response_are_not_the_next_one() {
    let app = parrot(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..3 {
        client.say(GET);
        assert_eq!(client.message().1, "ok");
    }
    assert_eq!(app.connections(), 3);
}
