//! The systemd unit, as far as it can be tested without systemd as process 1: systemd understands every line of it, its
//! sandbox allows the sockets that are opened, and the watchdog that it asks for is fed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vipd::lab::{Lab, Node, Process, Setup, Topology};

const UNIT: &str = include_str!("../systemd/vipd.service");
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that opens a socket of its own.
const CONFIG: &str = r#"
[[node]]
name = "lb1"
address = "10.77.0.1"
priority = 200

[[node]]
name = "lb2"
address = "10.77.0.2"
priority = 100

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
addresses = ["10.77.0.100/24", "fd77::100/64"]

[[frontend]]
name = "web"
bind = ["10.77.0.100:80", "[fd77::100]:80"]
pool = "app"

[[pool]]
name = "app"
server = [{ name = "app1", address = "[fd77::11]:8080" }]
"#;

#[test]
fn systemd_understands_every_line() {
    let dir = std::env::temp_dir().join(format!("vipd-unit-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory");
    let unit = dir.join("vipd.service");
    fs::write(&unit, UNIT.replace("/usr/bin/vipd", env!("CARGO_BIN_EXE_vipd"))).expect("written");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--recursive-errors=no", "--man=no"]).arg(&unit);
    let output = verify.output().expect("systemd-analyze is installed");
    let _gone = fs::remove_dir_all(&dir);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_sandbox_allows_every_family_of_sockets_that_is_opened() {
    let lab = Lab::build(&Topology::pair()).expect("a lab");
    let config = lab.dir().join("vipd.toml");
    fs::write(&config, CONFIG).expect("written");
    let setup = Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config };
    let node = Node::start(&lab, "lb1", &setup).expect("a node");
    let listens = |status: &vipd::link::Status| {
        let report = status.proxy.as_ref().and_then(|proxy| proxy.report.as_ref());
        report.is_some_and(|report| report.listening)
    };
    let status = node.wait_for("a proxy that listens", PATIENCE, listens).expect("it listens");
    let proxy = status.proxy.and_then(|proxy| proxy.pid).expect("a proxy");

    let allowed = UNIT.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies="));
    let allowed: BTreeSet<_> = allowed.expect("a list").split(' ').collect();
    let opened: BTreeSet<_> = [node.pid(), proxy].into_iter().flat_map(families).collect();
    assert_eq!(allowed, opened, "allowed and opened");
}

/// The families of a process's sockets, by the kernel's tables of them (proc(5)).
fn families(pid: u32) -> BTreeSet<&'static str> {
    let process = Path::new("/proc").join(pid.to_string());
    let files = fs::read_dir(process.join("fd")).expect("the process runs");
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let inode = |link: &Path| {
        let socket = link.to_str()?.strip_prefix("socket:[")?;
        Some(socket.strip_suffix(']')?.to_owned())
    };
    let inodes: BTreeSet<_> = links.filter_map(|link| inode(&link)).collect();
    // No other column of these tables can be told from an inode for sure, but addresses are hexadecimal with more
    // digits, and inodes of sockets are larger than what else is counted.
    let has = |table: &str| {
        let text = fs::read_to_string(process.join("net").join(table)).unwrap_or_default();
        text.lines().any(|line| line.split_whitespace().any(|word| inodes.contains(word)))
    };
    let tables: [(&str, &[&str]); 5] = [
        ("AF_UNIX", &["unix"]),
        ("AF_INET", &["tcp", "udp", "raw"]),
        ("AF_INET6", &["tcp6", "udp6", "raw6"]),
        ("AF_PACKET", &["packet"]),
        ("AF_NETLINK", &["netlink"]),
    ];
    tables
        .into_iter()
        .filter(|(_, tables)| tables.iter().any(|table| has(table)))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn the_watchdog_is_fed_while_the_agent_runs() {
    assert!(UNIT.lines().any(|line| line.starts_with("WatchdogSec=")), "the unit asks for it");
    let lab = Lab::build(&Topology::pair()).expect("a lab");
    let [config, socket, log] = ["vipd.toml", "notify.sock", "vipd.log"].map(|name| lab.dir().join(name));
    fs::write(&config, CONFIG).expect("written");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command.args(["run", "--node", "lb1", "--config"]).arg(&config).arg("--runtime-dir").arg(lab.dir());
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "300000");
    let mut agent = Process::start(lab.host("lb1"), &mut command, &log).expect("it starts");
    let hear = |word: &str| {
        let mut message = [0; 4096];
        loop {
            let length = manager.recv(&mut message).expect("the agent speaks");
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == word.as_bytes()) {
                return;
            }
        }
    };
    hear("READY=1");
    (0..3).for_each(|_| hear("WATCHDOG=1"));
    agent.signal(nix::sys::signal::Signal::SIGTERM).expect("signalled");
    hear("STOPPING=1");
    // Nobody reads any more: a manager that hangs must not keep the agent from ending.
    assert!(agent.wait(PATIENCE).expect("waited").expect("it ends").success());
}
