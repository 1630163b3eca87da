//! What a request costs the proxy: CPU time of vipd's data plane beside Debian's HAProxy and Nginx, in one run.
//!
//! Each proxy has processor 0 to itself; wrk and two Nginx application servers share processor 1. The CPU time of the
//! proxy's processes (`/proc/PID/stat`) over the requests that wrk counted. The proxies take turns, round after round,
//! so that whatever else the machine does meets all of them; ratios are medians of the ratios within a round.
//!
//! The peers run twice: as Debian ships them, and tuned alike (`+`): connections accepted with their first bytes, and
//! HAProxy with splice.
//!
//! `VIPD_BENCH_ROUNDS` (6), `VIPD_BENCH_SECONDS` a turn (3), `VIPD_BENCH_CONNECTIONS` (64), `VIPD_BENCH_CASES`
//! (`small`), separated by commas:
//!
//! - `small`, `headers` as a browser sends them, `close` (a connection per request), `16k`, `64k`, `1m`;
//! - `tls` for small ones in TLS; `handshake` for connections with a full handshake and one request each, one after the
//!   other, `resume` for the same with resumed sessions; `h2` for small ones over HTTP/2;
//! - `tcp16k`, `tcp64k`, `tcp1m`: the same bodies through frontends that do not look at what they pass on, vipd and
//!   HAProxy only;
//! - `many`: vipd with 1,000 servers in its pool beside 2, and HAProxy alike. `cores`: vipd with two threads beside one;
//!   they have both processors, together with wrk and the servers, so it tells what sharing costs and not how fast two
//!   are;
//! - `latency`: at a half, a quarter and an eighth of the lowest peak rate of the proxies, the same rate for all, sent when
//!   it is due;
//! - `overload`: latency inside the limits while more come than may: with `VIPD_BENCH_KNOCKS` (1000) connections a second
//!   beyond the limit on connections, and with five times the requests that a limited server and its queue take;
//! - `idle`, with fresh processes only: the memory of `VIPD_BENCH_IDLE` (10000) connections that have asked once.
//!
//! `small@256` is with 256 connections, and so on. Takes nginx, haproxy, wrk, h2load, openssl, ip and taskset, two
//! processors, and root to have a network of its own: see `place`.

#[path = "idle.rs"]
mod idle;
#[path = "latency.rs"]
mod latency;
#[path = "machine.rs"]
mod machine;
#[path = "overload.rs"]
mod overload;
#[path = "place.rs"]
mod place;
#[path = "stack.rs"]
mod stack;

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use machine::Meter;
use stack::{Apps, Failure, Stack, Tuned};

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
    println!("congestion control: {}", place::enter()?);
    let apps = Apps::start()?;
    let stacks = [
        Stack::vipd(&apps)?,
        Stack::haproxy(&apps, Tuned::No)?,
        Stack::haproxy(&apps, Tuned::Yes)?,
        Stack::nginx(&apps, Tuned::No)?,
        Stack::nginx(&apps, Tuned::Yes)?,
    ];
    for case in cases.split(',') {
        let small = || Case::of("small", connections);
        match case {
            "idle" => idle::report(&stacks, setting("VIPD_BENCH_IDLE", 10_000)?)?,
            "latency" => {
                let peaks = small()?.rounds(&stacks, 1, seconds)?;
                let peaks: Vec<_> = peaks[0].iter().map(|sample| sample.rate).collect();
                let span = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
                latency::report(&stacks, &peaks, connections, rounds, span)?;
            }
            "overload" => {
                let knocks = u32::try_from(setting("VIPD_BENCH_KNOCKS", 1_000)?).unwrap_or(u32::MAX);
                let span = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
                for _ in 0..rounds {
                    overload::report(&apps, f64::from(knocks), span)?;
                }
            }
            "many" => {
                let four = [
                    Stack::vipd_as("vipd", &apps, 2, "0")?,
                    Stack::vipd_as("1000", &apps, 1000, "0")?,
                    Stack::haproxy_as("HAProxy", &apps, Tuned::No, 2)?,
                    Stack::haproxy_as("H 1000", &apps, Tuned::No, 1000)?,
                ];
                report(&small()?, &four, &small()?.rounds(&four, rounds, seconds)?);
            }
            "cores" => {
                let pair = [Stack::vipd_as("vipd", &apps, 2, "0")?, Stack::vipd_as("two", &apps, 2, "0,1")?];
                report(&small()?, &pair, &small()?.rounds(&pair, rounds, seconds)?);
            }
            case => {
                let case = Case::of(case, connections)?;
                let able = stacks.partition_point(|stack| case.address(stack).is_some());
                let stacks = &stacks[..able];
                report(&case, stacks, &case.rounds(stacks, rounds, seconds)?);
            }
        }
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
    headers: &'static [&'static str],
    connections: usize,
    scheme: Scheme,
}

