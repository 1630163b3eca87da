//! The pair under test: two real nodes, three real Nginx, and a third host that sees what users see.

use std::fs::Permissions;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vipd::lab::{
    AppServer, Capture, Exchange, Flavour, Frame, Lab, Moment, Node, Pace, Setup, Tally, Topology, Traffic,
};
use vipd::link::{PoolReport, RouterStatus, ServerState, Status};
use vipd::net::netlink::Netlink;
use vipd::vrrp::{Cidr, Role};

/// The address that moves.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// The same, as it is on the interface.
pub(crate) const ADDRESS: Cidr = Cidr { address: IpAddr::V4(VIP), prefix: 24 };
/// How long anything may take that must happen: many times what it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// The nodes, the better one first.
pub(crate) const NODES: [&str; 2] = ["lb1", "lb2"];

/// The pair's config with another time between adverts.
pub(crate) fn advertising_every(interval: &str, config: &str) -> String {
    config.replace("advert_interval = \"100ms\"", &format!("advert_interval = \"{interval}\""))
}

/// Two cores carry one pair at a time: the tests of this file take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Dropped from top to bottom: what runs first, the hosts last.
pub(crate) struct Pair {
    pub(crate) traffic: Option<Traffic>,
    pub(crate) capture: Capture,
    pub(crate) nodes: Vec<Node>,
    pub(crate) apps: Vec<AppServer>,
    pub(crate) lab: Lab,
    _turn: MutexGuard<'static, ()>,
}

impl Pair {
    /// The hosts and the application servers; no node runs yet.
    pub(crate) fn hosts() -> Self {
        Self::hosts_with(str::to_owned)
    }

