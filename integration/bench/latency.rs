//! How long answers take when the requests come at a fixed rate, whether or not the last ones were answered.
//!
//! A request that could not be sent in time, because the answer before it was late, counts from when it was due: else
//! a proxy that stands still would be asked less, and its worst moments would go unseen (coordinated omission).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vipd::net::clock;

use crate::machine::Meter;
use crate::stack::{Failure, Stack};

/// Parts of the lowest peak rate. With few requests at a time every one of them wakes everybody, which costs the clients
/// and the servers more than the proxy: see how busy their processor is before you blame a proxy for a tail.
const PARTS: [f64; 3] = [2.0, 4.0, 8.0];

/// For each proxy a line at each of [`PARTS`] of the lowest of their `peaks`, requests a second, the same rates for all.
pub(crate) fn report(
    stacks: &[Stack],
    peaks: &[f64],
    connections: usize,
    rounds: usize,
    span: Duration,
) -> Result<(), Failure> {
    let peak = peaks.iter().copied().fold(f64::INFINITY, f64::min);
    PARTS.iter().try_for_each(|part| report_at(stacks, peak / part, connections, rounds, span))
}

fn report_at(
    stacks: &[Stack],
    rate: f64,
    connections: usize,
    rounds: usize,
    span: Duration,
) -> Result<(), Failure> {
    let mut measured = vec![Vec::new(); stacks.len()];
    for _ in 0..rounds {
        for (stack, measured) in stacks.iter().zip(&mut measured) {
            let meter = Meter::start()?;
            let mut late = ask_for(stack.address, rate, connections, span)?;
            let busy = meter.busy(1)? * 100.0;
            late.sort_unstable();
            let [p50, p99, most] = [500, 990, 999].map(|share| per_mille(&late, share));
            measured.push([p50, p99, most, busy]);
        }
    }
    println!(
        "\nlatency, µs: {rate:.0} requests a second over {connections} connections, medians of {rounds} rounds"
    );
    println!("  {:<10}{:>10}{:>10}{:>10}{:>22}", "", "p50", "p99", "p99.9", "others' processor, %");
    for (stack, rounds) in stacks.iter().zip(&measured) {
        let of = |at: usize| crate::median(rounds.iter().map(|round| round[at]).collect());
        println!("  {:<10}{:>10.0}{:>10.0}{:>10.0}{:>22.0}", stack.name, of(0), of(1), of(2), of(3));
    }
    Ok(())
}

/// The latency that such a share, in thousandths, does not exceed.
pub(crate) fn per_mille(sorted: &[u32], share: usize) -> f64 {
    sorted.get(sorted.len() * share / 1000).map_or(f64::NAN, |late| f64::from(*late))
}

/// How long each answer took, µs. The connections share the rate and take turns. One thread for all of them: as many
/// as there are connections would wait for their processor longer than for the proxy.
pub(crate) fn ask_for(
    address: SocketAddr,
    rate: f64,
    connections: usize,
    span: Duration,
) -> Result<Vec<u32>, Failure> {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let connections = (0..connections).map(|_| Connection::open(address)).collect::<Result<Vec<_>, _>>()?;
    let asking = thread::spawn(move || {
        pin()?;
        ask(connections, interval, span)
    });
    asking.join().map_err(|_| Failure("a client has panicked".into()))?
}

/// Keeps this thread off the proxy's processor.
pub(crate) fn pin() -> Result<(), Failure> {
    let mut processor = CpuSet::new();
    let pinned = processor.set(1).and_then(|()| sched_setaffinity(Pid::from_raw(0), &processor));
    pinned.map_err(|error| Failure(format!("processor 1: {error}")))
}

/// Asks whenever it is due, and waits for all answers.
fn ask(mut connections: Vec<Connection>, interval: Duration, span: Duration) -> Result<Vec<u32>, Failure> {
    let (start, count) = (clock::now(), connections.len());
    let now = || clock::now().since(start).as_duration();
    let (mut late, mut turns) = (Vec::new(), 0_u32..);
    let mut due = Duration::ZERO;
    let mut last = due;
    while due < span || connections.iter().any(Connection::waits) {
        while due < span && due <= now() {
            let turn = turns.next().ok_or_else(|| Failure("too many requests".into()))?;
            connections[turn as usize % count].ask(due)?;
            due = interval * (turn + 1);
        }
        let wait = if due < span { due.saturating_sub(now()) } else { Duration::from_secs(1) };
        for at in ready(&connections, wait)? {
            if let Some(asked) = connections[at].answer()? {
                last = now();
                late.push(u32::try_from((last - asked).as_micros()).unwrap_or(u32::MAX));
            }
        }
        if now() > last.max(due) + Duration::from_secs(20) {
            return Err(Failure("no answer for 20 s".into()));
        }
    }
    Ok(late)
}

/// Which connections have something to read, after `wait` at the latest.
fn ready(connections: &[Connection], wait: Duration) -> Result<Vec<usize>, Failure> {
    let mut watched: Vec<_> =
        connections.iter().map(|connection| PollFd::new(&connection.stream, PollFlags::IN)).collect();
    let wait = Timespec::try_from(wait).map_err(|_| Failure("too long a wait".into()))?;
    poll(&mut watched, Some(&wait)).map_err(io::Error::from)?;
    Ok((0..watched.len()).filter(|at| !watched[*at].revents().is_empty()).collect())
}

/// A connection and what it is asked.
struct Connection {
    stream: TcpStream,
    /// When the requests were due that are not answered yet. The first of them is sent.
    due: VecDeque<Duration>,
    /// The part of its answer that has come.
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, due: VecDeque::new(), answer: Vec::new() })
    }

    fn waits(&self) -> bool {
        !self.due.is_empty()
    }

    fn ask(&mut self, due: Duration) -> Result<(), Failure> {
        self.due.push_back(due);
        if self.due.len() == 1 { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Failure> {
        Ok(self.stream.write_all(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")?)
    }

    /// Reads once; when the request was due whose answer is whole with that.
    fn answer(&mut self) -> Result<Option<Duration>, Failure> {
        let mut block = [0; 4096];
        match self.stream.read(&mut block)? {
            0 => return Err(Failure("a connection was closed".into())),
            read => self.answer.extend_from_slice(&block[..read]),
        }
        if !self.answer.ends_with(b"\r\n\r\nxxxxxxxxxxxxx") {
            return Ok(None);
        }
        self.answer.clear();
        let asked = self.due.pop_front();
        if self.waits() {
            self.send()?;
        }
        Ok(asked)
    }
}
