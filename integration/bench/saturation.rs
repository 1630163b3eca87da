//! False takeovers on a machine that is too busy: vipd beside keepalived + HAProxy, twice as many busy processes as there
//! are cores, and nothing else wrong.
//!
//! For each advert interval of `VIPD_BENCH_INTERVALS_MS` (`10,100`) and `VIPD_BENCH_SECONDS` (60): how often lb2 took over,
//! and the times between two adverts as a third host received them. Takes root, keepalived, HAProxy and Nginx.

#[expect(dead_code, reason = "the other benchmark uses all of it")]
mod pair;

use std::env;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use pair::{Kind, Pair};
use vipd::lab::{AppServer, Capture, Error, Flavour, Frame, Lab, Moment, Topology};

/// How long a pair may take until lb1 alone advertises.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let seconds = number(&read("VIPD_BENCH_SECONDS", "60"))?;
    println!("{:<24}{:>10}{:>12}{:>12}{:>12}{:>12}", "", "adverts", "takeovers", "p50", "p99", "longest");
    for interval in read("VIPD_BENCH_INTERVALS_MS", "10,100").split(',') {
        let interval = Duration::from_millis(number(interval)?);
        for kind in [Kind::Vipd, Kind::Keepalived] {
            let found = measure(kind, interval, Duration::from_secs(seconds))?;
            println!(
                "{kind:<24}{:>10}{:>12}{:>12}{:>12}{:>12}",
                format!("{interval:?}"),
                found.takeovers,
                millis(found.gap(50)),
                millis(found.gap(99)),
                millis(found.gap(100))
            );
        }
    }
    Ok(())
}

fn number(text: &str) -> Result<u64, Error> {
    text.trim().parse().map_err(|_| Error::new(format!("{text:?} is not a number")))
}

fn millis(gap: Duration) -> String {
    format!("{:.2} ms", gap.as_secs_f64() * 1_000.0)
}

/// What a third host saw.
struct Found {
    takeovers: usize,
    /// Between one advert and the next, sorted.
    gaps: Vec<Duration>,
}

impl Found {
    fn gap(&self, percent: usize) -> Duration {
        let last = self.gaps.len().saturating_sub(1);
        self.gaps.get(last * percent / 100).copied().unwrap_or_default()
    }
}

fn measure(kind: Kind, interval: Duration, for_: Duration) -> Result<Found, Error> {
    let lab = Lab::build(&Topology::pair())?;
    let flavour = Flavour::found();
    let apps = ["app1", "app2", "app3"].map(|app| AppServer::start(&lab, app, &flavour));
    let _apps = apps.into_iter().collect::<Result<Vec<_>, _>>()?;
    let capture = Capture::start(lab.host("client"))?;
    let pair = Pair::start(kind, &lab, interval)?;
    settle(&lab, &capture, interval).map_err(|error| Error::new(format!("{error}\n{}", pair.explain())))?;
    let busy = Busy::start()?;
    let from = Moment::now();
    sleep(for_);
    let frames = capture.between(from, Moment::now());
    drop(busy);
    let adverts: Vec<_> = frames.iter().filter(|frame| frame.advert().is_some()).collect();
    let lb2 = lab.host("lb2").mac();
    let took = |pair: &&[&Frame]| pair[0].source != lb2 && pair[1].source == lb2;
    let mut gaps: Vec<_> = adverts.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    gaps.sort_unstable();
    Ok(Found { takeovers: adverts.windows(2).filter(took).count(), gaps })
}

/// Waits until lb1 alone has advertised for a while.
fn settle(lab: &Lab, capture: &Capture, interval: Duration) -> Result<(), Error> {
    let lb1 = lab.host("lb1").mac();
    let calm = usize::try_from(2_000 / interval.as_millis()).unwrap_or(usize::MAX).max(3);
    let settled = capture.frames().wait(0, PATIENCE, |frames| {
        let adverts = frames.iter().rev().filter(|frame| frame.advert().is_some());
        let alone = adverts.take_while(|frame| frame.source == lb1).take(calm);
        (alone.count() == calm).then_some(())
    });
    settled.ok_or_else(|| Error::new(format!("lb1 is not the Active within {PATIENCE:?}")))
}

/// Twice as many processes as cores, each in an endless loop, until it is dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Result<Self, Error> {
        let cores = available_parallelism().map_or(1, usize::from);
        let spin = || Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
        let started: Result<_, _> = (0..2 * cores).map(|_| spin()).collect();
        started.map(Self).map_err(|error| Error::new(format!("starting sh: {error}")))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It ends by nothing else.
            let _ended = child.kill().and_then(|()| child.wait());
        }
    }
}