    /// The same with another config: `edit` makes it from the lab's.
    pub(crate) fn hosts_with(edit: impl FnOnce(&str) -> String) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lab =
            Lab::build(&Topology::pair()).expect("namespaces: run this as root or through integration/run");
        let flavour = Flavour::found();
        assert!(matches!(flavour, Flavour::Nginx(_)), "nginx is not installed: integration/run installs it");
        let start = |app: &str| AppServer::start(&lab, app, &flavour).expect("an application server");
        let apps = ["app1", "app2", "app3"].map(start).into();
        let capture = Capture::start(lab.host("client")).expect("a capture on the client");
        let config = lab.dir().join("vipd.toml");
        std::fs::write(&config, edit(include_str!("../../config/lab.toml"))).expect("the lab's directory");
        Self { traffic: None, capture, nodes: Vec::new(), apps, lab, _turn: turn }
    }

    /// Gives a node that does not run yet a config of its own, made from the pair's.
    pub(crate) fn configure(&self, name: &str, edit: impl FnOnce(&str) -> String) {
        let shared = std::fs::read_to_string(self.setup(name).config).expect("the pair's config");
        let own = edit(&shared);
        assert_ne!(own, shared, "something was changed");
        self.file(name, "vipd.toml", &own);
    }

    /// Gives a node a key file; its path.
    pub(crate) fn key_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name, "keys", text);
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
        path
    }

    fn file(&self, name: &str, file: &str, text: &str) -> PathBuf {
        let dir = self.lab.dir().join(name);
        std::fs::create_dir_all(&dir).expect("a directory for the node");
        let path = dir.join(file);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// What a node is started with: its own config, or the pair's.
    fn setup(&self, name: &str) -> Setup {
        let own = self.lab.dir().join(name).join("vipd.toml");
        let config = if own.exists() { own } else { self.lab.dir().join("vipd.toml") };
        Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config }
    }

    /// Both nodes run, lb1 is Active, every server is up on both, and a client sends 500 requests a second.
    pub(crate) fn serving() -> Self {
        let mut pair = Self::hosts();
        pair.start_nodes(&NODES);
        pair.settle();
        pair.send();
        pair
    }

    /// The same with another config.
    pub(crate) fn serving_with(edit: impl FnOnce(&str) -> String) -> Self {
        let mut pair = Self::hosts_with(edit);
        pair.start_nodes(&NODES);
        pair.settle();
        pair.send();
        pair
    }

    /// The same with addresses of both families, of which the frontend `web` has one each; nobody sends yet.
    pub(crate) fn both_families(edit: impl FnOnce(&str) -> String) -> Self {
        let mut pair = Self::hosts_with(|config| {
            let all = r#"["10.77.0.100/24", "2001:db8::100/64"]"#;
            let config = config.replace("[\"10.77.0.100/24\"]", all);
            edit(
                &config.replace("[\"10.77.0.100:3000\"]", "[\"10.77.0.100:3000\", \"[2001:db8::100]:3000\"]"),
            )
        });
        for (host, number) in [("lb1", 1), ("lb2", 2), ("client", 0x50)] {
            let address = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, number);
            pair.lab.host(host).add_address(Cidr { address: address.into(), prefix: 64 }).expect("added");
        }
        pair.start_nodes(&NODES);
        pair.settle();
        pair
    }

    /// Starts nodes at the same time.
    pub(crate) fn start_nodes(&mut self, names: &[&'static str]) {
        let lab = &self.lab;
        let started: Vec<_> = std::thread::scope(|scope| {
            let start = |name: &&'static str| {
                let (name, setup) = (*name, self.setup(name));
                scope.spawn(move || Node::start(lab, name, &setup))
            };
            let starting: Vec<_> = names.iter().map(start).collect();
            starting.into_iter().map(|thread| thread.join().expect("no panic").expect("a node")).collect()
        });
        self.nodes.extend(started);
    }

    /// Waits until lb1 serves and lb2 is ready to.
    pub(crate) fn settle(&self) {
        let healthy = |status: &Status| pools(status).iter().all(|pool| pool.healthy == pool.servers.len());
        self.node("lb1")
            .wait_for("Active with healthy pools", PATIENCE, |status| {
                is(status, Role::Active) && healthy(status)
            })
            .expect("lb1 serves");
        self.node("lb2")
            .wait_for("Backup with healthy pools", PATIENCE, |status| {
                let hears = |router: &RouterStatus| router.peer.is_some();
                is(status, Role::Backup)
                    && status.routers.iter().all(hears)
                    && healthy(status)
                    && is_fit(status)
            })
            .expect("lb2 is ready");
    }

    /// Lets the client send to both frontends in turn.
    pub(crate) fn send(&mut self) {
        self.send_to(&[3000, 5000].map(|port| SocketAddr::from((VIP, port))));
    }

    /// Lets the client send to these in turn.
    pub(crate) fn send_to(&mut self, targets: &[SocketAddr]) {
        let client = self.lab.host("client");
        self.traffic = Some(Traffic::start(client, targets, Pace::default()).expect("a client"));
        self.served_from(Moment::now());
    }

    pub(crate) fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name() == name).expect("a node of that name")
    }

    pub(crate) fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name() == name).expect("a node of that name")
    }

    /// What `vipd release` as the service manager calls it after the agent has died.
    pub(crate) fn release(&self, name: &str) -> Output {
        self.vipd(name, &["release"])
    }

    /// What a command says on a host.
    pub(crate) fn vipd(&self, name: &str, arguments: &[&str]) -> Output {
        let runtime_dir = self.lab.dir().join(name).join("run");
        let Setup { binary, config } = self.setup(name);
        let mut command = Command::new(binary);
        command.args(arguments).arg("--config").arg(config).args(["--node", name]);
        command.arg("--runtime-dir").arg(runtime_dir);
        self.lab.host(name).run(|| command.output()).expect("a thread there").expect("the program")
    }

    /// A command on a host, which succeeds.
    pub(crate) fn on(&self, host: &str, line: &str) {
        self.output_on(host, line);
    }

    /// What a command on a host prints.
    pub(crate) fn output_on(&self, host: &str, line: &str) -> String {
        let output = self.attempt_on(host, line);
        assert!(output.status.success(), "{host}: {line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What became of a command on a host.
    pub(crate) fn attempt_on(&self, host: &str, line: &str) -> Output {
        let words: Vec<_> = line.split(' ').collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        self.lab.host(host).run(|| command.output()).expect("a thread there").expect("the program")
    }

    /// Whether the address on `host` carries our address protocol.
    pub(crate) fn is_tagged(&self, host: &str) -> bool {
        let look = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async { Netlink::open().expect("netlink").interfaces().expect("a dump") })
        };
        let interfaces = self.lab.host(host).run(look).expect("a thread there");
        let assigned = interfaces.iter().flat_map(|interface| &interface.addresses);
        assigned.filter(|assigned| assigned.cidr == ADDRESS).all(|assigned| assigned.ours)
    }

    /// The first advert of `name` at or after `from` that does not resign.
    pub(crate) fn advert_of(&self, name: &str, from: Moment) -> Frame {
        let mac = self.lab.host(name).mac();
        let serves =
            |frame: &Frame| frame.source == mac && frame.advert().is_some_and(|advert| advert.priority > 0);
        self.capture
            .wait_for(from, PATIENCE, serves)
            .unwrap_or_else(|| panic!("no advert of {name} within {PATIENCE:?}\n{}", self.explain()))
    }

    /// The address came to `name` after `from`, as a third host sees it: its advert, then a gratuitous ARP from its
    /// card, the client's neighbour table, one holder, and answers to requests.
    pub(crate) fn moved_to(&self, name: &str, from: Moment) {
        let mac = self.lab.host(name).mac();
        let advert = self.advert_of(name, from);
        let announced = self.capture.wait_for(advert.at, PATIENCE, |frame| {
            frame.source == mac
                && frame.gratuitous().is_some_and(|arp| arp.sender == VIP && arp.sender_mac == mac)
        });
        assert!(announced.is_some(), "no gratuitous ARP of {name}\n{}", self.explain());
        self.node(name).wait_for_role(Role::Active, PATIENCE).expect("the node says so");
        self.served_from(Moment::now());
        self.held_by(name);
    }

    /// lb1 reaches no server any more, so that lb2 takes over; how lb1 stands then.
    pub(crate) fn yields_without_servers(&self) -> Status {
        let cut = Moment::now();
        for app in 11..=13 {
            self.on("lb1", &format!("ip route add blackhole 10.77.0.{app}/32"));
        }
        self.moved_to("lb2", cut);
        let lb1 = self.node("lb1").wait_for_role(Role::Backup, PATIENCE).expect("lb1 stands by");
        assert_eq!(lb1.routers[0].effective_priority.get(), 1);
        lb1
    }

    /// Exactly `name` has the address, and the client's neighbour table says so.
    pub(crate) fn held_by(&self, name: &str) {
        for node in NODES {
            let holds = self.lab.host(node).holds(VIP).expect("netlink");
            assert_eq!(holds, node == name, "{node} holds {VIP}: {holds}\n{}", self.explain());
        }
        let known = self.lab.host("client").neighbour(VIP).expect("netlink");
        assert_eq!(
            known,
            Some(self.lab.host(name).mac()),
            "the client's neighbour table\n{}",
            self.explain()
        );
    }

    /// Waits until a hundred requests in a row, sent from `from` on, were answered.
    pub(crate) fn served_from(&self, from: Moment) {
        let served = self.traffic().wait_for_successes(from, 100, PATIENCE);
        assert!(served.is_some(), "requests are not answered\n{}", self.explain());
    }

    /// What became of the requests since `from`.
    pub(crate) fn tally(&self, from: Moment) -> Tally {
        self.traffic().tally(from, Moment::now())
    }

    /// No request since `from` was turned away. Those that were on their way while the address moved may have broken:
    /// their connection ended where the address no longer is. At one request every 2 ms that is one a move, rarely two;
    /// a machine that is busy with other things takes its time over a move, and makes others late. Whoever had to wait
    /// for silence would have lost a hundred and fifty.
    pub(crate) fn assert_smooth(&self, from: Moment) {
        let tally = self.tally(from);
        let refused = tally.reasons.keys().any(|why| why.starts_with("status") || why.contains("refused"));
        let smooth = tally.failed - tally.late() <= 25 && tally.late() <= 100 && !refused;
        assert!(smooth, "{tally:?}\n{}", self.explain());
    }

    /// Nothing happened to the requests of this tally: none was turned away or cut off. A machine that is busy with other
    /// things answers some too late for the client; a server that is asked in vain would be a third of them.
    pub(crate) fn assert_undisturbed(&self, tally: &Tally) {
        let disturbed = tally.failed > tally.late() || tally.late() * 4 > tally.requests;
        assert!(!disturbed, "{tally:?}\n{}", self.explain());
    }

    /// What became of the requests to one target since `from`.
    pub(crate) fn tally_of(&self, target: usize, from: Moment) -> Tally {
        let of_target =
            |all: &[Exchange]| all.iter().filter(|one| one.target == target).cloned().collect::<Vec<_>>();
        let exchanges = self.traffic().exchanges().read(of_target);
        let last = exchanges.last().map_or(from, |exchange| exchange.sent);
        Tally::of(&exchanges, from, last)
    }

    /// Adverts seen since `from`.
    pub(crate) fn adverts(&self, from: Moment) -> Vec<Frame> {
        let frames = self.capture.between(from, Moment::now());
        frames.into_iter().filter(|frame| frame.advert().is_some()).collect()
    }

    pub(crate) fn explain(&self) -> String {
        self.nodes.iter().map(Node::explain).collect::<Vec<_>>().join("\n")
    }

    fn traffic(&self) -> &Traffic {
        self.traffic.as_ref().expect("the client sends")
    }
}

/// Whether every router has this role.
pub(crate) fn is(status: &Status, role: Role) -> bool {
    status.routers.iter().all(|router| router.role == role)
}

/// Whether every router competes at its own priority.
pub(crate) fn is_fit(status: &Status) -> bool {
    status.routers.iter().all(|router| router.effective_priority == router.priority)
}

pub(crate) fn pools(status: &Status) -> &[PoolReport] {
    let report = status.proxy.as_ref().and_then(|proxy| proxy.report.as_ref());
    report.map_or(&[], |report| &report.pools)
}

/// Whether `server` has this state in every pool.
pub(crate) fn server_is(status: &Status, server: &str, state: ServerState) -> bool {
    let all = pools(status);
    !all.is_empty()
        && all
            .iter()
            .all(|pool| pool.servers.iter().any(|found| found.name == server && found.state == state))
}
