//! What the tests speak: a proxy on loopback, origin servers that do as they are told, a client that sees bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};
use tokio::time::Instant;
use vipd::config::{Frontend, Limits, Mode};
use vipd::pool::{Rotation, Rule, Server, ServerId, Snapshot, Turn};
use vipd::proxy::{self, Count, Page, Proxy, Settings};

/// What a test waits at most for bytes that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A time that passes while a test waits for it, and does not between two lines of one on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// Limits that never strike by themselves.
pub(crate) fn limits() -> Limits {
    Limits {
        connections: 1000,
        head: 8192,
        headers: 100,
        body: None,
        head_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        response_timeout: PATIENCE,
        tunnel_timeout: PATIENCE,
        ..Limits::default()
    }
}

/// A proxy with one frontend and one pool.
pub(crate) struct Rig {
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) pools: Arc<ArcSwap<Snapshot>>,
}

/// Two cores in front of `servers`, each of weight 1.
pub(crate) fn rig(servers: &[SocketAddr]) -> Rig {
    rig_with(servers, limits(), 2)
}

pub(crate) fn rig_with(servers: &[SocketAddr], limits: Limits, threads: usize) -> Rig {
    let weighted: Vec<_> = servers.iter().map(|address| (*address, 1)).collect();
    rig_weighted(&weighted, limits, threads)
}

pub(crate) fn rig_weighted(servers: &[(SocketAddr, u16)], limits: Limits, threads: usize) -> Rig {
    rig_of(snapshot(servers), web(), limits, threads)
}

/// One that accepts clients when they have said something, or as soon as they have connected.
pub(crate) fn rig_behind(defer_accept: bool, servers: &[(SocketAddr, u16)], limits: Limits) -> Rig {
    rig_of(snapshot(servers), Frontend { defer_accept, ..web() }, limits, 1)
}

/// One core with a frontend that speaks `mode`.
pub(crate) fn rig_in(mode: Mode, servers: &[SocketAddr], limits: Limits) -> Rig {
    let weighted: Vec<_> = servers.iter().map(|address| (*address, 1)).collect();
    let frontend = Frontend { mode, defer_accept: mode == Mode::Http, ..web() };
    rig_of(snapshot(&weighted), frontend, limits, 1)
}

/// A frontend on a free port, with the first pool.
pub(crate) fn web() -> Frontend {
    let bind = vec![([127, 0, 0, 1], 0).into()];
    Frontend { name: "web".into(), bind, pool: Some(0), ..Frontend::default() }
}

pub(crate) fn rig_of(snapshot: Snapshot, frontend: Frontend, limits: Limits, threads: usize) -> Rig {
    rig_showing(None, snapshot, frontend, limits, threads)
}

/// One whose frontend has a maintenance page.
pub(crate) fn rig_showing(
    page: Option<Page>,
    snapshot: Snapshot,
    frontend: Frontend,
    limits: Limits,
    threads: usize,
) -> Rig {
    let pages = vec![page.map(Arc::new)];
    let ids = snapshot.pools().iter().flat_map(|pool| pool.servers()).map(|server| server.id.0 + 1);
    let servers = ids.max().unwrap_or(0);
    let pools = Arc::new(ArcSwap::from_pointee(snapshot));
    let settings = Settings { frontends: vec![frontend], pages, limits, threads, servers };
    let proxy = proxy::start(settings, Arc::clone(&pools)).expect("loopback can be listened on");
    Rig { address: proxy.addresses()[0][0], proxy, pools }
}

pub(crate) fn snapshot(servers: &[(SocketAddr, u16)]) -> Snapshot {
    Snapshot::new([pool(servers, Rule::default())])
}

pub(crate) fn pool(servers: &[(SocketAddr, u16)], rule: Rule) -> Rotation {
    let server = |(at, (address, weight)): (usize, &(SocketAddr, u16))| {
        Server::new(ServerId(at), format!("app{}", at + 1), *address, *weight)
    };
    Rotation::new(servers.iter().enumerate().map(server).collect(), rule, Arc::new(Turn::new()))
}

impl Rig {
    pub(crate) fn client(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// Sends one request on a connection of its own and returns everything that comes back.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut client = self.client();
        client.say(request);
        client.rest()
    }

    pub(crate) fn server(&self, at: usize) -> Count {
        self.proxy.stats().servers[at]
    }

    /// Waits until so many clients are connected.
    pub(crate) fn settles_at(&self, connections: u64) {
        let end = Instant::now() + PATIENCE;
        while self.proxy.stats().connections != connections {
            assert!(Instant::now() < end, "{:?}, not {connections}", self.proxy.stats());
            thread::yield_now();
        }
    }

    /// Waits until so many connections to a server are kept.
    pub(crate) fn keeps(&self, at: usize, kept: u64, patience: Duration) {
        let end = Instant::now() + patience;
        while self.proxy.stats().ports[at].kept != kept {
            assert!(Instant::now() < end, "{:?}, not {kept}", self.proxy.stats().ports[at]);
            thread::yield_now();
        }
    }

    pub(crate) fn frontend(&self) -> Count {
        self.proxy.stats().frontends[0]
    }
}