/// How the client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// HTTP through a frontend that does not know it.
    Tcp,
    /// In TLS, one connection after the other, each with a request (`openssl s_time`). wrk is not fit for this: its
    /// figures suggest that it resumes sessions with some proxies and not with others, and it does not say.
    Handshakes {
        /// Each resumes the session of the first.
        resumed: bool,
    },
    /// HTTP/2 in TLS (h2load): four connections with [`STREAMS`] requests at a time on each.
    H2,
}

/// A turn in which a hypervisor took more of the machine than this is had again, so often in all. A proxy that has less to
/// do sleeps more often, and waking up is a little stolen as well.
const STOLEN: f64 = 0.1;
const TURNS: usize = 5;

/// Requests at a time.
const STREAMS: &str = "32";

const CLOSE: &[&str] = &["Connection: close"];
/// With Host thirteen, as Firefox sends them.
const BROWSER: &[&str] = &[
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: https://shop.example.com/articles/overview?page=3&sort=price",
    "DNT: 1",
    "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1; basket=3c59dc048e8850243be8079a5c74d079",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Priority: u=0, i",
];

impl Case {
    fn of(name: &str, connections: usize) -> Result<Self, Failure> {
        let (work, connections) = match name.split_once('@') {
            Some((work, count)) => (work, count.parse().map_err(|_| Failure(format!("{name}: no number")))?),
            None => (name, connections),
        };
        let (path, headers): (_, &[&str]) = match work {
            "small" | "tls" | "handshake" | "resume" | "h2" => ("/small", &[]),
            "headers" => ("/small", BROWSER),
            "close" => ("/small", CLOSE),
            "16k" | "tcp16k" => ("/16k", &[]),
            "64k" | "tcp64k" => ("/64k", &[]),
            "1m" | "tcp1m" => ("/1m", &[]),
            _ => {
                return Err(Failure(format!(
                    "no case {work}: small, headers, close, tls, handshake, resume, h2, 16k, 64k, 1m, tcp16k, tcp64k, \
                     tcp1m, many, cores, latency, overload, idle"
                )));
            }
        };
        let scheme = match work {
            "tls" => Scheme::Https,
            "handshake" | "resume" => Scheme::Handshakes { resumed: work == "resume" },
            "h2" => Scheme::H2,
            "tcp16k" | "tcp64k" | "tcp1m" => Scheme::Tcp,
            _ => Scheme::Http,
        };
        Ok(Self { name: work.into(), path, headers, connections, scheme })
    }

    /// Where it is asked for; `None`: a proxy that does not speak it.
    fn address(&self, stack: &Stack) -> Option<SocketAddr> {
        match self.scheme {
            Scheme::Http => Some(stack.address),
            Scheme::Https | Scheme::Handshakes { .. } | Scheme::H2 => Some(stack.secure),
            Scheme::Tcp => stack.tcp,
        }
    }

    /// `openssl s_time`; how many connections it counted, and what it said.
    fn shake(&self, stack: &Stack, resumed: bool, seconds: usize) -> Result<(f64, String), Failure> {
        let mut s_time = Command::new("taskset");
        s_time.args([
            "-c",
            "1",
            "openssl",
            "s_time",
            if resumed { "-reuse" } else { "-new" },
            "-www",
            self.path,
        ]);
        let said =
            s_time.args(["-connect", &stack.secure.to_string(), "-time", &seconds.to_string()]).output();
        let said = said.map_err(|error| Failure(format!("openssl: {error}")))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let counted =
            text.lines().find_map(|line| line.split_once(" connections in ")?.0.trim().parse().ok());
        // It prints an `r` for each session that was resumed, a `t` or `*` for one that was not.
        let marks = |mark: char| text.lines().map(|line| line.matches(mark).count()).max().unwrap_or(0);
        let count: f64 = counted.unwrap_or(0.0);
        if (marks('r') * 2 < marks('t') + marks('*')) == resumed {
            return Err(Failure(format!(
                "{}: full and resumed handshakes are mixed up:\n{text}",
                stack.name
            )));
        }
        Ok((count, text))
    }

    /// So many rounds in which each has a turn.
    fn rounds(&self, stacks: &[Stack], rounds: usize, seconds: usize) -> Result<Vec<Vec<Sample>>, Failure> {
        let mut measured = Vec::new();
        for round in 0..=rounds {
            let turn = stacks.iter().map(|stack| self.measure_in_peace(stack, seconds));
            let turn = turn.collect::<Result<Vec<_>, _>>()?;
            // The first round warms up.
            if round > 0 {
                measured.push(turn);
            }
        }
        Ok(measured)
    }

