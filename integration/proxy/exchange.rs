//! What passes between a client and a server, and how it is framed on either side.

use std::io::Write as _;
use std::thread;

use crate::rig::*;

#[test]
fn a_request_reaches_a_server_and_its_answer_comes_back() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(
        "GET /x HTTP/1.1\r\nHost: h\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n",
    );
    let (head, body) = client.message();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("Connection"), "{head}");
    assert!(body.starts_with("a\nGET /x HTTP/1.1\r\n"), "{body}");
    assert_eq!(field(&body, "x-forwarded-for"), Some("9.9.9.9, 127.0.0.1"));
    assert_eq!(field(&body, "x-forwarded-proto"), Some("http"));
    assert_eq!(field(&body, "x-forwarded-host"), Some("h"));
    assert_eq!((field(&body, "x-hop"), field(&body, "connection")), (None, None));
}

#[test]
fn both_sides_keep_their_connections() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..50 {
        client.say(GET);
        assert!(client.message().1.starts_with("a\n"));
    }
    assert_eq!(app.connections(), 1);
    assert_eq!((rig.server(0).requests, rig.frontend().requests), (50, 50));
    assert_eq!((rig.server(0).errors, rig.frontend().errors), (0, 0));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    let request = |at| format!("POST /{at} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{at:02}");
    client.say(&(10..40).map(request).collect::<String>());
    for at in 10..40 {
        let (_, body) = client.message();
        assert!(
            body.starts_with(&format!("a\nPOST /{at} ")) && body.ends_with(&format!("\r\n\r\n{at}")),
            "{body}"
        );
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..2 {
        for byte in b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nok\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n" {
            client.send(&[*byte]);
        }
        let (_, body) = client.message();
        assert!(body.ends_with("\r\n\r\nok!"), "{body}");
        assert_eq!(field(&body, "transfer-encoding"), Some("chunked"));
    }
}

#[test]
fn white_space_before_a_servers_colon_is_not_passed_on() {
    let rig = rig(&[parrot("HTTP/1.1 200 OK\r\nServer : old\r\nContent-Length\t: 2\r\n\r\nok").address]);
    let mut client = rig.client();
    for _ in 0..2 {
        client.say(GET);
        let (head, body) = client.message();
        assert!(head.contains("\r\nServer: old\r\nContent-Length: 2\r\n") && body == "ok", "{head}{body}");
    }
}

#[test]
fn close_is_honoured() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let answer = rig.ask(LAST);
    assert_eq!(field(&answer, "connection"), Some("close"));
    assert!(!answer.contains("GET / HTTP/1.1\r\nHost: h\r\nConnection"), "{answer}");
    // The server's connection lives on.
    rig.ask(LAST);
    assert!(app.connections() <= 2, "one for each core");
}

#[test]
fn a_client_that_has_said_everything_may_close_its_side() {
    let rig = rig(&[site("a").address]);
    let mut client = rig.client();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    client.stream().shutdown(std::net::Shutdown::Write).expect("it is open");
    assert!(client.message().1.ends_with("\r\n\r\nbody"));
    assert_eq!(client.rest(), "");
}

#[test]
fn old_clients_close_unless_they_ask_to_keep() {
    let rig = rig(&[site("a").address]);
    assert_eq!(field(&rig.ask("GET / HTTP/1.0\r\n\r\n"), "connection"), Some("close"));
    let mut client = rig.client();
    for _ in 0..2 {
        client.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let (head, body) = client.message();
        assert_eq!(field(&head, "connection"), Some("keep-alive"));
        assert_eq!(field(&body, "host"), Some(rig.address.to_string().as_str()));
    }
}

#[test]
fn chunks_are_passed_on_and_taken_off_for_old_clients() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
    let app = parrot(answer);
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..3 {
        client.say(GET);
        assert_eq!(client.message().1, "abcde");
    }
    assert_eq!(app.connections(), 1);
    let old = rig.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(old.ends_with("\r\n\r\nabcde") && field(&old, "transfer-encoding").is_none(), "{old}");
    assert_eq!(field(&old, "connection"), Some("close"));
}

#[test]
fn what_lasts_until_close_becomes_chunks() {
    let app = once("HTTP/1.0 200 OK\r\n\r\nall of it");
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..2 {
        client.say(GET);
        assert_eq!(client.message().1, "all of it");
    }
    assert!(rig.ask("GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nall of it"));
    assert_eq!(app.connections(), 3);
}

#[test]
fn some_responses_have_no_body() {
    let length = "Content-Length: 5\r\n\r\n";
    for (method, status, announced) in
        [("HEAD", "200 OK", true), ("GET", "304 x", true), ("GET", "204 x", false)]
    {
        let rig = rig(&[parrot(format!("HTTP/1.1 {status}\r\n{length}")).address]);
        let mut client = rig.client();
        for _ in 0..2 {
            client.say(&format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n"));
            let head = client.head().expect("a response");
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")));
            assert_eq!(field(&head, "content-length").is_some(), announced);
        }
    }
}

#[test]
fn continue_is_asked_of_the_server_and_passed_on() {
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            assert_eq!(field(&head, "expect"), Some("100-continue"));
            wire.say("HTTP/1.1 100 Continue\r\n\r\n");
            let body = wire.body(&head);
            wire.say(&ok(&body));
        }
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..2 {
        client.say("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        assert_eq!(client.head().as_deref(), Some("HTTP/1.1 100 Continue\r\n\r\n"));
        client.say("body");
        assert_eq!(client.message().1, "body");
    }
    assert_eq!(app.connections(), 1);
}

#[test]
fn an_expectation_that_is_refused_ends_the_connection() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
        wire.rest();
    });
    let rig = rig(&[app.address]);
    let answer = rig.ask("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 401 No\r\n"), "{answer}");
    assert_eq!(field(&answer, "connection"), Some("close"));
}

