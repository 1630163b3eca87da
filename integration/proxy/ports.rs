//! What is left of connections to servers: their local ports are needed again.

use std::collections::HashSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::mpsc;
use std::thread;

use tokio::time::Instant;
use vipd::pool::{Rule, SendProxy, Snapshot};

use crate::frames::{ASK, RESET, Rude, frame};
use crate::rig::*;

/// A connection as the kernel has it: proc_net_tcp(5).
struct Entry {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    /// Bytes that the other side has not acknowledged, and bytes that were not read here.
    queued: (u32, u32),
}

/// FIN-WAIT-1, FIN-WAIT-2 and TIME-WAIT (`net/tcp_states.h`): whoever closed first.
const CLOSED_FIRST: RangeInclusive<u8> = 4..=6;

fn entries() -> Vec<Entry> {
    let text = fs::read_to_string("/proc/net/tcp").expect("Linux");
    text.lines().skip(1).map(|line| entry(line).expect("as the manual has it")).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split_whitespace().skip(1);
    let mut address = || {
        let (address, port) = fields.next()?.split_once(':')?;
        let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
        Some(SocketAddr::from((address, u16::from_str_radix(port, 16).ok()?)))
    };
    let (local, remote) = (address()?, address()?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let (sent, come) = fields.next()?.split_once(':')?;
    let queued = (u32::from_str_radix(sent, 16).ok()?, u32::from_str_radix(come, 16).ok()?);
    Some(Entry { local, remote, state, queued })
}

/// Waits for something that has no other way to tell.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        thread::yield_now();
    }
}

/// A server that answers once and leaves it to others to close; says when that was done.
fn patient(more: &'static str) -> (Origin, mpsc::Receiver<()>) {
    let (ended, ends) = mpsc::channel();
    let app = origin(move |mut wire, _| {
        wire.head();
        wire.say(&format!("HTTP/1.1 200 OK\r\n{more}Content-Length: 5\r\n\r\nhello"));
        wire.rest();
        drop(wire);
        ended.send(()).expect("the test waits");
    });
    (app, ends)
}

/// The local ports that are kept after connections to a server. What listens has its port from those that clients had:
/// before anybody has connected, what is kept is of such a client's server.
fn kept(app: &Origin) -> HashSet<SocketAddr> {
    let kept = entries().into_iter().filter(|entry| entry.remote == app.address);
    kept.filter(|entry| CLOSED_FIRST.contains(&entry.state)).map(|entry| entry.local).collect()
}

fn keeps_no_ports(app: &Origin, before: &HashSet<SocketAddr>, ends: &mpsc::Receiver<()>) {
    (0..app.connections()).for_each(|_| ends.recv_timeout(PATIENCE).expect("it is closed"));
    assert_eq!(kept(app).difference(before).count(), 0, "of {} connections", app.connections());
}

#[test]
fn who_has_to_close_first_keeps_no_port() {
    let (app, ends) = patient("Connection: close\r\n");
    let before = kept(&app);
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..20 {
        client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.message().1, "hello");
    }
    assert_eq!(app.connections(), 20);
    keeps_no_ports(&app, &before, &ends);
}

#[test]
fn connections_of_clients_that_have_left_keep_no_ports() {
    let (app, ends) = patient("");
    let before = kept(&app);
    let rule = Rule { send_proxy: Some(SendProxy::V1), ..Rule::default() };
    let rig = rig_of(Snapshot::new([pool(&[(app.address, 1)], rule)]), web(), limits(), 1);
    for _ in 0..20 {
        assert!(rig.ask(LAST).ends_with("hello"));
    }
    assert_eq!(app.connections(), 20);
    keeps_no_ports(&app, &before, &ends);
}

#[test]
fn requests_that_are_taken_back_keep_no_ports() {
    let ((begun, begins), (ended, ends)) = (mpsc::channel(), mpsc::channel());
    let app = origin(move |mut wire, _| {
        wire.head();
        begun.send(()).expect("the test waits");
        wire.rest();
        drop(wire);
        ended.send(()).expect("the test waits");
    });
    let before = kept(&app);
    let rig = rig(&[app.address]);
    let mut client = Rude::connect(&rig);
    for stream in (1..40).step_by(2) {
        client.ask(stream, &ASK);
        begins.recv_timeout(PATIENCE).expect("the server is asked");
        client.send(&frame(RESET, 0, stream, &8_u32.to_be_bytes()));
    }
    keeps_no_ports(&app, &before, &ends);
    assert_eq!(app.connections(), 20);
}

#[test]
fn what_is_on_its_way_arrives_though_the_answer_has_come() {
    const BODY: usize = 400_000;
    let (socket, address) = bound();
    // The proxy's kernel has to hold most of the body.
    socket.set_recv_buffer_size(16 << 10).expect("a socket");
    socket.listen(1).expect("it is bound");
    let listener = TcpListener::from(socket);
    let ((answer, may_answer), (done, whole)) = (mpsc::channel::<()>(), mpsc::channel());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut wire = Wire::new(stream);
        wire.head().expect("a request");
        may_answer.recv().expect("the test goes on");
        wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
        // Until the client has it, and so the proxy nothing more to do.
        may_answer.recv().expect("the test goes on");
        done.send(wire.rest().len()).expect("the test waits");
    });
    let rig = rig(&[address]);
    let mut client = rig.client();
    let own = client.stream().local_addr().expect("it is connected");
    client.say(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {BODY}\r\n\r\n{}", "x".repeat(BODY)));
    until("the proxy has taken all of it", || {
        let ours = entries().into_iter().filter(|entry| entry.local == own || entry.remote == own);
        ours.map(|entry| entry.queued).all(|queued| queued == (0, 0))
    });
    let on_its_way = entries().into_iter().find(|entry| entry.remote == address).expect("it is connected");
    assert!(on_its_way.queued.0 > 0, "the server has all of it");
    answer.send(()).expect("it waits");
    assert_eq!(client.message().1, "hello");
    answer.send(()).expect("it waits");
    assert_eq!(whole.recv_timeout(PATIENCE).expect("it ends"), BODY);
    server.join().expect("no panic");
}
