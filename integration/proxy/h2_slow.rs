//! Clients of HTTP/2 that read slowly, or not at all.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

use crate::frames::*;
use crate::h2_client::{Client, get};
use crate::life::{alone, peak};
use crate::rig::*;

/// While nobody reads, the proxy's kernel takes a part of [`STREAMS`] such bodies, and the proxy all the rest.
const BODY: usize = 90 * 1024;
const STREAMS: u32 = 8;

/// A client with little room; with `segment`, the kernel of the proxy takes little at a time as well.
fn narrow(rig: &Rig, segment: Option<u32>) -> Rude {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
    socket.set_recv_buffer_size(8192).expect("a socket");
    if let Some(segment) = segment {
        socket.set_tcp_mss(segment).expect("a socket");
    }
    socket.connect(&rig.address.into()).expect("someone listens");
    let mut client = Rude::over(socket.into());
    client.open_windows();
    client
}

/// Asks for all, and waits until the proxy has an answer to each.
fn asks(client: &mut Rude, rig: &Rig) {
    (0..STREAMS).for_each(|at| client.ask(at * 2 + 1, &ASK));
    answers(rig, STREAMS.into());
}

fn answers(rig: &Rig, count: u64) {
    let end = Instant::now() + Duration::from_secs(20);
    while rig.frontend().requests < count {
        assert!(Instant::now() < end, "{:?}", rig.frontend());
        thread::yield_now();
    }
}

/// How much of bodies is in frames, and the codes of GOAWAY among them.
fn counted(mut bytes: &[u8]) -> (usize, Vec<u32>) {
    let (mut data, mut codes) = (0, Vec::new());
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).expect("it fits");
        let payload = &rest[..length.min(rest.len())];
        match *kind {
            DATA => data += payload.len(),
            GOAWAY => codes.push(u32::from_be_bytes(payload[4..8].try_into().expect("four bytes"))),
            _ => {}
        }
        bytes = &rest[payload.len()..];
    }
    (data, codes)
}

#[test]
fn who_reads_slowly_gets_all_of_it_from_a_proxy_that_stops() {
    let app = parrot(ok(&"x".repeat(BODY)));
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = narrow(&rig, Some(536));
    asks(&mut client, &rig);
    rig.proxy.drain();
    let (mut taken, mut piece) = (Vec::new(), [0; 2048]);
    // Longer than anyone waits for who takes nothing.
    for _ in 0..70 {
        thread::sleep(Duration::from_millis(50));
        let count = client.0.read(&mut piece).expect("it goes on");
        taken.extend_from_slice(&piece[..count]);
    }
    client.0.read_to_end(&mut taken).expect("an orderly end");
    let (data, codes) = counted(&taken);
    assert_eq!(data, BODY * STREAMS as usize);
    // What it may ask, and, as it does not answer, which was its last.
    assert_eq!(codes, [0, 0]);
    drop(client);
    assert_eq!(rig.proxy.join(Duration::from_secs(20)), 0);
}

#[test]
fn what_a_client_says_last_takes_nothing_from_it() {
    let app = parrot(ok(&"x".repeat(BODY)));
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = narrow(&rig, None);
    asks(&mut client, &rig);
    client.send(&frame(GOAWAY, 0, 0, &[0; 8]));
    // The one core has heard it, and has nothing more to say.
    (0..20).for_each(|_| assert!(rig.ask(LAST).contains("200 OK")));
    let (mut taken, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        // It need not know that it is not heard any more.
        client.send(&frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()));
        match client.0.read(&mut piece) {
            Ok(count @ 1..) => taken.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    assert_eq!(counted(&taken).0, BODY * STREAMS as usize);
    drop(client);
    rig.settles_at(0);
}

/// A server whose kernel holds as much as it can of a long body for everyone; it says no more.
fn generous() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let body = vec![b'x'; 1 << 20];
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let count = stream.read(&mut head).expect("a request");
            if head[..count].starts_with(b"GET /short ") {
                stream.write_all(ok("").as_bytes()).expect("it reads");
                continue;
            }
            // A client's kernel may take the whole of one or two.
            let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n";
            stream.write_all(head).expect("it reads");
            stream.set_nonblocking(true).expect("a socket");
            match stream.write(&body) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            held.push(stream);
        }
    });
    address
}

#[test]
fn who_reads_nothing_makes_the_proxy_hold_little() {
    const CLIENTS: u32 = 2;
    if !alone("h2_slow::who_reads_nothing_makes_the_proxy_hold_little") {
        return;
    }
    let rig = rig_with(&[generous()], limits(), 1);
    let others = || {
        let text = rig.ask("GET /short HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert!(text.contains("200 OK"), "{text}");
    };
    others();
    let before = peak();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Rude::connect(&rig)).collect();
    for client in &mut clients {
        client.open_windows();
        (0..128).for_each(|at| client.ask(at * 2 + 1, &ASK));
    }
    answers(&rig, 1 + u64::from(CLIENTS) * 128);
    // Others are served, and each of the many streams had many a chance to take more.
    (0..300).for_each(|_| others());
    let grown = peak().saturating_sub(before);
    assert!(grown < 12 << 20, "{grown} bytes");
}

/// Settings with windows for more than is asked for.
fn wide() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 30);
    builder
}

#[test]
fn more_than_may_be_held_arrives_whole_in_its_turn() {
    const LONG: usize = 300_000;
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let body = "d".repeat(LONG);
            wire.say(&if head.starts_with("GET /chunks") {
                format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{LONG:x}\r\n{body}\r\n0\r\n\r\n"
                )
            } else {
                ok(&body)
            });
        }
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut client = Client::with(&rig, &wide());
    let paths = (0..100).map(|at| if at % 2 == 0 { "/length" } else { "/chunks" });
    let asked: Vec<_> = paths.map(|path| client.ask(get(path), true).0).collect();
    for response in asked {
        let text = client.whole(response).1;
        assert!(text.len() == LONG && text.bytes().all(|byte| byte == b'd'), "{}", text.len());
    }
    assert_eq!((rig.frontend().requests, rig.frontend().errors), (100, 0));
}

#[test]
fn streams_that_are_not_read_stop_no_others() {
    let app = origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let long = head.starts_with("GET /long");
            wire.say(&ok(&"d".repeat(if long { 1 << 20 } else { BODY })));
        }
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let mut builder = h2::client::Builder::new();
    builder.initial_connection_window_size(1 << 30);
    let mut client = Client::with(&rig, &builder);
    let asked: Vec<_> = (0..100).map(|_| client.ask(get("/long"), true).0).collect();
    let _unread: Vec<_> =
        asked.into_iter().map(|response| client.head(response).expect("it has begun")).collect();
    for _ in 0..10 {
        assert_eq!(client.get("/").1.len(), BODY);
    }
}