#[test]
fn interim_responses_without_end_are_cut_off() {
    let app = origin(|mut wire, _| {
        wire.head();
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(100);
        // Until the proxy has had enough.
        while wire.stream().write_all(hints.as_bytes()).is_ok() {}
    });
    let rig = rig(&[app.address]);
    let answer = rig.ask(LAST);
    let (hints, last) = answer.rsplit_once("HTTP/1.1 502 ").expect("the last one is ours");
    assert!(last.ends_with("malformed response from app1: the head is too long\n"), "{last}");
    assert!(hints.len() <= limits().head, "{} bytes", hints.len());
    assert_eq!((rig.server(0).errors, rig.frontend().errors), (1, 1));
}

#[test]
fn interim_responses_are_not_for_old_clients() {
    let rig = rig(&[parrot(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .address]);
    assert!(rig.ask(LAST).starts_with("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert!(rig.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_server_may_answer_while_the_client_still_sends() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say("HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno");
        wire.rest();
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    let mut upload = client.stream().try_clone().expect("a second handle");
    let sender = thread::spawn(move || {
        use std::io::Write;
        while upload.write_all(&[0; 65536]).is_ok() {}
    });
    let (head, body) = client.message();
    assert!(head.starts_with("HTTP/1.1 413 Too much\r\n") && body == "no", "{head}");
    assert_eq!(field(&head, "connection"), Some("close"));
    drop(client);
    sender.join().expect("the upload ends when the connection does");
}

#[test]
fn both_directions_stream_at_the_same_time() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n");
        for _ in 0..100 {
            let piece = wire.bytes(3);
            wire.send(&piece);
        }
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300\r\n\r\n");
    assert!(client.head().is_some());
    for at in 0..100 {
        let piece = format!("{at:03}");
        client.say(&piece);
        assert_eq!(client.bytes(3), piece.as_bytes());
    }
}

#[test]
fn trailers_are_passed_both_ways() {
    let app = origin(|mut wire, _| {
        let head = wire.head().expect("a request");
        assert_eq!((field(&head, "te"), field(&head, "connection")), (Some("trailers"), Some("TE")));
        assert_eq!(wire.bytes(24), b"2\r\nok\r\n0\r\nX: y\r\nZ: 1\r\n\r\n");
        wire.say("HTTP/1.1 200 OK\r\nTrailer: Grpc-Status\r\nTransfer-Encoding: chunked\r\n\r\n");
        wire.say("2\r\nno\r\n0\r\nGrpc-St");
        wire.say("atus: 0\r\nContent-Length: 5\r\n\r\n");
        wire.rest();
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(
        "POST / HTTP/1.1\r\nHost: h\r\nConnection: TE\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.say("2\r\nok\r\n0\r\nX: ");
    client.say("y\r\nHost: other\r\nZ: 1\r\n\r\n");
    let head = client.head().expect("a response");
    assert_eq!(field(&head, "trailer"), Some("Grpc-Status"));
    assert_eq!(client.bytes(28), b"2\r\nno\r\n0\r\nGrpc-Status: 0\r\n\r\n");
}

#[test]
fn trailers_end_here_when_connection_names_fields() {
    let rig = rig(&[parrot(
        "HTTP/1.1 200 OK\r\nConnection: X-A\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: 1\r\n\r\n",
    )
    .address]);
    let answer = rig.ask(LAST);
    assert!(answer.ends_with("\r\n\r\n1\r\na\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn a_body_is_taken_no_faster_than_the_other_side_reads() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let app = origin(move |mut wire, _| {
        wire.head();
        // Nothing is read before the test has seen the client stand still.
        told.lock().expect("one connection").recv().expect("the test goes on");
        wire.bytes(LARGE);
        wire.say(&ok("all"));
    });
    const LARGE: usize = 64 << 20;
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LARGE}\r\n\r\n"));
    let mut upload = client.stream().try_clone().expect("a second handle");
    upload.set_write_timeout(Some(std::time::Duration::from_millis(500))).expect("it is a socket");
    let mut sent = 0;
    let stood = loop {
        use std::io::Write;
        match upload.write(&[0; 65536]) {
            Ok(count) => sent += count,
            Err(_) => break sent,
        }
    };
    assert!(stood < LARGE, "only what the kernel holds for two connections is under way, not {stood} bytes");
    tell.send(()).expect("the server waits");
    upload.set_write_timeout(None).expect("it is a socket");
    use std::io::Write;
    upload.write_all(&vec![0; LARGE - stood]).expect("the server reads on");
    assert_eq!(client.message().1, "all");
}

#[test]
fn connect_is_refused_without_asking_a_server() {
    let app = site("a");
    let rig = rig(&[app.address]);
    let answer = rig.ask("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("CONNECT is not served"), "{answer}");
    assert_eq!(app.connections(), 0);
}
