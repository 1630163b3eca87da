//! The bed of the conflicts: two nodes of which lb1 is Active, a client that knows where the addresses are, and a rogue
//! host that knows no rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use vipd::event::{Alarm, Event};
use vipd::lab::{Capture, Frame, Lab, Moment, Node, Setup, Topology};
use vipd::link::{AlarmStatus, Status};
use vipd::vrrp::{Cidr, Role};

pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
pub(crate) const VIP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x100);
/// Ten times what anything may take; an alarm alone outlives its reason by ten seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const CONFIG: &str = r#"
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
addresses       = ["10.77.0.100/24", "2001:db8::100/64"]
advert_interval = "100ms"
"#;

pub(crate) struct Bed {
    pub(crate) nodes: Vec<Node>,
    pub(crate) capture: Capture,
    pub(crate) lab: Lab,
    setup: Setup,
}

impl Bed {
    /// lb1 serves, and the client leads there.
    pub(crate) fn serving(config: &str) -> Self {
        let mut bed = Self::hosts(config);
        bed.start();
        bed.speak();
        bed.wait_for_client(VIP, "lb1");
        bed.wait_for_client(VIP_V6, "lb1");
        bed
    }

    /// The hosts; no node runs yet.
    pub(crate) fn hosts(config: &str) -> Self {
        let lan = [("lb1", 1), ("lb2", 2), ("client", 50), ("rogue", 66)];
        let empty = Topology { hosts: Vec::new(), prefix: 24 };
        let lan = lan
            .into_iter()
            .fold(empty, |topology, (name, last)| topology.with(name, Ipv4Addr::new(10, 77, 0, last)));
        let lab = Lab::build(&lan).expect("namespaces: run this as root or through integration/run");
        for (host, last) in [("client", 50), ("rogue", 66)] {
            let address = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, last);
            lab.host(host).add_address(Cidr { address: address.into(), prefix: 64 }).expect("added");
        }
        let file = lab.dir().join("vipd.toml");
        std::fs::write(&file, config).expect("a config");
        let setup = Setup { binary: PathBuf::from(env!("CARGO_BIN_EXE_vipd")), config: file };
        let capture = Capture::start(lab.host("client")).expect("a capture");
        Self { nodes: Vec::new(), capture, lab, setup }
    }

    /// Starts the nodes; lb1 serves, lb2 watches.
    pub(crate) fn start(&mut self) {
        self.nodes =
            ["lb1", "lb2"].map(|name| Node::start(&self.lab, name, &self.setup).expect("a node")).into();
        self.lb1().wait_for_role(Role::Active, PATIENCE).expect("lb1 serves");
        let watches =
            |status: &Status| status.routers[0].role == Role::Backup && status.routers[0].peer.is_some();
        self.lb2().wait_for("a Backup that hears lb1", PATIENCE, watches).expect("lb2 watches");
    }

    pub(crate) fn lb1(&self) -> &Node {
        &self.nodes[0]
    }

    pub(crate) fn lb2(&self) -> &Node {
        &self.nodes[1]
    }

    /// Makes the client's kernel look up where the addresses are; nobody has to answer.
    pub(crate) fn speak(&self) {
        let speak = || {
            for (own, to) in [("0.0.0.0:0", IpAddr::from(VIP)), ("[::]:0", VIP_V6.into())] {
                let socket = UdpSocket::bind(own).expect("a socket");
                socket.send_to(b"?", SocketAddr::from((to, 9))).expect("sent");
            }
        };
        self.lab.host("client").run(speak).expect("a thread there");
    }

    /// The first announcement of `address` by `host` at or after `from` that is `wanted`.
    pub(crate) fn announced(
        &self,
        host: &str,
        address: impl Into<IpAddr>,
        from: Moment,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Frame {
        let said = (address.into(), self.lab.host(host).mac());
        let found = self
            .capture
            .wait_for(from, PATIENCE, |frame| frame.announcement() == Some(said) && wanted(frame));
        found.unwrap_or_else(|| {
            let lb1 = self.nodes.first().map(Node::explain);
            panic!("no announcement of {} by {host}\n{}", said.0, lb1.unwrap_or_default())
        })
    }

    /// The frames by `host` in a stretch of time that are `wanted`.
    pub(crate) fn count(
        &self,
        host: &str,
        (from, to): (Moment, Moment),
        wanted: impl Fn(&Frame) -> bool,
    ) -> usize {
        let mac = self.lab.host(host).mac();
        let frames = self.capture.between(from, to);
        frames.iter().filter(|frame| frame.source == mac && wanted(frame)).count()
    }

    /// Waits until the client's neighbour table leads to `host`.
    pub(crate) fn wait_for_client(&self, address: impl Into<IpAddr>, host: &str) {
        let (address, client) = (address.into(), self.lab.host("client"));
        let wanted = Some(self.lab.host(host).mac());
        let leads_there = |_: &Status| client.neighbour(address).expect("netlink") == wanted;
        self.lb1()
            .wait_for("the client to know where the address is", PATIENCE, leads_there)
            .unwrap_or_else(|error| panic!("{address} is not at {host}: {error}"));
    }

    /// Waits until `node` has an alarm, and does `meanwhile` whenever it looks.
    pub(crate) fn alarm(&self, node: &Node, alarm: Alarm, meanwhile: impl Fn()) -> AlarmStatus {
        let find = |status: &Status| {
            let mut alarms = status.routers[0].alarms.iter();
            alarms.find(|raised| raised.alarm == alarm).cloned()
        };
        let status = node.wait_for(&alarm.to_string(), PATIENCE, |status| {
            meanwhile();
            find(status).is_some()
        });
        find(&status.unwrap_or_else(|error| panic!("{error}\n{}", node.explain()))).expect("found")
    }

    /// Waits until lb1 says, after the `mark`, that nobody else has an address any more.
    pub(crate) fn wait_for_the_end_of_duplicates(&self, mark: usize) {
        let over =
            |event: &Event| matches!(event, Event::AlarmCleared { alarm: Alarm::DuplicateAddress, .. });
        let cleared = self
            .lb1()
            .events()
            .wait(mark, PATIENCE, |events| events.iter().any(|stamped| over(&stamped.event)).then_some(()));
        assert!(cleared.is_some(), "{}", self.lb1().explain());
        assert_eq!(self.lb1().status().expect("a status").routers[0].alarms, []);
    }
}
