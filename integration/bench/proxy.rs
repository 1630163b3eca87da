//! What a request costs the proxy: CPU time of vipd's data plane beside Debian's HAProxy and Nginx, in one run.
//!
//! Each proxy has processor 0 to itself; wrk and two Nginx application servers share processor 1. The CPU time of the
//! proxy's processes (`/proc/PID/stat`) over the requests that wrk counted. The proxies take turns, round after round,
//! so that whatever else the machine does meets all of them; ratios are medians of the ratios within a round.
//!
//! `VIPD_BENCH_ROUNDS` (6), `VIPD_BENCH_SECONDS` a turn (3), `VIPD_BENCH_CONNECTIONS` (64), `VIPD_BENCH_CASES` (`small`;
//! also `close`, `16k`, `64k`, `1m`). Takes nginx, haproxy, wrk and taskset, and two processors.

#[path = "stack.rs"]
mod stack;

use std::process::{Command, ExitCode};
use std::{env, fs};

use stack::{Apps, Failure, Stack};

fn main() -> ExitCode {
    if let Some(servers) = env::var_os(stack::AS_PROXY) {
        return stack::serve(&servers.to_string_lossy());
    }
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<(), Failure> {
    let rounds: usize = setting("VIPD_BENCH_ROUNDS", 6)?;
    let seconds: usize = setting("VIPD_BENCH_SECONDS", 3)?;
    let connections: usize = setting("VIPD_BENCH_CONNECTIONS", 64)?;
    let cases = env::var("VIPD_BENCH_CASES").unwrap_or_else(|_| "small".into());
    let apps = Apps::start()?;
    let stacks = [Stack::vipd(&apps)?, Stack::haproxy(&apps)?, Stack::nginx(&apps)?];
    for case in cases.split(',') {
        let case = Case::of(case)?;
        let mut measured = Vec::new();
        for round in 0..=rounds {
            let turn = stacks.iter().map(|stack| case.measure(stack, seconds, connections));
            let turn = turn.collect::<Result<Vec<_>, _>>()?;
            // The first round warms up.
            if round > 0 {
                measured.push(turn);
            }
        }
        report(&case, &stacks, &measured, connections);
    }
    Ok(())
}

fn setting(name: &str, default: usize) -> Result<usize, Failure> {
    let Ok(text) = env::var(name) else { return Ok(default) };
    text.parse().map_err(|_| Failure(format!("{name}={text} is not a number")))
}

/// A kind of request.
struct Case {
    name: String,
    path: &'static str,
    close: bool,
}

impl Case {
    fn of(name: &str) -> Result<Self, Failure> {
        let (path, close) = match name {
            "small" => ("/small", false),
            "close" => ("/small", true),
            "16k" => ("/16k", false),
            "64k" => ("/64k", false),
            "1m" => ("/1m", false),
            _ => return Err(Failure(format!("no case {name}: small, close, 16k, 64k, 1m"))),
        };
        Ok(Self { name: name.into(), path, close })
    }

    fn measure(&self, stack: &Stack, seconds: usize, connections: usize) -> Result<Sample, Failure> {
        let before = stack.cpu()?;
        let mut wrk = Command::new("taskset");
        wrk.args(["-c", "1", "wrk", "-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
        if self.close {
            wrk.args(["-H", "Connection: close"]);
        }
        let said = wrk.arg(format!("http://{}{}", stack.address, self.path)).output();
        let said = said.map_err(|error| Failure(format!("wrk: {error}")))?;
        let used = stack.cpu()? - before;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(Failure(format!("{}: wrk met errors:\n{text}", stack.name)));
        }
        let requests: Option<f64> = text.lines().find_map(|line| {
            let (count, _) = line.trim().split_once(" requests in ")?;
            count.parse().ok()
        });
        let requests = requests.filter(|count| *count > 0.0);
        let requests =
            requests.ok_or_else(|| Failure(format!("{}: wrk counted nothing:\n{text}", stack.name)))?;
        let seconds = f64::from(u32::try_from(seconds).map_err(|_| Failure("too many seconds".into()))?);
        Ok(Sample { micros: used * 1e6 / requests, rate: requests / seconds })
    }
}

/// One turn of one proxy.
#[derive(Clone, Copy)]
struct Sample {
    /// CPU time for a request, µs.
    micros: f64,
    /// Requests a second.
    rate: f64,
}

fn report(case: &Case, stacks: &[Stack], rounds: &[Vec<Sample>], connections: usize) {
    println!("\n{}: {connections} connections, medians of {} rounds", case.name, rounds.len());
    println!(
        "  {:<10}{:>12}{:>12}{:>14}{:>14}{:>12}",
        "", "CPU µs/req", "req/s", "HAProxy/it", "Nginx/it", "RSS KiB"
    );
    for (at, stack) in stacks.iter().enumerate() {
        let of = |value: &dyn Fn(&Vec<Sample>) -> f64| median(rounds.iter().map(value).collect());
        let micros = of(&|round| round[at].micros);
        let rate = of(&|round| round[at].rate);
        let haproxy = of(&|round| round[1].micros / round[at].micros);
        let nginx = of(&|round| round[2].micros / round[at].micros);
        let resident = stack.resident();
        println!("  {:<10}{micros:>12.2}{rate:>12.0}{haproxy:>14.2}{nginx:>14.2}{resident:>12}", stack.name);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

/// A file under `/proc/PID`.
fn proc_file(pid: u32, name: &str) -> Result<String, Failure> {
    fs::read_to_string(format!("/proc/{pid}/{name}"))
        .map_err(|error| Failure(format!("/proc/{pid}/{name}: {error}")))
}
