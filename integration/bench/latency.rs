//! How long answers take when the requests come at a fixed rate, whether or not the last ones were answered.
//!
//! A request that could not be sent in time, because the answer before it was late, counts from when it was due: else
//! a proxy that stands still would be asked less, and its worst moments would go unseen (coordinated omission).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use vipd::net::clock;

use crate::stack::{Failure, Stack};

/// One line for each proxy: at half of the lowest of their `peaks`, requests a second, the same rate for all.
pub(crate) fn report(
    stacks: &[Stack],
    peaks: &[f64],
    connections: usize,
    rounds: usize,
    span: Duration,
) -> Result<(), Failure> {
    let rate = peaks.iter().copied().fold(f64::INFINITY, f64::min) / 2.0;
    let mut measured = vec![Vec::new(); stacks.len()];
    for _ in 0..rounds {
        for (stack, measured) in stacks.iter().zip(&mut measured) {
            let mut late = ask_for(stack.address, rate, connections, span)?;
            late.sort_unstable();
            measured.push([500, 990, 999].map(|share| per_mille(&late, share)));
        }
    }
    println!(
        "\nlatency, µs: {rate:.0} requests a second over {connections} connections, medians of {rounds} rounds"
    );
    println!("  {:<10}{:>10}{:>10}{:>10}", "", "p50", "p99", "p99.9");
    for (stack, rounds) in stacks.iter().zip(&measured) {
        let of = |at: usize| crate::median(rounds.iter().map(|round| round[at]).collect());
        println!("  {:<10}{:>10.0}{:>10.0}{:>10.0}", stack.name, of(0), of(1), of(2));
    }
    Ok(())
}

/// The latency that such a share, in thousandths, does not exceed.
pub(crate) fn per_mille(sorted: &[u32], share: usize) -> f64 {
    sorted.get(sorted.len() * share / 1000).map_or(f64::NAN, |late| f64::from(*late))
}

/// How long each answer took, µs. The connections share the rate and take turns.
pub(crate) fn ask_for(
    address: SocketAddr,
    rate: f64,
    connections: usize,
    span: Duration,
) -> Result<Vec<u32>, Failure> {
    let count = f64::from(u32::try_from(connections).map_err(|_| Failure("too many connections".into()))?);
    let interval = Duration::from_secs_f64(count / rate);
    let start = clock::now().as_micros() + 100_000;
    let asking: Vec<_> = (0_u32..)
        .take(connections)
        .map(|at| {
            let first = start + micros(interval.mul_f64(f64::from(at) / count));
            thread::spawn(move || ask(address, first, interval, start + micros(span)))
        })
        .collect();
    let mut all = Vec::new();
    for asked in asking {
        all.extend(asked.join().map_err(|_| Failure("a client has panicked".into()))??);
    }
    Ok(all)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Keeps this thread off the proxy's processor.
pub(crate) fn pin() -> Result<(), Failure> {
    let mut processor = CpuSet::new();
    let pinned = processor.set(1).and_then(|()| sched_setaffinity(Pid::from_raw(0), &processor));
    pinned.map_err(|error| Failure(format!("processor 1: {error}")))
}

/// One connection: asks when it is due, or at once when that has passed.
fn ask(address: SocketAddr, first: u64, interval: Duration, end: u64) -> Result<Vec<u32>, Failure> {
    pin()?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (mut late, mut block) = (Vec::new(), [0; 4096]);
    for turn in 0_u32.. {
        let due = first + micros(interval * turn);
        if due >= end {
            break;
        }
        thread::sleep(Duration::from_micros(due.saturating_sub(clock::now().as_micros())));
        stream.write_all(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut got = 0;
        while !block[..got].ends_with(b"\r\n\r\nxxxxxxxxxxxxx") {
            match stream.read(&mut block[got..])? {
                0 => return Err(Failure(format!("{address} closed a connection"))),
                read => got += read,
            }
        }
        late.push(u32::try_from(clock::now().as_micros() - due).unwrap_or(u32::MAX));
    }
    Ok(late)
}