/// One end of a connection.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("it is a socket");
        stream.set_nodelay(true).expect("it is a socket");
        Self(BufReader::new(stream))
    }

    /// A reset right behind the handshake is for whoever reads: connect(2) would report it itself when it is slow.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("sockets");
        socket.set_nonblocking(true).expect("it is a socket");
        if let Err(error) = socket.connect(&address.into()) {
            assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS), "connecting: {error}");
        }
        let patience = Timespec::try_from(PATIENCE).expect("seconds");
        let mut done = [PollFd::new(&socket, PollFlags::OUT)];
        assert_eq!(poll(&mut done, Some(&patience)), Ok(1), "nobody listens");
        socket.set_nonblocking(false).expect("it is a socket");
        Self::new(socket.into())
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(text.as_bytes());
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the other side reads");
    }

    /// The next head; `None` at the end of the connection, for which a reset counts.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = match self.0.read_line(&mut head) {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
                read => read.expect("text in time"),
            };
            if read == 0 {
                assert_eq!(head, "", "the connection ended inside a head");
                return None;
            }
        }
        Some(head)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("bytes in time");
        bytes
    }

    /// The body that `head` announces, its chunks decoded.
    pub(crate) fn body(&mut self, head: &str) -> String {
        let mut body = Vec::new();
        if field(head, "transfer-encoding").is_some() {
            loop {
                let mut size = String::new();
                self.0.read_line(&mut size).expect("a chunk in time");
                let size = usize::from_str_radix(size.trim_end(), 16).expect("a plain chunk size");
                if size == 0 {
                    self.trailers();
                    break;
                }
                let chunk = self.bytes(size + 2);
                assert!(chunk.ends_with(b"\r\n"));
                body.extend_from_slice(&chunk[..size]);
            }
        } else if let Some(length) = field(head, "content-length") {
            body = self.bytes(length.parse().expect("a number"));
        }
        String::from_utf8(body).expect("text")
    }

    /// What is behind the last chunk, its empty line included.
    fn trailers(&mut self) {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert_ne!(
                self.0.read_line(&mut line).expect("a trailer in time"),
                0,
                "an empty line ends a body"
            );
        }
    }

    /// The next message.
    pub(crate) fn message(&mut self) -> (String, String) {
        let head = self.head().expect("a message, not the end");
        let body = self.body(&head);
        (head, body)
    }

    /// Everything until the other side closes; a reset counts as the end.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "waiting for the end");
        }
        String::from_utf8(rest).expect("text")
    }

    /// How many bytes were received and not looked at yet.
    pub(crate) fn buffered(&self) -> usize {
        self.0.buffer().len()
    }
}

/// The value of a header in a head; the first one.
pub(crate) fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// An application server.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Origin {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A server that treats each connection as `serve` says; the second argument counts connections from 0.
pub(crate) fn origin(serve: impl Fn(Wire, usize) + Send + Sync + 'static) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let connections = Arc::new(AtomicUsize::new(0));
    let (serve, count) = (Arc::new(serve), Arc::clone(&connections));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (serve, at) = (Arc::clone(&serve), count.fetch_add(1, Ordering::SeqCst));
            thread::spawn(move || serve(Wire::new(stream), at));
        }
    });
    Origin { address, connections }
}

/// A server that answers every request with its name, the request's head and its body.
pub(crate) fn site(name: &'static str) -> Origin {
    origin(move |mut wire, _| {
        while let Some(head) = wire.head() {
            let body = wire.body(&head);
            wire.say(&ok(&format!("{name}\n{head}{body}")));
        }
    })
}

/// A server that reads a request and says the same bytes to each.
pub(crate) fn parrot(answer: impl Into<String>) -> Origin {
    let answer = answer.into();
    origin(move |mut wire, _| {
        while let Some(head) = wire.head() {
            wire.body(&head);
            wire.say(&answer);
        }
    })
}

/// A server that reads a request, says `answer` and closes.
pub(crate) fn once(answer: impl Into<String>) -> Origin {
    let answer = answer.into();
    origin(move |mut wire, _| {
        if let Some(head) = wire.head() {
            wire.body(&head);
            wire.say(&answer);
        }
    })
}

/// An address that refuses connections for as long as this lives: bound, but nobody listens.
pub(crate) struct Nobody {
    pub(crate) address: SocketAddr,
    _socket: Socket,
}

pub(crate) fn nobody() -> Nobody {
    let (socket, address) = bound();
    Nobody { address, _socket: socket }
}

/// An address that does not answer for as long as this lives: its queue is full.
pub(crate) struct Deaf {
    pub(crate) address: SocketAddr,
    _socket: Socket,
    _queue: Vec<TcpStream>,
}

pub(crate) fn deaf() -> Deaf {
    let (socket, address) = bound();
    socket.listen(0).expect("it is bound");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(250)).ok();
    let queue = std::iter::from_fn(connect).collect();
    Deaf { address, _socket: socket, _queue: queue }
}

/// A socket with an address on which nobody listens yet.
pub(crate) fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
    (socket, address)
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
pub(crate) const LAST: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
