//! Long bodies that the kernel moves: every byte in its place, back-pressure, and either side dying in the middle.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread;

use socket2::{Domain, Socket, Type};
use vipd::config::Limits;

use crate::life::alone;
use crate::rig::*;

const SIZE: usize = 8 << 20;
const BLOCK: usize = 64 << 10;

/// Bytes that do not repeat, so that a piece that is lost, doubled or displaced is noticed.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(SIZE / 8).flatten().collect()
});

/// Says the first `size` bytes of the noise; whether the other side took them all.
fn make_noise(wire: &Wire, size: usize) -> bool {
    wire.stream().write_all(&NOISE[..size]).is_ok()
}

/// Reads `size` bytes in pieces of `piece`; whether they are the noise.
fn hears_noise(wire: &mut Wire, size: usize, piece: usize) -> bool {
    NOISE[..size].chunks(piece).all(|expected| wire.bytes(expected.len()) == expected)
}

/// A server that reads what is sent and answers `GET /N` with N bytes of noise, of a length that it states or not.
fn noisy() -> Origin {
    origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            let target = head.split(' ').nth(1).expect("a target").trim_start_matches('/');
            let until_close = target.starts_with("open/");
            let size = target.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap_or(0);
            let sent = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let same = hears_noise(&mut wire, sent, BLOCK);
            if until_close {
                wire.say("HTTP/1.0 200 OK\r\n\r\n");
                make_noise(&wire, size);
                return;
            }
            wire.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nSame: {same}\r\n\r\n"));
            if !make_noise(&wire, size) {
                return;
            }
        }
    })
}

/// A client whose kernel takes little for it.
fn narrow(address: SocketAddr) -> Wire {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
    socket.set_recv_buffer_size(8 << 10).expect("it is a socket");
    socket.connect(&address.into()).expect("someone listens");
    Wire::new(TcpStream::from(socket))
}

/// Pipes of this process, in use or not.
fn pipes() -> usize {
    let files = fs::read_dir("/proc/self/fd").expect("Linux").flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("pipe:")).count() / 2
}

#[test]
fn every_byte_arrives_at_a_slow_reader() {
    let app = noisy();
    let rig = rig(&[app.address]);
    let mut client = narrow(rig.address);
    for _ in 0..2 {
        client.say(&format!("GET /{SIZE} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(field(&client.head().expect("a response"), "content-length"), Some("8388608"));
        assert!(hears_noise(&mut client, SIZE, 3000));
    }
    assert_eq!(app.connections(), 1);
}

#[test]
fn bodies_of_every_size_follow_one_another() {
    let app = noisy();
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    // Around what is read with the head, here and behind a long one, and around what the kernel moves.
    let sizes =
        [0, 13, 4095, 4096, 4097, 16 << 10, 20 << 10, 32 << 10, 36 << 10, (48 << 10) - 1, 48 << 10, 1 << 20];
    for before in sizes {
        for size in [before, 1 << 20].into_iter().chain(sizes.into_iter().rev()) {
            client.say(&format!("GET /{size} HTTP/1.1\r\nHost: h\r\n\r\n"));
            client.head().expect("a response");
            assert!(hears_noise(&mut client, size, BLOCK), "{size} bytes");
        }
    }
    assert_eq!(app.connections(), 1);
}

#[test]
fn every_byte_of_an_upload_arrives() {
    let app = noisy();
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..2 {
        client.say(&format!("POST /{SIZE} HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n"));
        assert!(make_noise(&client, SIZE));
        assert_eq!(field(&client.head().expect("a response"), "same"), Some("true"));
        assert!(hears_noise(&mut client, SIZE, BLOCK));
    }
}

#[test]
fn both_directions_at_once() {
    let app = origin(|wire, _| {
        let mut back = Wire::new(wire.stream().try_clone().expect("a second handle"));
        let mut wire = wire;
        wire.head();
        back.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        let writer = thread::spawn(move || make_noise(&back, SIZE));
        assert!(hears_noise(&mut wire, SIZE, BLOCK));
        assert!(writer.join().expect("the writer is well"));
    });
    let rig = rig(&[app.address]);
    let mut client = narrow(rig.address);
    let mut back = Wire::new(client.stream().try_clone().expect("a second handle"));
    let writer = thread::spawn(move || {
        back.say(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n"));
        make_noise(&back, SIZE)
    });
    client.head().expect("a response");
    assert!(hears_noise(&mut client, SIZE, BLOCK));
    assert!(writer.join().expect("the writer is well"));
}

#[test]
fn what_lasts_until_close_is_moved_as_well() {
    let rig = rig(&[noisy().address]);
    let mut client = narrow(rig.address);
    client.say(&format!("GET /open/{SIZE} HTTP/1.0\r\n\r\n"));
    client.head().expect("a response");
    assert!(hears_noise(&mut client, SIZE, BLOCK));
    assert_eq!(client.rest(), "");
}

#[test]
fn a_server_that_dies_in_the_middle_is_counted_and_what_it_said_is_passed_on() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        make_noise(&wire, SIZE / 2);
    });
    let rig = rig(&[app.address]);
    let mut client = narrow(rig.address);
    client.say(GET);
    client.head().expect("a response");
    assert!(hears_noise(&mut client, SIZE / 2, BLOCK));
    assert_eq!(client.rest(), "");
    assert_eq!(rig.server(0).errors, 1);
}

