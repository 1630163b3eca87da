//! However the bytes of both sides are cut into reads, the same comes out on both sides.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::rig::{Wire, limits, origin, rig_with};

/// What is said by a client, and by a server to each request.
struct Case {
    client: &'static str,
    server: &'static str,
}

const fn case(client: &'static str, server: &'static str) -> Case {
    Case { client, server }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n";
const TRAILERS: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nas long as it takes";
const INTERIM: &str =
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const NOTHING: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const NOT_MODIFIED: &str = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n";
const NO_BODY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
const BAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello";
const GARBAGE: &str = "what is this\r\n\r\n";

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nConnection: keep-alive, x-a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world";
const POST_CHUNKS: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;x\r\nworld\r\n0\r\n\r\n";
const POST_TRAILERS: &str = "POST / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const SMUGGLE: &str =
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
const BAD_CHUNK: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";

/// Each of these with each answer that goes with it.
fn cases() -> Vec<Case> {
    let answers = [OK, CHUNKS, TRAILERS, UNTIL_CLOSE, INTERIM, NOTHING, NOT_MODIFIED, BAD, GARBAGE];
    let asks = [GET, LAST, OLD, POST, POST_CHUNKS, POST_TRAILERS];
    let mut cases: Vec<_> =
        asks.iter().flat_map(|ask| answers.iter().map(move |answer| case(ask, answer))).collect();
    cases.extend([NO_BODY, INTERIM, NOTHING].map(|answer| case(HEAD, answer)));
    cases.extend([case(SMUGGLE, OK), case("GARBAGE\r\n\r\n", OK), case("GET / HTTP/1.1\r\n\r\n", OK)]);
    cases.push(case(BAD_CHUNK, ""));
    cases
}

/// A small generator: the seed is all there is to it (xorshift64).
struct Splitter(u64);

impl Splitter {
    fn upto(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("small") + 1
    }

    /// Writes in random pieces; some come together on their way, most do not.
    fn write(&mut self, mut to: &TcpStream, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let most = [1, 4, 40, 4000][self.upto(4) - 1];
            let (piece, rest) = bytes.split_at(self.upto(most).min(bytes.len()));
            // Whoever has seen enough is gone, and the rest is not for it.
            if to.write_all(piece).is_err() {
                return;
            }
            bytes = rest;
            (0..self.upto(8)).for_each(|_| thread::yield_now());
        }
    }
}

/// Messages with their chunks joined: where a chunk ends is nobody's business but the sender's.
fn joined(mut text: &str) -> String {
    let mut out = String::new();
    while let Some(end) = text.find("\r\n\r\n") {
        let (head, rest) = text.split_at(end + 4);
        out.push_str(head);
        text = rest;
        let lower = head.to_ascii_lowercase();
        if !lower.contains("transfer-encoding: chunked") {
            // A body without chunks is as it is, up to the next message.
            continue;
        }
        while let Some((size, rest)) = text.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("{size:?} in {out}{text}"));
            if size == 0 {
                text = rest;
                break;
            }
            out.push_str(&rest[..size]);
            text = &rest[size + 2..];
        }
        let trailers = text.find("\r\n\r\n").filter(|_| !text.starts_with("\r\n")).map_or(2, |end| end + 4);
        let (trailers, rest) = text.split_at(trailers.min(text.len()));
        out.push_str(trailers);
        text = rest;
    }
    out + text
}

/// Without the dates: time goes on from one exchange to the next.
fn undated(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("Date: ")).collect()
}

/// What came out.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// At the client, until the end.
    client: String,
    /// At the servers, connection by connection.
    server: Vec<String>,
}

/// Reads one request as it stands, its body included.
fn request(wire: &mut Wire) -> Option<String> {
    let head = wire.head()?;
    let body = if head.to_ascii_lowercase().contains("transfer-encoding") {
        let mut body = String::new();
        let is_over = |body: &str| {
            body.ends_with("0\r\n\r\n") || body.contains("0\r\nX-T") && body.ends_with("\r\n\r\n")
        };
        while !is_over(&body) {
            body.push(char::from(wire.bytes(1)[0]));
        }
        body
    } else {
        wire.body(&head)
    };
    Some(head + &body)
}

/// Has the exchange with everything cut as `seed` says; 0: in one piece.
fn exchange(case: &Case, seed: u64) -> Outcome {
    let (sender, seen): (Sender<String>, _) = channel();
    let (sender, server) = (Mutex::new(sender), case.server);
    let app = origin(move |mut wire, at| {
        let mut splitter = Splitter(seed ^ (at as u64 + 7) << 20);
        while let Some(asked) = request(&mut wire) {
            sender.lock().expect("nobody panics").send(asked).expect("the test waits");
            match seed {
                0 => (&mut wire.stream()).write_all(server.as_bytes()).unwrap_or_default(),
                _ => splitter.write(wire.stream(), server.as_bytes()),
            }
            if server.contains("Connection: close") || server == GARBAGE || server == BAD {
                return;
            }
        }
    });
    let rig = rig_with(&[app.address], limits(), 1);
    let client = Arc::new(TcpStream::connect(rig.address).expect("it listens"));
    client.set_nodelay(true).expect("a socket");
    let writer = Arc::clone(&client);
    let said = case.client;
    let writing = thread::spawn(move || {
        match seed {
            0 => (&mut &*writer).write_all(said.as_bytes()).unwrap_or_default(),
            _ => Splitter(seed).write(&writer, said.as_bytes()),
        }
        // A client that has closed may have gone: the last request says that it is the last.
        if said.contains("keep-alive") || !said.contains("close") {
            Splitter(seed | 1).write(&writer, LAST.as_bytes());
        }
    });
    let mut got = Vec::new();
    // A reset behind a refusal is an end as well.
    let _ = (&mut &*client).read_to_end(&mut got);
    writing.join().expect("it wrote");
    let _ = client.shutdown(Shutdown::Both);
    rig.settles_at(0);
    let here = rig.address.to_string();
    drop(rig);
    let server = seen.try_iter().map(|asked| joined(&asked.replace(&here, "here"))).collect();
    Outcome { client: joined(&undated(&String::from_utf8_lossy(&got))), server }
}

#[test]
fn how_bytes_are_cut_into_reads_changes_nothing() {
    let cases = cases();
    assert!(cases.len() >= 50);
    for (at, case) in cases.iter().enumerate() {
        let whole = exchange(case, 0);
        for round in 1..=10_u64 {
            let seed = ((round << 32) | (at as u64 + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            assert_eq!(exchange(case, seed), whole, "seed {seed}: {:?} and {:?}", case.client, case.server);
        }
    }
}
