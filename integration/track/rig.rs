//! Two agents without a proxy, a gateway and a third host that hears what users hear; each node with a directory of its
//! own for the switches and scripts of a test.

use std::fs::{Permissions, set_permissions, write};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vipd::lab::{Capture, Lab, Moment, Node, Setup, Topology};
use vipd::link::{HookStatus, RouterStatus, Status, TrackerState, TrackerStatus};
use vipd::vrrp::Role;

/// How long anything may take that must happen: many times what it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
const NODES: [&str; 2] = ["lb1", "lb2"];

const HEAD: &str = r#"
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
addresses = ["10.77.0.100/24"]
"#;

/// Two cores carry one pair at a time: the tests of this file take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Dropped from top to bottom: what runs first, the hosts last.
pub(crate) struct Rig {
    pub(crate) capture: Capture,
    nodes: Vec<Node>,
    pub(crate) lab: Lab,
    _turn: MutexGuard<'static, ()>,
}

impl Rig {
    /// The hosts; no node runs yet.
    pub(crate) fn hosts() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let topology = Topology::pair().with("gw", Ipv4Addr::new(10, 77, 0, 254));
        let lab = Lab::build(&topology).expect("namespaces: run this as root or through integration/run");
        let capture = Capture::start(lab.host("client")).expect("a capture on the client");
        let rig = Self { capture, nodes: Vec::new(), lab, _turn: turn };
        rig.mode(&rig.lab.dir().to_owned(), 0o755);
        for node in NODES {
            std::fs::create_dir(rig.at(node, "")).expect("a directory for the node");
            rig.mode(&rig.at(node, ""), 0o755);
        }
        rig
    }

    /// Both nodes run with these lines in their `[[vrrp]]`, `{dir}` being the node's directory, and more tables.
    pub(crate) fn start(&mut self, lines: &str, tables: &str) {
        let setups = NODES.map(|node| {
            let config = self.at(node, "vipd.toml");
            let dir = self.at(node, "").display().to_string();
            let text = format!("{HEAD}{lines}\n{tables}").replace("{dir}", dir.trim_end_matches('/'));
            write(&config, text).expect("a config");
            (node, Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config })
        });
        let lab = &self.lab;
        self.nodes = std::thread::scope(|scope| {
            let start = |(node, setup): &(&'static str, Setup)| {
                let (node, setup) = (*node, setup.clone());
                scope.spawn(move || Node::start(lab, node, &setup))
            };
            let starting: Vec<_> = setups.iter().map(start).collect();
            starting.into_iter().map(|thread| thread.join().expect("no panic").expect("a node")).collect()
        });
    }

    /// The same, and lb1 serves while lb2 could.
    pub(crate) fn serving(&mut self, lines: &str, tables: &str) {
        self.start(lines, tables);
        self.settle();
    }

    /// Waits until lb1 serves and lb2 could.
    pub(crate) fn settle(&self) {
        self.wait("lb1", "Active and all is well", |router| router.role == Role::Active && is_well(router));
        self.wait("lb2", "Backup and all is well", |router| {
            router.role == Role::Backup && is_well(router) && router.peer.is_some()
        });
    }

    pub(crate) fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name() == name).expect("a node of that name")
    }

    pub(crate) fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name() == name).expect("a node of that name")
    }

    /// Its router once that is as wanted.
    #[track_caller]
    pub(crate) fn wait(
        &self,
        node: &str,
        what: &str,
        wanted: impl Fn(&RouterStatus) -> bool,
    ) -> RouterStatus {
        let mut status: Status = self
            .node(node)
            .wait_for(what, PATIENCE, |status| wanted(&status.routers[0]))
            .unwrap_or_else(|error| panic!("{error}"));
        status.routers.remove(0)
    }

    /// Waits until `name` is Active and the other one is not.
    #[track_caller]
    pub(crate) fn serves(&self, name: &str) {
        self.wait(name, "role Active", |router| router.role == Role::Active);
        let other = if name == "lb1" { "lb2" } else { "lb1" };
        self.wait(other, "another role than Active", |router| router.role != Role::Active);
    }

    /// The latest run of a node's hook once that has ended and is as wanted.
    #[track_caller]
    pub(crate) fn hooked(&self, node: &str, wanted: impl Fn(&HookStatus) -> bool) -> HookStatus {
        let ran = |router: &RouterStatus| {
            router.hook.as_ref().is_some_and(|hook| hook.took_ms.is_some() && wanted(hook))
        };
        self.wait(node, "run of its hook", ran).hook.expect("it was there")
    }

    /// A file of a node.
    pub(crate) fn at(&self, node: &str, file: &str) -> PathBuf {
        self.lab.dir().join(node).join(file)
    }

    /// A script of a node that anyone may run and only its owner may write.
    pub(crate) fn script(&self, node: &str, name: &str, lines: &str) -> PathBuf {
        let path = self.at(node, name);
        write(&path, format!("#!/bin/sh\n{lines}\n")).expect("a script");
        self.mode(&path, 0o755);
        path
    }

    /// The same script for both.
    pub(crate) fn scripts(&self, name: &str, lines: &str) {
        for node in NODES {
            let dir = self.at(node, "").display().to_string();
            self.script(node, name, &lines.replace("{dir}", dir.trim_end_matches('/')));
        }
    }

    pub(crate) fn mode(&self, path: &PathBuf, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
    }

    /// A command on a host.
    pub(crate) fn on(&self, host: &str, line: &str) {
        let output = self.run(host, &mut command(line));
        assert!(output.status.success(), "{host}: {line}: {output:?}");
    }

    pub(crate) fn run(&self, host: &str, command: &mut Command) -> Output {
        self.lab.host(host).run(|| command.output()).expect("a thread there").expect("the program")
    }

    /// The longest time since `from` between two adverts of `name`.
    pub(crate) fn longest_silence(&self, name: &str, from: Moment) -> Duration {
        let mac = self.lab.host(name).mac();
        let frames = self.capture.between(from, Moment::now());
        let adverts: Vec<_> =
            frames.iter().filter(|frame| frame.source == mac && frame.advert().is_some()).collect();
        assert!(adverts.len() > 1, "{name} advertises");
        adverts.windows(2).map(|pair| pair[1].at.since(pair[0].at)).max().expect("two adverts")
    }
}

fn command(line: &str) -> Command {
    let words: Vec<_> = line.split(' ').collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// At its own priority, and every tracker as it should be.
pub(crate) fn is_well(router: &RouterStatus) -> bool {
    let passes = |tracker: &TrackerStatus| tracker.state == TrackerState::Passing;
    router.effective_priority == router.priority && router.trackers.iter().all(passes)
}

/// Inside a user namespace that maps root alone nobody else can be run. What is said of it is all there is to see then.
pub(crate) fn programs_run() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").expect("procfs is mounted");
    let ids: u64 = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum();
    ids > 65_534
}
