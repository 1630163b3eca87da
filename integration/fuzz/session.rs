//! A whole session: a client, the proxy and a server that say any bytes to each other over sockets.
//!
//! The first byte says in how small pieces the client sends (0: all at once), the second whether the server answers
//! before it has the whole request; then comes what the client says, 0xFF, and what the server says to each request.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use vipd::config::{Frontend, Limits};
use vipd::pool::{Rotation, Rule, Server, ServerId, Snapshot, Turn};
use vipd::proxy::{self, Proxy, Settings};

use crate::checks::judge;

/// Nothing waits for as long as this: both sides end what they begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// More is not a better test.
const LONGEST: usize = 64 << 10;

/// Whatever both sides say: the session ends, the client gets responses or nothing, and what one connection to the
/// server carries is one request, in every reading that a server may have of it.
pub(crate) fn session(bytes: &[u8]) {
    let [cuts, early, said @ ..] = bytes else { return };
    if said.len() > LONGEST {
        return;
    }
    let end = said.iter().position(|byte| *byte == 0xFF).unwrap_or(said.len());
    let (client, server) = said.split_at(end);
    let server = server.strip_prefix(&[0xFF]).unwrap_or(server);
    // One session at a time, whoever calls.
    static BED: OnceLock<Mutex<Bed>> = OnceLock::new();
    let bed = BED.get_or_init(|| Mutex::new(Bed::open())).lock().expect("no session has failed");
    bed.origin.say(server, early % 2 == 1);
    let got = bed.exchange(client, usize::from(*cuts));
    let speaks_h2 = client.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(speaks_h2 || got.is_empty() || got.starts_with(b"HTTP/1.1 "), "{}", got.escape_ascii());
    for request in bed.origin.heard() {
        let objections = judge::objections(&request);
        assert!(objections.is_empty(), "{:?}: {}", objections.first(), request.escape_ascii());
    }
}

/// A proxy of one core in front of one server.
struct Bed {
    proxy: Proxy,
    address: SocketAddr,
    origin: Arc<Origin>,
}

impl Bed {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let server = listener.local_addr().expect("it listens");
        let origin = Arc::new(Origin::default());
        thread::spawn({
            let origin = Arc::clone(&origin);
            move || listener.incoming().flatten().for_each(|stream| origin.serve(stream))
        });
        let servers = vec![Server::new(ServerId(0), "app1", server, 1)];
        let pools = Snapshot::new([Rotation::new(servers, Rule::default(), Arc::new(Turn::new()))]);
        let bind = vec![([127, 0, 0, 1], 0).into()];
        let frontend = Frontend {
            name: "web".into(),
            bind,
            pool: Some(0),
            h2: true,
            defer_accept: false,
            ..Frontend::default()
        };
        let limits = Limits { connections: 100, ..Limits::default() };
        let settings =
            Settings { frontends: vec![frontend], pages: Vec::new(), limits, threads: 1, servers: 1 };
        let proxy = proxy::start(settings, Arc::new(ArcSwap::from_pointee(pools))).expect("it starts");
        Self { address: proxy.addresses()[0][0], proxy, origin }
    }

    /// Says `bytes` in pieces of so many, and nothing more; what comes back until the end.
    fn exchange(&self, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut client = TcpStream::connect(self.address).expect("it listens");
        client.set_nodelay(true).expect("a socket");
        client.set_read_timeout(Some(PATIENCE)).expect("a socket");
        for piece in bytes.chunks(if piece == 0 { LONGEST } else { piece }) {
            // A proxy that has seen enough is gone.
            if client.write_all(piece).is_err() {
                break;
            }
            thread::yield_now();
        }
        let _gone = client.shutdown(Shutdown::Write);
        let mut got = Vec::new();
        let ended = client.read_to_end(&mut got).err().map(|error| error.kind());
        assert!(!matches!(ended, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "the session hangs");
        let end = Instant::now() + PATIENCE;
        while self.proxy.stats().connections > 0 || self.origin.open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < end, "the session does not end: {:?}", self.proxy.stats());
            thread::yield_now();
        }
        got
    }
}

/// The server: it says the same on every connection, to the first request.
#[derive(Default)]
struct Origin {
    script: Mutex<(Vec<u8>, bool)>,
    heard: Mutex<Vec<Vec<u8>>>,
    /// Connections that it serves now.
    open: AtomicUsize,
}

impl Origin {
    fn say(&self, answer: &[u8], early: bool) {
        *self.script.lock().expect("no thread panics") = (answer.to_vec(), early);
    }

    /// What it was sent since it was asked last, connection by connection.
    fn heard(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.heard.lock().expect("no thread panics"))
    }

    fn serve(self: &Arc<Self>, stream: TcpStream) {
        self.open.fetch_add(1, Ordering::SeqCst);
        let origin = Arc::clone(self);
        thread::spawn(move || {
            origin.converse(stream);
            origin.open.fetch_sub(1, Ordering::SeqCst);
        });
    }

    fn converse(&self, mut stream: TcpStream) {
        let (answer, early) = self.script.lock().expect("no thread panics").clone();
        let (mut heard, mut buffer, mut answered) = (Vec::new(), [0; 16 << 10], false);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..count]);
            let whole = judge::read(&heard, judge::Reading::STRICT).whole > 0;
            if (whole || early) && !answered {
                answered = true;
                // Whoever does not want it is gone.
                let _gone = stream.write_all(&answer);
            }
            if whole {
                break;
            }
        }
        // Behind a switch of protocols the bytes are no request's.
        if !answer.windows(4).any(|part| part == b" 101") {
            self.heard.lock().expect("no thread panics").push(heard);
        }
    }
}
