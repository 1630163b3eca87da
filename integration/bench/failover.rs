//! Failover as a client sees it: vipd beside keepalived + HAProxy, on the same hosts, in one run.
//!
//! For each advert interval and each way in which the active node can fail: from the last advert of the old Active to
//! the first of the new one, from that to the gratuitous ARP, and what a client that sends a request on a new
//! connection every 2 ms (150 ms each) notices. Medians of `VIPD_BENCH_ROUNDS` (10) rounds, at the intervals of
//! `VIPD_BENCH_INTERVALS` (`10ms,100ms,1s`), for `VIPD_BENCH_PAIRS` (`vipd,keepalived`). Takes root, keepalived, HAProxy
//! and, for real application servers, Nginx.

mod pair;
mod rest;
mod round;
mod table;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use pair::Kind;
use rest::Rest;
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
        let mut measured = Vec::new();
        for kind in &plan.pairs {
            match measure(*kind, *interval, plan.rounds) {
                Ok(figures) => measured.push(figures),
                Err(error) => {
                    eprintln!("\n{kind} at {interval:?}: {error}");
                    complete = false;
                }
            }
        }
        table::print(*interval, plan.rounds, &measured);
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was measured of one pair at one interval.
struct Measured {
    kind: Kind,
    /// What VRRP costs on the Active and on the Backup.
    rest: [Rest; 2],
    /// The rounds of each event, in the order of [`EVENTS`].
    events: Vec<Vec<Round>>,
}

fn measure(kind: Kind, interval: Duration, rounds: usize) -> Result<Measured, Error> {
    let mut bed = Bed::build(kind, interval)?;
    let rest = bed.rest()?;
    let mut events = Vec::new();
    for event in EVENTS {
        eprintln!("{kind}, adverts every {interval:?}: {event}, {rounds} rounds");
        events.push(
            (0..rounds)
                .map(|n| bed.round(event, (SCRIPT + interval) * count(n) / count(rounds)))
                .collect::<Result<_, _>>()?,
        );
    }
    Ok(Measured { kind, rest, events })
}

/// From one run of keepalived's check script to the next. Rounds begin at moments spread evenly over this and one advert
/// interval, counted from an advert, so that every pair is caught at the same points between two of either.
const SCRIPT: Duration = Duration::from_secs(1);

fn count(rounds: usize) -> u32 {
    u32::try_from(rounds).unwrap_or(u32::MAX)
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
