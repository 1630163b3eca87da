//! HTTP/2 as a client that keeps to the rules sees it, by the client's half of the `h2` crate.

use std::future::poll_fn;
use std::net::Shutdown;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::net::TcpStream;
use vipd::config::Limits;

use crate::rig::*;

/// A client's connection; its frames move on a thread of their own for as long as it lives.
pub(crate) struct Client {
    runtime: tokio::runtime::Handle,
    _alive: tokio::sync::oneshot::Sender<()>,
    send: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) fn connect(rig: &Rig) -> Self {
        Self::with(rig, &h2::client::Builder::new())
    }

    pub(crate) fn with(rig: &Rig, builder: &h2::client::Builder) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (alive, dead) = tokio::sync::oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(dead));
        let runtime = handle;
        let (send, connection) = runtime
            .block_on(async {
                let tcp = TcpStream::connect(rig.address).await.expect("someone listens");
                // As every client of HTTP/2 has it.
                tcp.set_nodelay(true).expect("a socket");
                builder.handshake(tcp).await
            })
            .expect("a handshake");
        let connection = runtime.spawn(connection);
        Self { runtime, _alive: alive, send, connection }
    }

    pub(crate) fn ask(&mut self, request: Request<()>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let Self { runtime, send, .. } = self;
        runtime.block_on(poll_fn(|cx| send.poll_ready(cx))).expect("there is room for a request");
        send.send_request(request, ends).expect("a well-formed request")
    }

    /// Sends as much of what is `left` of a body as there is room for, and ends it with the last byte. Whether there was
    /// room within `patience`.
    fn uploads(&self, body: &mut SendStream<Bytes>, left: &mut usize, patience: Duration) -> bool {
        self.runtime.block_on(async {
            body.reserve_capacity(*left);
            let room = poll_fn(|cx| body.poll_capacity(cx));
            let Ok(room) = tokio::time::timeout(patience, room).await else { return false };
            let count = room.expect("open").expect("open").min(*left);
            *left -= count;
            body.send_data(vec![b'u'; count].into(), *left == 0).expect("open");
            true
        })
    }

    fn uploads_all(&self, body: &mut SendStream<Bytes>, mut left: usize) {
        while left > 0 {
            assert!(self.uploads(body, &mut left, Duration::from_secs(20)), "{left} bytes are left");
        }
    }

    pub(crate) fn head(&self, response: ResponseFuture) -> Result<Response<RecvStream>, h2::Error> {
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), response).await.expect("a response in time")
        })
    }

    /// The rest of a response.
    fn body(&self, body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
        let rest = async {
            tokio::time::timeout(Duration::from_secs(20), rest(body)).await.expect("a body in time")
        };
        self.runtime.block_on(rest)
    }

    pub(crate) fn whole(&self, response: ResponseFuture) -> (Response<()>, String) {
        let (head, body) = self.head(response).expect("a response").into_parts();
        let (text, _) = self.body(body).expect("a body");
        (Response::from_parts(head, ()), String::from_utf8(text).expect("text"))
    }

    pub(crate) fn get(&mut self, path: &str) -> (Response<()>, String) {
        let (response, _) = self.ask(get(path), true);
        self.whole(response)
    }
}

async fn rest(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        text.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((text, body.trailers().await?))
}

pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a.com{path}")).body(()).expect("a request")
}

fn post(path: &str) -> Request<()> {
    Request::post(format!("http://a.com{path}")).body(()).expect("a request")
}