#[test]
fn a_server_that_stalls_in_the_middle_is_given_up() {
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        make_noise(&wire, SIZE / 2);
        wire.rest();
    });
    let soon = Limits { idle_timeout: SOON, ..limits() };
    let rig = rig_with(&[app.address], soon, 1);
    let mut client = rig.client();
    client.say(GET);
    client.head().expect("a response");
    assert!(hears_noise(&mut client, SIZE / 2, BLOCK));
    assert_eq!(client.rest(), "");
    assert_eq!(rig.server(0).errors, 1);
}

#[test]
fn a_client_that_dies_during_its_upload_is_not_passed_for_whole() {
    let (tell, told) = mpsc::channel();
    let tell = Arc::new(Mutex::new(tell));
    let app = origin(move |mut wire, _| {
        wire.head();
        let (mut total, mut block) = (wire.buffered(), vec![0; BLOCK]);
        while let Ok(count @ 1..) = wire.stream().read(&mut block) {
            total += count;
        }
        tell.lock().expect("one at a time").send(total).expect("the test waits");
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(&format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n"));
    assert!(make_noise(&client, SIZE / 2));
    drop(client);
    assert!(told.recv().expect("the server's connection ends") <= SIZE / 2);
    rig.settles_at(0);
    assert_eq!(rig.server(0).errors, 0, "that was the client");
}

#[test]
fn pipes_are_few_and_those_of_the_dead_are_closed() {
    if !alone("bulk::pipes_are_few_and_those_of_the_dead_are_closed") {
        return;
    }
    let app = noisy();
    let rig = rig_with(&[app.address], limits(), 1);
    let before = pipes();
    let fetch = |died: bool| {
        let mut client = narrow(rig.address);
        client.say(&format!("GET /{SIZE} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        client.head().expect("a response");
        if !died {
            assert!(hears_noise(&mut client, SIZE, BLOCK));
        }
    };
    fetch(false);
    rig.settles_at(0);
    assert_eq!(pipes(), before + 1, "the kernel moved it");
    for _ in 0..20 {
        fetch(true);
    }
    rig.settles_at(0);
    assert!(pipes() <= before + 1, "{} pipes, {before} at first", pipes());
    fetch(false);
    rig.settles_at(0);
    assert_eq!(pipes(), before + 1);
    let mut stuck: Vec<_> = (0..30).map(|_| narrow(rig.address)).collect();
    for client in &mut stuck {
        client.say(&format!("GET /{SIZE} HTTP/1.1\r\nHost: h\r\n\r\n"));
        client.head().expect("a response");
    }
    drop(stuck);
    rig.settles_at(0);
    assert!(pipes() <= before + 30, "{} pipes, {before} at first", pipes());
}
