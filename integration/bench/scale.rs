//! Many virtual routers on one node: vipd beside keepalived, on the same hosts, in one run.
//!
//! For each number of routers, with four addresses each and adverts every second: from the start of a node to the
//! advert of its last router, what VRRP costs at rest, and how long the other node takes to take all of them over when
//! a cable is pulled. Medians of `VIPD_BENCH_ROUNDS` (5) rounds with `VIPD_BENCH_ROUTERS` (`1,20,100,255`) routers, for
//! `VIPD_BENCH_PAIRS` (`vipd,keepalived`). Takes root and keepalived.

#[path = "scale/bed.rs"]
mod bed;
#[path = "scale/fleet.rs"]
mod fleet;
mod rest;
#[path = "scale/table.rs"]
mod table;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use bed::{Bed, Round};
use fleet::Kind;
use rest::Rest;
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
    let mut measured = Vec::new();
    for routers in &plan.routers {
        for kind in &plan.kinds {
            match measure(*kind, *routers, plan.rounds) {
                Ok(figures) => measured.push(figures),
                Err(error) => {
                    eprintln!("\n{kind} with {routers} routers: {error}");
                    complete = false;
                }
            }
        }
    }
    table::print(&plan.kinds, &plan.routers, &measured);
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was measured of one contender with one number of routers.
struct Measured {
    kind: Kind,
    routers: u8,
    /// From the start of the node to the advert of its last router.
    start: Duration,
    /// What VRRP costs on the Active and on the Backup.
    rest: [Rest; 2],
    rounds: Vec<Round>,
}

fn measure(kind: Kind, routers: u8, rounds: usize) -> Result<Measured, Error> {
    eprintln!("{kind} with {routers} routers");
    let (bed, start) = Bed::build(kind, routers)?;
    let rest = bed.rest()?;
    let rounds = (0..rounds).map(|_| bed.round()).collect::<Result<_, _>>()?;
    Ok(Measured { kind, routers, start, rest, rounds })
}

struct Plan {
    rounds: usize,
    routers: Vec<u8>,
    kinds: Vec<Kind>,
}

impl Plan {
    fn from_environment() -> Result<Self, String> {
        let read = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let rounds = read("VIPD_BENCH_ROUNDS", "5");
        Ok(Self {
            rounds: rounds.parse().map_err(|_| format!("VIPD_BENCH_ROUNDS is a number, not {rounds:?}"))?,
            routers: list(&read("VIPD_BENCH_ROUTERS", "1,20,100,255"), routers)?,
            kinds: list(&read("VIPD_BENCH_PAIRS", "vipd,keepalived"), kind)?,
        })
    }
}

fn list<T>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(str::trim).map(item).collect()
}

fn routers(text: &str) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("VIPD_BENCH_ROUTERS has numbers of 1 to 255, not {text:?}"))
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "vipd" => Ok(Kind::Vipd),
        "keepalived" => Ok(Kind::Keepalived),
        _ => Err(format!("VIPD_BENCH_PAIRS has vipd and keepalived, not {text:?}")),
    }
}
