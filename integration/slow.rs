//! slowhttptest's four attacks: vipd goes on serving everybody else, in bounded memory, and cuts the attackers off.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;
use vipd::config::Limits;

#[path = "proxy/rig.rs"]
#[expect(dead_code, reason = "what only the tests of the data plane say")]
mod rig;

use rig::{Rig, Wire, field, limits, ok, origin, rig_with};

/// Attackers at a time.
const ATTACKERS: u64 = 300;
/// How long an attack would last if nobody ended it, seconds.
const LENGTH: &str = "100";
/// What the data plane may hold for all attackers, KiB: a read buffer for each, and the rest.
const MEMORY: u64 = ATTACKERS * 80;
/// How long the proxy waits for heads and bodies here.
const SHORT: Duration = Duration::from_secs(3);

/// Answers `/large` with more than any buffer holds, and everything else with a word; reads bodies first.
fn site() -> rig::Origin {
    origin(|mut wire, _| {
        while let Some(head) = wire.head() {
            if head.starts_with("POST ") {
                // It never comes whole.
                let _ = std::io::copy(&mut wire.stream(), &mut std::io::sink());
                return;
            }
            if head.starts_with("GET /large ") {
                // An attacker never takes it all.
                let mut sent = wire.stream().write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
                while sent.is_ok() {
                    sent = wire.stream().write(&[b'x'; 16384]);
                }
                return;
            }
            wire.say(&ok("fine"));
        }
    })
}

struct Attack(Child);

impl Attack {
    /// All attackers at once, with the options of a mode.
    fn start(rig: &Rig, mode: &[&str]) -> Self {
        let (url, attackers) = (format!("http://{}/large", rig.address), ATTACKERS.to_string());
        let child = Command::new("slowhttptest")
            .args(mode)
            .args(["-c", &attackers, "-r", &attackers, "-l", LENGTH, "-i", "1", "-v", "0", "-u", &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("slowhttptest is installed");
        Self(child)
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_some()
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs an attack; while it lasts, somebody else is served with a connection for each request.
fn attacked(mode: &[&str]) {
    let app = site();
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT, ..limits() };
    let rig = rig_with(&[app.address], limits, 1);
    let before = resident();
    let mut attack = Attack::start(&rig, mode);
    let (started, mut most, mut connected, mut served) = (Instant::now(), 0, 0, 0_u32);
    // The tool ends when its connections do, or when it has read, slowly, what its kernel holds of them.
    while !(attack.is_over() || connected > ATTACKERS / 4 && rig.proxy.stats().connections == 0) {
        let mut client = Wire::connect(rig.address);
        client.say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let (head, body) = client.message();
        assert!(head.starts_with("HTTP/1.1 200 ") && body == "fine", "{head}");
        assert_eq!(field(&head, "connection"), Some("close"));
        served += 1;
        most = most.max(resident());
        connected = connected.max(rig.proxy.stats().connections);
        assert!(started.elapsed() < Duration::from_secs(60), "the attackers hold {connected} connections");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(started.elapsed() < Duration::from_secs(60), "they were cut off, not bored");
    rig.settles_at(0);
    assert!(served >= 20, "only {served} requests of others were served");
    let held = most.saturating_sub(before);
    assert!(held < MEMORY, "{held} KiB for {connected} attackers");
    println!(
        "{mode:?}: {connected} attackers, {served} others served, {held} KiB, over after {:?}",
        started.elapsed()
    );
}

/// Resident memory of the test, in which the proxy runs, without the test's own server's bodies, KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse().expect("a number of KiB")
}

#[test]
fn slow_heads() {
    attacked(&["-H", "-x", "24"]);
}

#[test]
fn slow_bodies() {
    attacked(&["-B", "-x", "24", "-s", "100000"]);
}

#[test]
fn ranges() {
    attacked(&["-R", "-t", "HEAD", "-a", "10", "-b", "3000"]);
}

#[test]
fn slow_readers() {
    attacked(&["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5"]);
}
