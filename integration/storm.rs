//! A flood of malformed packets moves no address, delays no advert and costs no memory, and is counted by reason.
//!
//! Three seconds at 100,000 packets a second, or as many as the machine can send; `VIPD_STORM_SECONDS` says how many
//! seconds instead.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use vipd::lab::{Capture, Lab, Moment, Node, Setup, Topology};
use vipd::link::Status;
use vipd::vrrp::{Role, Vrid};

#[path = "storm/sender.rs"]
mod sender;

const CONFIG: &str = r#"
[[node]]
name     = "lb1"
address  = "10.77.0.1"
priority = 200

[[node]]
name     = "lb2"
address  = "10.77.0.2"
priority = 100

[[vrrp]]
name            = "web"
interface       = "eth0"
vrid            = 51
addresses       = ["10.77.0.100/24"]
advert_interval = "100ms"
"#;
const INTERVAL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(15);
const RATE: u32 = 100_000;
/// Every reason of the storm, as `status` has it.
const REASONS: [&str; 7] = [
    "TTL is not 255",
    "another VRRP version than configured",
    "not an ADVERTISEMENT",
    "length does not fit the address count",
    "address count is 0",
    "wrong checksum",
    "VRID is not configured on the interface",
];

#[test]
fn a_storm_moves_nothing_delays_nothing_and_leaves_nothing_behind() {
    let lan = [("lb1", 1), ("lb2", 2), ("client", 50)];
    let lan = lan.into_iter().fold(Topology { hosts: Vec::new(), prefix: 24 }, |topology, (name, last)| {
        topology.with(name, Ipv4Addr::new(10, 77, 0, last))
    });
    let lab = Lab::build(&lan).expect("namespaces: run this as root or through integration/run");
    let config = lab.dir().join("vipd.toml");
    std::fs::write(&config, CONFIG).expect("a config");
    let setup = Setup { binary: PathBuf::from(env!("CARGO_BIN_EXE_vipd")), config };
    let capture = Capture::start(lab.host("client")).expect("a capture");
    let nodes = ["lb1", "lb2"].map(|name| Node::start(&lab, name, &setup).expect("a node"));
    nodes[0].wait_for_role(Role::Active, PATIENCE).expect("lb1 is Active");
    nodes[1].wait_for_role(Role::Backup, PATIENCE).expect("lb2 is Backup");
    // A short storm first: code that runs for the first time takes memory once.
    let vrid = Vrid::new(51).expect("valid");
    sender::storm(lab.host("client"), vrid, RATE, Duration::from_millis(300)).expect("it is sent");

    let before = nodes.each_ref().map(look);
    let sent = sender::storm(lab.host("client"), vrid, RATE, seconds()).expect("it is sent");
    println!("{} packets, {} a second", sent.packets, sent.rate());
    assert!(sent.rate() > u64::from(RATE / 20), "this is no storm: {sent:?}");
    let next = capture.wait_for(sent.to, PATIENCE, |frame| frame.advert().is_some());
    assert!(next.is_some(), "adverts go on");
    let after = nodes.each_ref().map(look);

    for ((before, after), node) in before.iter().zip(&after).zip(&nodes) {
        let (name, log) = (node.name(), node.explain());
        let (was, is) = (&before.status.routers[0], &after.status.routers[0]);
        assert_eq!((is.role, is.since_ms), (was.role, was.since_ms), "{name} changed its role\n{log}");
        let grown = after.resident.saturating_sub(before.resident);
        println!("{name}: {} KiB resident, {grown} more than before", after.resident);
        assert!(grown < 512, "{name} grew by {grown} KiB");
        let counted: Vec<_> = REASONS.map(|reason| count(after, reason) - count(before, reason)).into();
        println!("{name}: {REASONS:?} {counted:?}");
        assert!(counted.iter().all(|count| *count > 0), "{name}: every reason is counted: {counted:?}");
        // Estimates, and what the machine itself lost on the way is missing.
        let sum: u64 = counted.iter().sum();
        assert!((sent.packets / 10..sent.packets * 2).contains(&sum), "{name}: {sum} of {}", sent.packets);
    }
    let latest = longest_gap(&capture, sent.from, sent.to);
    println!("longest time between two adverts: {latest:?}");
    assert!(latest < 2 * INTERVAL, "an advert was {:?} late", latest - INTERVAL);
}

/// What is known of a node.
struct Seen {
    status: Status,
    /// VmRSS in KiB (proc(5)).
    resident: u64,
}

fn look(node: &Node) -> Seen {
    let text = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("procfs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let resident = line.trim().trim_end_matches(" kB").parse().expect("a number");
    Seen { status: node.status().expect("a status"), resident }
}

fn count(seen: &Seen, reason: &str) -> u64 {
    let found = seen.status.refused.iter().find(|(refused, _)| refused == reason);
    found.map_or(0, |(_, count)| *count)
}

fn longest_gap(capture: &Capture, from: Moment, to: Moment) -> Duration {
    let frames = capture.between(from, to);
    let adverts = frames.iter().filter(|frame| frame.advert().is_some()).map(|frame| frame.at);
    let moments: Vec<_> = std::iter::once(from).chain(adverts).chain([to]).collect();
    moments.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or_default()
}

fn seconds() -> Duration {
    let asked = std::env::var("VIPD_STORM_SECONDS").ok();
    let seconds = asked.map_or(3, |text| text.parse().expect("VIPD_STORM_SECONDS is a number of seconds"));
    Duration::from_secs(seconds)
}
