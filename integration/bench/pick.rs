//! What a choice costs: nanoseconds a pick, and milliseconds to make the snapshot of a pool, by method and size.
//!
//! One thread, all servers eligible, weights 1 to 4; each pick counts as a request in hand for as long as 64 more are
//! made. `VIPD_BENCH_PICKS` (2,000,000) a cell; the best of five.

use std::collections::VecDeque;
use std::env;
use std::hint::black_box;
use std::sync::Arc;

use tokio::time::Instant;
use vipd::pool::{Draw, Method, Rotation, Rule, Server, ServerId, Tried, Turn, digest};

const SIZES: [usize; 3] = [2, 1_000, 10_000];
const METHODS: [Method; 4] = [Method::RoundRobin, Method::LeastConnections, Method::Random, Method::Hash];
/// Requests in hand at a time.
const BUSY: usize = 64;

fn main() {
    let picks = env::var("VIPD_BENCH_PICKS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000_000_u64);
    println!("{:<20}{:>10}{:>12}{:>14}", "", "servers", "ns/pick", "ms to make");
    for method in METHODS {
        for size in SIZES {
            let (rotation, made) = make(method, size);
            let best = (0..5).map(|_| nanoseconds(&rotation, picks)).fold(f64::INFINITY, f64::min);
            println!("{:<20}{size:>10}{best:>12.1}{made:>14.2}", format!("{method:?}"));
        }
    }
}

/// A rotation of so many servers, and how long it took to make.
fn make(method: Method, size: usize) -> (Rotation, f64) {
    let weights = [1, 2, 3, 4].into_iter().cycle();
    let server = |(at, weight)| {
        let name = format!("app{at}");
        Server::new(ServerId(at), name, ([127, 0, 0, 1], 8080).into(), weight)
    };
    let servers: Vec<_> = weights.take(size).enumerate().map(server).collect();
    let start = Instant::now();
    let rotation = Rotation::new(servers, Rule { method, ..Rule::default() }, Arc::new(Turn::new()));
    (rotation, start.elapsed().as_secs_f64() * 1e3)
}

fn nanoseconds(rotation: &Rotation, picks: u64) -> f64 {
    let tried = Tried::default();
    let mut busy = VecDeque::with_capacity(BUSY + 1);
    let start = Instant::now();
    for number in 0..picks {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let key = Some(digest(&number.to_le_bytes()));
        if let Some(server) = rotation.pick(black_box(Draw { random, key, held: None }), &tried) {
            busy.push_back(server.load.enter());
        }
        if busy.len() > BUSY {
            busy.pop_front();
        }
    }
    start.elapsed().as_secs_f64() * 1e9 / picks as f64
}
