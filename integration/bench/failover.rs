//! Failover as a client sees it: vipd beside keepalived + HAProxy, on the same hosts, in one run.
//!
//! For each advert interval and each way in which the active node can fail: from the last advert of the old Active to
//! the first of the new one, from that to the gratuitous ARP, and what a client that sends a request on a new
//! connection every 2 ms (150 ms each) notices. Medians of `VIPD_BENCH_ROUNDS` (10) rounds, at the intervals of
//! `VIPD_BENCH_INTERVALS` (`10ms,100ms,1s`), for `VIPD_BENCH_PAIRS` (`vipd,keepalived`). Takes root, keepalived, HAProxy
//! and, for real application servers, Nginx.

mod pair;
mod round;
mod table;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use pair::Kind;
use round::{Bed, EVENTS, Round};
use vipd::lab::Error;

fn main() -> ExitCode {
    let plan = match Plan::from_environment() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(64);
        }
    };
    let mut complete = true;
    for interval in &plan.intervals {
        let measured: Vec<_> =
            plan.pairs.iter().map(|kind| (*kind, measure(*kind, *interval, plan.rounds))).collect();
        for (kind, error) in measured.iter().filter_map(|(kind, result)| Some((kind, result.as_ref().err()?)))
        {
            eprintln!("\n{kind} at {interval:?}: {error}");
            complete = false;
        }
        let good: Vec<_> =
            measured.into_iter().filter_map(|(kind, result)| Some((kind, result.ok()?))).collect();
        table::print(*interval, plan.rounds, &good);
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rounds of each event, in the order of [`EVENTS`].
fn measure(kind: Kind, interval: Duration, rounds: usize) -> Result<Vec<Vec<Round>>, Error> {
    let mut bed = Bed::build(kind, interval)?;
    EVENTS
        .iter()
        .map(|event| {
            eprintln!("{kind}, adverts every {interval:?}: {event}, {rounds} rounds");
            (0..rounds).map(|_| bed.round(*event)).collect()
        })
        .collect()
}

struct Plan {
    rounds: usize,
    intervals: Vec<Duration>,
    pairs: Vec<Kind>,
}

impl Plan {
    fn from_environment() -> Result<Self, String> {
        let read = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let rounds = read("VIPD_BENCH_ROUNDS", "10");
        Ok(Self {
            rounds: rounds.parse().map_err(|_| format!("VIPD_BENCH_ROUNDS is a number, not {rounds:?}"))?,
            intervals: list(&read("VIPD_BENCH_INTERVALS", "10ms,100ms,1s"), interval)?,
            pairs: list(&read("VIPD_BENCH_PAIRS", "vipd,keepalived"), pair)?,
        })
    }
}

fn list<T>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(str::trim).map(item).collect()
}

fn interval(text: &str) -> Result<Duration, String> {
    let wrong = || format!("VIPD_BENCH_INTERVALS has intervals like 10ms or 1s, not {text:?}");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(wrong()),
    }
}

fn pair(text: &str) -> Result<Kind, String> {
    match text {
        "vipd" => Ok(Kind::Vipd),
        "keepalived" => Ok(Kind::Keepalived),
        _ => Err(format!("VIPD_BENCH_PAIRS has vipd and keepalived, not {text:?}")),
    }
}
