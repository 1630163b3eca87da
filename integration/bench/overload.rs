//! How long those wait who are inside the limits, while more come than there is room for: vipd beside HAProxy.
//!
//! `connections`: as many clients as may be connected ask at a fixed rate, and others knock, each with a connection of its
//! own for one request. vipd answers those with 503. HAProxy leaves them to the kernel, where they wait; a knock is given
//! up after [`PATIENCE`].
//!
//! `queue`: requests that a server takes [`THINKS`] for, of which it may have [`PLACES`] in hand; [`QUEUE`] may wait. First
//! there is room for all, then five times as many come as can be served. HAProxy bounds the wait in its queue by time
//! alone: it has that of vipd's longest wait.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use vipd::net::clock;

use crate::latency::{ask_for, per_mille, pin};
use crate::stack::{Apps, Failure, Stack, Tight};

/// Clients that may be connected, and are.
const INSIDE: usize = 32;
/// Requests of theirs in a second.
const ASKED: f64 = 1000.0;
/// How long a knock waits for an answer.
const PATIENCE: Duration = Duration::from_millis(200);
const PLACES: u32 = 4;
const QUEUE: usize = 8;
const THINKS: Duration = Duration::from_millis(5);
/// Those who knock at a time.
const KNOCKERS: u32 = 64;

/// Both tables, with so many knocks a second at the first.
pub(crate) fn report(apps: &Apps, knocks: f64, span: Duration) -> Result<(), Failure> {
    let tight = Tight { connections: INSIDE, ..Tight::default() };
    let stacks = [Stack::vipd_tight(apps, &tight)?, Stack::haproxy_tight(apps, &tight)?];
    println!("\nconnections: {INSIDE} inside ask {ASKED:.0} times a second, {knocks:.0} others knock; µs");
    head();
    for stack in &stacks {
        let alone = ask_for(stack.address, ASKED, INSIDE, span)?;
        line(stack, "alone", alone, &[]);
        let address = stack.address;
        let (crowd, inside) = thread::scope(|scope| {
            // Those inside are there first.
            let crowd = scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                knock(address, knocks, span.saturating_sub(Duration::from_millis(500)))
            });
            let inside = ask_for(address, ASKED, INSIDE, span);
            (crowd.join(), inside)
        });
        let crowd = crowd.map_err(|_| Failure("a knocker has panicked".into()))?;
        line(stack, "crowded", inside?, &crowd);
    }
    let server = slow()?;
    let tight = Tight { server: Some((server, PLACES, QUEUE)), ..Tight::default() };
    let stacks = [Stack::vipd_tight(apps, &tight)?, Stack::haproxy_tight(apps, &tight)?];
    let most = f64::from(PLACES) / THINKS.as_secs_f64();
    println!("\nqueue: {most:.0} requests a second can be served, {PLACES} at a time, {QUEUE} may wait; µs");
    head();
    for stack in &stacks {
        for (name, rate) in [("alone", most / 4.0), ("crowded", most * 5.0)] {
            let all = knock(stack.address, rate, span);
            let served = all.iter().filter(|knock| knock.status == 200).map(|knock| knock.micros);
            line(stack, name, served.collect(), &all);
        }
    }
    Ok(())
}

fn head() {
    println!(
        "  {:<10}{:<10}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "", "", "served", "p50", "p99", "p99.9", "503", "their p99", "no answer"
    );
}

fn line(stack: &Stack, name: &str, mut served: Vec<u32>, crowd: &[Knock]) {
    served.sort_unstable();
    let mut shed: Vec<_> =
        crowd.iter().filter(|knock| knock.status == 503).map(|knock| knock.micros).collect();
    shed.sort_unstable();
    let lost = crowd.iter().filter(|knock| knock.status == 0).count();
    let [p50, p99, most] = [500, 990, 999].map(|share| per_mille(&served, share));
    println!(
        "  {:<10}{name:<10}{:>8}{p50:>10.0}{p99:>10.0}{most:>10.0}{:>10}{:>10.0}{lost:>12}",
        stack.name,
        served.len(),
        shed.len(),
        per_mille(&shed, 990)
    );
}

/// One request on a connection of its own.
struct Knock {
    /// 0: no answer.
    status: u16,
    micros: u32,
}

/// So many a second, as far as those who knock come to it.
fn knock(address: SocketAddr, rate: f64, span: Duration) -> Vec<Knock> {
    let every = Duration::from_secs_f64(f64::from(KNOCKERS) / rate);
    let knocking: Vec<_> = (0..KNOCKERS)
        .map(|nth| {
            let wait = every.mul_f64(f64::from(nth) / f64::from(KNOCKERS));
            thread::spawn(move || knock_one(address, wait, every, span))
        })
        .collect();
    knocking.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
}

fn knock_one(address: SocketAddr, wait: Duration, every: Duration, span: Duration) -> Vec<Knock> {
    let mut knocks = Vec::new();
    if pin().is_err() {
        return knocks;
    }
    let start = clock::now();
    let since = || clock::now().since(start).as_duration();
    let mut due = wait;
    while due < span {
        thread::sleep(due.saturating_sub(since()));
        let begun = since();
        let status = ask_once(address).unwrap_or(0);
        let micros = u32::try_from((since() - begun).as_micros()).unwrap_or(u32::MAX);
        knocks.push(Knock { status, micros });
        due = since().max(due + every);
    }
    knocks
}

fn ask_once(address: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /small HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| ErrorKind::InvalidData.into())
}

/// A server that thinks before it answers.
fn slow() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || think(&stream));
        }
    });
    Ok(address)
}

fn think(mut stream: &TcpStream) -> Option<()> {
    pin().ok()?;
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        while !lines.next()?.ok()?.is_empty() {}
        thread::sleep(THINKS);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nxxxxxxxxxxxxx").ok()?;
    }
}