    /// The turn of several that the machine disturbed least, or the first that it let alone.
    fn measure_in_peace(&self, stack: &Stack, seconds: usize) -> Result<Sample, Failure> {
        let mut best = self.measure(stack, seconds)?;
        for _ in 1..TURNS {
            if best.stolen <= STOLEN {
                break;
            }
            let again = self.measure(stack, seconds)?;
            if again.stolen < best.stolen {
                best = again;
            }
        }
        Ok(best)
    }

    fn measure(&self, stack: &Stack, seconds: usize) -> Result<Sample, Failure> {
        let (before, meter) = (stack.cpu()?, Meter::start()?);
        let (requests, text) = match self.scheme {
            Scheme::Handshakes { resumed } => self.shake(stack, resumed, seconds)?,
            Scheme::H2 => self.h2load(stack, seconds)?,
            Scheme::Http | Scheme::Https | Scheme::Tcp => self.load(stack, seconds)?,
        };
        let (used, stolen) = (stack.cpu()? - before, meter.stolen()?);
        if requests <= 0.0 {
            return Err(Failure(format!("{}: nothing was counted:\n{text}", stack.name)));
        }
        let seconds = f64::from(u32::try_from(seconds).map_err(|_| Failure("too many seconds".into()))?);
        Ok(Sample { micros: used * 1e6 / requests, rate: requests / seconds, stolen })
    }

    /// h2load; how many requests it counted, and what it said.
    fn h2load(&self, stack: &Stack, seconds: usize) -> Result<(f64, String), Failure> {
        let url = format!("https://{}{}", stack.secure, self.path);
        let mut h2load = Command::new("taskset");
        h2load.args(["-c", "1", "h2load", "-t1", "-c4", "-m", STREAMS, "-D", &seconds.to_string(), &url]);
        let said = h2load.output().map_err(|error| Failure(format!("h2load: {error}")))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let requests = text.lines().find(|line| line.starts_with("requests: ")).unwrap_or_default();
        if !requests.contains(" 0 failed") || !text.contains("Application protocol: h2") {
            return Err(Failure(format!("{}: h2load met errors:\n{text}", stack.name)));
        }
        let count = requests.split(", ").find_map(|part| part.strip_suffix(" succeeded")?.parse().ok());
        Ok((count.unwrap_or(0.0), text))
    }

    /// wrk; how many requests it counted, and what it said.
    fn load(&self, stack: &Stack, seconds: usize) -> Result<(f64, String), Failure> {
        let mut wrk = Command::new("taskset");
        // A machine that is busy with something else is no error.
        wrk.args([
            "-c",
            "1",
            "wrk",
            "-t1",
            "--timeout",
            "20s",
            &format!("-c{}", self.connections),
            &format!("-d{seconds}s"),
        ]);
        for header in self.headers {
            wrk.args(["-H", header]);
        }
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        let address = self.address(stack).unwrap_or(stack.address);
        let url = format!("{scheme}://{address}{}", self.path);
        let said = wrk.arg(url).output().map_err(|error| Failure(format!("wrk: {error}")))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(Failure(format!("{}: wrk met errors:\n{text}", stack.name)));
        }
        let requests: Option<f64> = text.lines().find_map(|line| {
            let (count, _) = line.trim().split_once(" requests in ")?;
            count.parse().ok()
        });
        Ok((requests.unwrap_or(0.0), text))
    }
}

/// One turn of one proxy.
#[derive(Clone, Copy)]
struct Sample {
    /// CPU time for a request, µs.
    micros: f64,
    /// Requests a second.
    rate: f64,
    /// The share of the machine's time that others had.
    stolen: f64,
}

fn report(case: &Case, stacks: &[Stack], rounds: &[Vec<Sample>]) {
    println!("\n{}: {} connections, medians of {} rounds", case.name, case.connections, rounds.len());
    print!("  {:<10}{:>12}{:>8}{:>12}", "", "CPU µs/req", "± %", "req/s");
    stacks[1..].iter().for_each(|peer| print!("{:>13}", format!("{}/it", peer.name)));
    println!("{:>12}", "RSS KiB");
    for (at, stack) in stacks.iter().enumerate() {
        let of = |value: &dyn Fn(&Vec<Sample>) -> f64| median(rounds.iter().map(value).collect());
        let micros = of(&|round| round[at].micros);
        let rate = of(&|round| round[at].rate);
        // Half of what lies between the cheapest and the dearest round: how noisy the machine was.
        let all = || rounds.iter().map(|round| round[at].micros);
        let spread = (all().fold(0.0, f64::max) - all().fold(f64::INFINITY, f64::min)) / micros * 50.0;
        print!("  {:<10}{micros:>12.2}{spread:>8.0}{rate:>12.0}", stack.name);
        for peer in 1..stacks.len() {
            print!("{:>13.2}", of(&|round| round[peer].micros / round[at].micros));
        }
        println!("{:>12}", stack.resident());
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
