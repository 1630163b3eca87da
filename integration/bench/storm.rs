//! A flood of malformed VRRP packets: vipd beside keepalived, on the same hosts, in one run.
//!
//! A stranger on the network sends `VIPD_BENCH_RATE` (100,000) packets a second, or as many as the machine can, for
//! `VIPD_BENCH_SECONDS` (10): bad checksums, TTL 254 and 1, other versions and types, counts that lie, truncations, foreign
//! VRIDs, junk behind the message. A pair with one router advertises every `VIPD_BENCH_INTERVALS_MS` (`100,1000`)
//! meanwhile. Takes root and keepalived.

#[path = "scale/fleet.rs"]
mod fleet;
#[expect(dead_code, reason = "the other benchmarks use all of it")]
mod rest;
#[path = "../storm/sender.rs"]
mod sender;

use std::env;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use fleet::{Kind, Speaker};
use vipd::lab::{Capture, Error, Frame, Lab, Moment, Process, Topology};
use vipd::vrrp::Vrid;

/// How long a pair may take until lb1 alone advertises.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the storm's consequences are looked at when it is over.
const AFTERMATH: Duration = Duration::from_secs(3);
/// A short storm before: code that runs for the first time takes memory once.
const FIRST: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<(), Error> {
    let read = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let rate = number(&read("VIPD_BENCH_RATE", "100000"))?;
    let for_ = Duration::from_secs(number(&read("VIPD_BENCH_SECONDS", "10"))?.into());
    let heads = ["adverts", "sent a second", "longest gap", "takeovers", "roles lb1, lb2", "KiB lb1, lb2"];
    print!("{:<12}", "");
    heads.iter().for_each(|head| print!("{head:>16}"));
    println!();
    for interval in read("VIPD_BENCH_INTERVALS_MS", "100,1000").split(',') {
        let interval = Duration::from_millis(number(interval)?.into());
        for kind in [Kind::Vipd, Kind::Keepalived] {
            measure(kind, interval, rate, for_)?.print(kind, interval);
        }
    }
    Ok(())
}

fn number(text: &str) -> Result<u32, Error> {
    text.trim().parse().map_err(|_| Error::new(format!("{text:?} is not a number")))
}

/// What a storm did.
struct Found {
    /// Packets a second, really.
    rate: u64,
    /// The longest time without an advert of lb1 or lb2.
    gap: Duration,
    /// How often another host than before advertised.
    takeovers: usize,
    /// How often lb1 and lb2 changed their role, as they say themselves.
    moves: [usize; 2],
    /// How much more memory is resident than before.
    grown: [f64; 2],
}

impl Found {
    fn print(&self, kind: Kind, interval: Duration) {
        let cells = [
            format!("{interval:?}"),
            self.rate.to_string(),
            format!("{:.1} ms", self.gap.as_secs_f64() * 1e3),
            self.takeovers.to_string(),
            format!("{}, {}", self.moves[0], self.moves[1]),
            format!("{:+.0}, {:+.0}", self.grown[0] * 1024.0, self.grown[1] * 1024.0),
        ];
        print!("{kind:<12}");
        cells.iter().for_each(|cell| print!("{cell:>16}"));
        println!();
    }
}

fn measure(kind: Kind, interval: Duration, rate: u32, for_: Duration) -> Result<Found, Error> {
    let lab = Lab::build(&Topology::pair())?;
    let capture = Capture::start(lab.host("client"))?;
    let start = |host| Speaker::start(kind, &lab, host, 1, interval);
    let mut speakers = [start("lb1")?, start("lb2")?];
    let settled = settle(&lab, &capture, interval);
    settled.map_err(|error| Error::new(format!("{error}\n{}", speakers[0].explain())))?;
    let vrid = Vrid::new(1).ok_or_else(|| Error::new("1 is a VRID"))?;
    sender::storm(lab.host("client"), vrid, rate, FIRST)?;
    settle(&lab, &capture, interval)?;

    let [lb1, lb2] = &mut speakers;
    let before = [look(lb1)?, look(lb2)?];
    let sent = sender::storm(lab.host("client"), vrid, rate, for_)?;
    sleep(AFTERMATH);
    let after = [look(lb1)?, look(lb2)?];
    let to = Moment::now();
    let nodes = ["lb1", "lb2"].map(|host| lab.host(host).mac());
    let frames = capture.between(sent.from, to);
    let adverts: Vec<_> =
        frames.iter().filter(|frame| frame.advert().is_some() && nodes.contains(&frame.source)).collect();
    let moments = adverts.iter().map(|frame| frame.at);
    let moments: Vec<_> = std::iter::once(sent.from).chain(moments).chain([to]).collect();
    Ok(Found {
        rate: sent.rate(),
        gap: moments.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or_default(),
        takeovers: adverts.windows(2).filter(|pair| pair[0].source != pair[1].source).count(),
        moves: [0, 1].map(|node| after[node].0 - before[node].0),
        grown: [0, 1].map(|node| after[node].1 - before[node].1),
    })
}

/// Role changes so far, as its log says, and resident memory in MiB.
fn look(speaker: &mut Speaker) -> Result<(usize, f64), Error> {
    let resident = rest::resident_of(&speaker.pids()?)?;
    let (process, words): (&Process, &[&str]) = match speaker {
        Speaker::Vipd(node) => (node.process(), &["→ Active", "→ Backup", "→ Initialize"]),
        Speaker::Keepalived { process, .. } => (process, &["Entering "]),
    };
    let log = process.log_tail(usize::MAX);
    let moves = log.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    Ok((moves.count(), resident))
}

/// Waits until lb1 alone has advertised for a while.
fn settle(lab: &Lab, capture: &Capture, interval: Duration) -> Result<(), Error> {
    let [lb1, lb2] = ["lb1", "lb2"].map(|host| lab.host(host).mac());
    let from = Moment::now();
    let advertises = |frame: &&Frame| frame.advert().is_some() && [lb1, lb2].contains(&frame.source);
    let settled = capture.frames().wait(0, PATIENCE, |frames| {
        let since = frames.iter().rev().take_while(|frame| frame.at >= from).filter(advertises);
        let alone = since.take_while(|frame| frame.source == lb1).take(CALM);
        (alone.count() == CALM).then_some(())
    });
    settled.ok_or_else(|| {
        Error::new(format!("lb1 is not the Active within {PATIENCE:?}, adverts every {interval:?}"))
    })
}

/// As many adverts in a row are calm.
const CALM: usize = 5;