#[test]
fn a_request_is_rewritten_as_one_of_http_1() {
    let app = site("app1");
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let request = Request::get("http://a.com:8080/x?y=1")
        .header("cookie", "a=1")
        .header("x-forwarded-for", "192.0.2.9")
        .header("cookie", "b=2")
        .header("accept", "*/*")
        .body(())
        .expect("a request");
    let (response, _) = client.ask(request, true);
    let (head, text) = client.whole(response);
    assert_eq!((head.status().as_u16(), head.version()), (200, http::Version::HTTP_2));
    assert!(head.headers().get("connection").is_none());
    let seen = text.strip_prefix("app1\n").expect("the server's words");
    assert!(seen.starts_with("GET /x?y=1 HTTP/1.1\r\n"), "{seen}");
    for (name, value) in [
        ("host", "a.com:8080"),
        ("cookie", "a=1; b=2"),
        ("x-forwarded-for", "192.0.2.9, 127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "a.com:8080"),
        ("accept", "*/*"),
    ] {
        assert_eq!(field(seen, name), Some(value), "{name} in {seen}");
    }
    assert_eq!((field(seen, "transfer-encoding"), field(seen, "content-length")), (None, None));
}

#[test]
fn many_requests_at_a_time_share_servers_and_counters() {
    let apps = [site("app1"), site("app2")];
    let rig = rig_with(&[apps[0].address, apps[1].address], limits(), 1);
    let mut client = Client::connect(&rig);
    let asked: Vec<_> = (0..100).map(|at| client.ask(get(&format!("/{at}")), true).0).collect();
    let texts: Vec<_> = asked.into_iter().map(|response| client.whole(response).1).collect();
    for (at, text) in texts.iter().enumerate() {
        assert!(text.contains(&format!("GET /{at} HTTP/1.1")), "{text}");
    }
    assert_eq!((rig.server(0).requests, rig.server(1).requests, rig.frontend().requests), (50, 50, 100));
    assert_eq!(rig.proxy.stats().connections, 1);
}

#[test]
fn bodies_go_up_with_a_length_or_in_chunks() {
    let app = site("app1");
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let request = Request::put("http://a.com/").header("content-length", "5").body(()).expect("a request");
    let (response, mut body) = client.ask(request, false);
    body.send_data("hello".into(), true).expect("open");
    let (_, text) = client.whole(response);
    assert!(field(&text, "content-length") == Some("5") && text.ends_with("\r\n\r\nhello"), "{text}");
    let (response, mut body) = client.ask(post("/"), false);
    body.send_data("hel".into(), false).expect("open");
    body.send_data("lo".into(), true).expect("open");
    let (_, text) = client.whole(response);
    assert!(field(&text, "transfer-encoding") == Some("chunked") && text.ends_with("hello"), "{text}");
    let (response, mut body) = client.ask(post("/"), false);
    body.send_data(Bytes::new(), true).expect("open");
    assert!(client.whole(response).1.ends_with("\r\n\r\n"), "an empty one");
}

#[test]
fn trailers_go_both_ways() {
    let app = origin(|mut wire, _| {
        let head = wire.head().expect("a request");
        assert_eq!(field(&head, "te"), Some("trailers"));
        let body = b"3\r\nabc\r\n0\r\nx-checksum: 1\r\n\r\n";
        assert_eq!(wire.bytes(body.len()), body);
        wire.say(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n",
        );
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let request = Request::post("http://a.com/").header("te", "trailers").body(()).expect("a request");
    let (response, mut body) = client.ask(request, false);
    body.send_data("abc".into(), false).expect("open");
    let trailers =
        HeaderMap::from_iter([("x-checksum".parse().expect("a name"), "1".parse().expect("a value"))]);
    body.send_trailers(trailers).expect("open");
    let response = client.head(response).expect("a response").into_body();
    let (text, trailers) = client.body(response).expect("a body");
    assert_eq!(
        (text, &trailers.expect("trailers")["grpc-status"]),
        (b"hi".to_vec(), &"0".parse().expect("0"))
    );
}

#[test]
fn head_has_a_length_and_no_body() {
    let app = parrot("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let request = Request::builder().method(Method::HEAD).uri("http://a.com/").body(()).expect("a request");
    let (response, _) = client.ask(request, true);
    let (head, text) = client.whole(response);
    assert_eq!((&head.headers()["content-length"], text.as_str()), (&"1000".parse().expect("digits"), ""));
}

#[test]
fn interim_responses_are_passed_on() {
    let app = parrot(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let (mut response, _) = client.ask(get("/"), true);
    let hints = client.runtime.block_on(poll_fn(|cx| response.poll_informational(cx)));
    let hints = hints.expect("one before the final one").expect("a response");
    assert_eq!(
        (hints.status().as_u16(), &hints.headers()["link"]),
        (103, &"</a.css>".parse().expect("a value"))
    );
    assert_eq!(client.whole(response).1, "ok");
}

#[test]
fn who_answers_early_need_not_be_told_the_rest() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        wire.rest();
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let (response, mut body) = client.ask(post("/"), false);
    body.send_data("begun".into(), false).expect("open");
    assert_eq!(client.whole(response).1, "no");
    let reset = client.runtime.block_on(poll_fn(|cx| body.poll_reset(cx)));
    assert_eq!(reset.expect("the connection lives"), Reason::NO_ERROR);
    assert_eq!(rig.frontend().errors, 0);
}

#[test]
fn what_the_client_takes_back_is_taken_back_from_the_server() {
    let (told, news) = mpsc::channel();
    let app = origin(move |mut wire, _| {
        wire.head();
        told.send("asked").expect("the test waits");
        assert_eq!(wire.rest(), "");
        told.send("closed").expect("the test waits");
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let (_response, mut body) = client.ask(get("/"), true);
    assert_eq!(news.recv(), Ok("asked"));
    body.send_reset(Reason::CANCEL);
    assert_eq!(news.recv_timeout(Duration::from_secs(20)), Ok("closed"));
}

#[test]
fn a_server_that_dies_is_a_502_or_a_reset() {
    let app = origin(|mut wire, _| {
        let head = wire.head().expect("a request");
        if head.starts_with("GET /middle") {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        }
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let (head, text) = client.get("/");
    assert_eq!(head.status().as_u16(), 502);
    assert!(text.contains("closed the connection without a response"), "{text}");
    let (response, _) = client.ask(get("/middle"), true);
    let body = client.head(response).expect("it has begun").into_body();
    let broken = client.body(body).expect_err("it is not whole");
    assert_eq!(broken.reason(), Some(Reason::CANCEL));
    assert_eq!(client.get("/").0.status().as_u16(), 502, "the connection lives on");
}

#[test]
fn a_retry_goes_to_the_next_server() {
    let (nobody, app) = (nobody(), site("app2"));
    let rig = rig(&[nobody.address, app.address]);
    let mut client = Client::connect(&rig);
    for _ in 0..4 {
        assert!(client.get("/").1.starts_with("app2\n"));
    }
}

#[test]
fn nothing_is_read_from_a_server_that_the_client_has_no_room_for() {
    const BODY: usize = 64 << 20;
    let (told, news) = mpsc::channel();
    let app = origin(move |mut wire, _| {
        wire.head();
        wire.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n"));
        let stream = wire.stream();
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket");
        let piece = [b'x'; 65536];
        let mut sent = 0;
        while let Ok(count @ 1..) = std::io::Write::write(&mut &*stream, &piece) {
            sent += count;
        }
        told.send(sent).expect("the test waits");
        let _ = stream.shutdown(Shutdown::Both);
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let (response, _) = client.ask(get("/"), true);
    let _body = client.head(response).expect("it has begun");
    let sent = news.recv_timeout(Duration::from_secs(30)).expect("it stops");
    assert!(sent < BODY / 4, "{sent} bytes: more than kernels hold");
}

#[test]
fn nothing_is_taken_from_a_client_that_the_server_has_no_room_for() {
    const BODY: usize = 64 << 20;
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let app = origin(move |mut wire, _| {
        let head = wire.head().expect("a request");
        if head.starts_with("GET ") {
            return wire.say(&ok("others are served"));
        }
        released.lock().expect("no panic").recv().expect("the test goes on");
        wire.bytes(BODY);
        wire.say(&ok("all of it"));
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    let request = Request::post("http://a.com/").header("content-length", BODY).body(()).expect("a request");
    let (response, mut body) = client.ask(request, false);
    let mut left = BODY;
    while client.uploads(&mut body, &mut left, Duration::from_millis(500)) {}
    let taken = BODY - left;
    assert!(taken < BODY / 4, "{taken} bytes: more than kernels hold");
    assert!(client.get("/").1.contains("others are served"), "on the same connection");

    release.send(()).expect("the server waits");
    client.uploads_all(&mut body, left);
    assert_eq!(client.whole(response).1, "all of it");
}

#[test]
fn large_bodies_arrive_whole_both_ways() {
    const BODY: usize = 3 << 20;
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let body = wire.body(&head);
            assert!(body.len() == BODY && body.bytes().all(|byte| byte == b'u'), "{}", body.len());
            let answer = "d".repeat(BODY);
            wire.say(&if head.starts_with("POST /chunks") {
                let half = &answer[..BODY / 2];
                let size = half.len();
                format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{half}\r\n{size:x}\r\n{half}\r\n0\r\n\r\n"
                )
            } else {
                ok(&answer)
            });
        }
    });
    let rig = rig(&[app.address]);
    let mut client = Client::connect(&rig);
    for path in ["/length", "/chunks"] {
        let (response, mut body) = client.ask(post(path), false);
        client.uploads_all(&mut body, BODY);
        let (_, text) = client.whole(response);
        assert!(text.len() == BODY && text.bytes().all(|byte| byte == b'd'), "{path}: {}", text.len());
    }
}

#[test]
fn who_is_idle_is_told_to_go() {
    let app = site("app1");
    let limits = Limits { idle_timeout: SOON, ..limits() };
    let rig = rig_with(&[app.address], limits, 1);
    let mut client = Client::connect(&rig);
    assert_eq!(client.get("/").0.status().as_u16(), 200);
    let Client { runtime, connection, .. } = &mut client;
    let ended = runtime.block_on(connection).expect("no panic");
    assert!(ended.is_ok(), "GOAWAY without an error: {ended:?}");
    rig.settles_at(0);
}

#[test]
fn draining_lets_what_runs_finish_and_takes_no_more() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (told, news) = mpsc::channel();
    let app = origin(move |mut wire, _| {
        wire.head();
        told.send(()).expect("the test waits");
        wait.lock().expect("one at a time").recv().expect("the test says when");
        wire.say(&ok("late"));
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = Client::connect(&rig);
    let (response, _) = client.ask(get("/"), true);
    news.recv().expect("it runs");
    rig.proxy.drain();
    // GOAWAY is here when the client's half gives out no more streams.
    let Client { runtime, send, .. } = &mut client;
    let refused = async {
        while poll_fn(|cx| send.poll_ready(cx)).await.is_ok() {
            let Ok((response, _)) = send.send_request(get("/more"), true) else { break };
            drop(response);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), refused).await.expect("GOAWAY") });
    (0..1000).for_each(|_| go.send(()).expect("the server waits"));
    assert_eq!(client.whole(response).1, "late");
    drop(client);
    assert_eq!(rig.proxy.join(Duration::from_secs(10)), 0);
}

#[test]
fn a_body_that_is_too_large_and_one_that_does_not_come_are_answered() {
    let app = site("app1");
    let limits = Limits { body: Some(10), idle_timeout: SOON, ..limits() };
    let rig = rig_with(&[app.address], limits, 1);
    let mut client = Client::connect(&rig);
    let (response, mut body) = client.ask(post("/"), false);
    body.send_data("0123456789a".into(), true).expect("open");
    assert_eq!(client.whole(response).0.status().as_u16(), 413);
    let (response, _body) = client.ask(post("/"), false);
    assert_eq!(client.whole(response).0.status().as_u16(), 408);
    assert_eq!(rig.frontend().errors, 2);
}
