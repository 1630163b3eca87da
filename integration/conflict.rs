//! Conflicts on real kernels: another host answers for the address, and a stranger uses the VRID. Nothing moves, the
//! network is taught the truth again, and `status` names what a human has to end.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use vipd::event::{Alarm, Event};
use vipd::lab::{Capture, Frame, Host, Lab, Moment, Node, Setup, Topology};
use vipd::link::{AlarmStatus, Status};
use vipd::net::arp::{ArpSocket, Form};
use vipd::vrrp::wire::{self, Advert, Path};
use vipd::vrrp::{Centis, Cidr, Dialect, Priority, Role, Version, Vrid};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// Ten times what anything may take; an alarm alone outlives its reason by ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Two nodes of which lb1 is Active, a client that knows where the address is, and a rogue host.
struct Bed {
    nodes: Vec<Node>,
    capture: Capture,
    lab: Lab,
}

impl Bed {
    fn serving(config: &str) -> Self {
        let lan = [("lb1", 1), ("lb2", 2), ("client", 50), ("rogue", 66)];
        let lan =
            lan.into_iter().fold(Topology { hosts: Vec::new(), prefix: 24 }, |topology, (name, last)| {
                topology.with(name, Ipv4Addr::new(10, 77, 0, last))
            });
        let lab = Lab::build(&lan).expect("namespaces: run this as root or through integration/run");
        let file = lab.dir().join("vipd.toml");
        std::fs::write(&file, config).expect("a config");
        let setup = Setup { binary: PathBuf::from(env!("CARGO_BIN_EXE_vipd")), config: file };
        let capture = Capture::start(lab.host("client")).expect("a capture");
        let nodes = ["lb1", "lb2"].map(|name| Node::start(&lab, name, &setup).expect("a node")).into();
        let bed = Self { nodes, capture, lab };
        bed.lb1().wait_for_role(Role::Active, PATIENCE).expect("lb1 serves");
        bed.lb2()
            .wait_for("a Backup that hears lb1", PATIENCE, |status| {
                status.routers[0].role == Role::Backup && status.routers[0].peer.is_some()
            })
            .expect("lb2 watches");
        bed.lab.host("client").run(speak).expect("a thread there");
        bed.wait_for_client();
        bed
    }

    fn lb1(&self) -> &Node {
        &self.nodes[0]
    }

    fn lb2(&self) -> &Node {
        &self.nodes[1]
    }

    /// The first gratuitous ARP of `host` at or after `from` that is `wanted`.
    fn announced(&self, host: &str, from: Moment, wanted: impl Fn(&Frame) -> bool) -> Frame {
        let mac = self.lab.host(host).mac();
        let gratuitous = |frame: &Frame| {
            let ours = frame.gratuitous().is_some_and(|arp| arp.sender == VIP && arp.sender_mac == mac);
            ours && wanted(frame)
        };
        let found = self.capture.wait_for(from, PATIENCE, gratuitous);
        found.unwrap_or_else(|| panic!("no gratuitous ARP of {host}\n{}", self.lb1().explain()))
    }

    /// Waits until the client's neighbour table leads to lb1.
    fn wait_for_client(&self) {
        let (client, mac) = (self.lab.host("client"), self.lab.host("lb1").mac());
        let leads_to_lb1 = |_: &Status| client.neighbour(VIP).expect("netlink") == Some(mac);
        self.lb1()
            .wait_for("the client to know where the address is", PATIENCE, leads_to_lb1)
            .expect("the client's neighbour table");
    }

    /// Waits until `node` has an alarm, and does `meanwhile` whenever it looks.
    fn alarm(&self, node: &Node, alarm: Alarm, meanwhile: impl Fn()) -> AlarmStatus {
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
}

/// Makes the kernel look up where the address is; nobody has to answer.
fn speak() {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.send_to(b"?", (VIP, 9)).expect("sent");
}

/// Says on behalf of `host` that it has the address.
fn announce_from(host: &Host) {
    let mac = host.mac().0;
    let announce = || {
        let card = nix::net::if_::if_nametoindex("eth0").expect("a card");
        ArpSocket::open().expect("a packet socket").announce(card, mac, VIP, Form::Request).expect("sent");
    };
    host.run(announce).expect("a thread there");
}

/// An advert of VRID 51 with a priority of 50.
fn advertise_from(host: &Host) {
    let source = host.address();
    let advert = Advert {
        version: Version::V3,
        vrid: Vrid::new(51).expect("not zero"),
        priority: Priority::new(50),
        interval: Centis::new(10).expect("valid"),
    };
    let mut message = Vec::new();
    let path = Path::to_group(source.into());
    wire::emit(advert, &[VIP.into()], path, Dialect::Pseudo, None, &mut message);
    let send = || {
        let protocol = Protocol::from(i32::from(wire::PROTOCOL));
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).expect("a raw socket");
        socket.set_multicast_ttl_v4(255).expect("set");
        socket.set_multicast_if_v4(&source).expect("set");
        let group = SockAddr::from(std::net::SocketAddrV4::new(wire::GROUP, 0));
        socket.send_to(&message, &group).expect("sent");
    };
    host.run(send).expect("a thread there");
}

#[test]
fn a_host_that_claims_the_address_is_answered_named_and_forgotten_when_it_stops() {
    let bed = Bed::serving(CONFIG);
    let before = bed.lb1().status().expect("a status");
    assert_eq!(before.routers[0].alarms, []);
    let rogue = bed.lab.host("rogue");
    let mark = bed.lb1().events().mark();

    // It answers for the address, and tells everybody once.
    rogue.add_address(Cidr { address: VIP.into(), prefix: 32 }).expect("added");
    let claimed = Moment::now();
    announce_from(rogue);
    bed.announced("rogue", claimed, |_| true);
    let first = bed.announced("lb1", claimed, |_| true);
    assert!(first.at.since(claimed) < Duration::from_secs(1), "took {:?}", first.at.since(claimed));
    let raised = bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
    assert!(raised.what.contains(&rogue.mac().to_string()), "{}", raised.what);
    // And again, as long as it answers, though it says nothing more by itself.
    let later = bed.announced("lb1", first.at, |frame| frame.at.since(first.at) > Duration::from_secs(3));
    bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
    let answers = bed.capture.between(claimed, later.at);
    let mac = bed.lab.host("lb1").mac();
    let answers = answers.iter().filter(|frame| frame.source == mac && frame.gratuitous().is_some()).count();
    let seconds = usize::try_from(later.at.since(claimed).as_secs()).expect("a few");
    assert!((5..=13 * (seconds + 1)).contains(&answers), "{answers} announcements");
    bed.wait_for_client();

    rogue.delete_address(Cidr { address: VIP.into(), prefix: 32 }).expect("deleted");
    let cleared = bed.lb1().events().wait(mark, PATIENCE, |events| {
        let over =
            |event: &Event| matches!(event, Event::AlarmCleared { alarm: Alarm::DuplicateAddress, .. });
        events.iter().any(|stamped| over(&stamped.event)).then_some(())
    });
    assert!(cleared.is_some(), "{}", bed.lb1().explain());
    let after = bed.lb1().status().expect("a status");
    assert_eq!(after.routers[0].alarms, []);
    assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "no change of role");
    bed.wait_for_client();
}

#[test]
fn a_stranger_on_our_vrid_is_named_and_moves_nothing() {
    let bed = Bed::serving(CONFIG);
    let before = [bed.lb1(), bed.lb2()].map(|node| node.status().expect("a status").routers[0].since_ms);
    for node in [bed.lb1(), bed.lb2()] {
        let raised = bed.alarm(node, Alarm::Stranger, || advertise_from(bed.lab.host("rogue")));
        assert!(raised.what.starts_with("10.77.0.66 is no [[node]]"), "{}", raised.what);
        assert!(raised.what.contains("VRID 51 with priority 50"), "{}", raised.what);
    }
    for (node, since) in [bed.lb1(), bed.lb2()].into_iter().zip(before) {
        let router = node.status().expect("a status").routers.remove(0);
        assert_eq!(router.since_ms, since, "{}: no change of role", node.name());
        let raised: Vec<_> = router.alarms.iter().map(|status| status.alarm).collect();
        assert_eq!(raised, [Alarm::Stranger], "{}", node.name());
    }
}

#[test]
fn an_active_that_is_left_alone_announces_again_and_again_in_both_forms() {
    let bed = Bed::serving(&(CONFIG.to_owned() + "garp = \"both\"\ngarp_refresh = \"1s\"\n"));
    let taken = bed.lb1().status().expect("a status").routers[0].takeovers;
    assert_eq!(taken, 1);
    let reply = |wanted: bool| move |frame: &Frame| frame.gratuitous().is_some_and(|arp| arp.reply == wanted);
    // The bursts of the takeover are over after five seconds.
    let started = Moment::now();
    let quiet = |frame: &Frame| frame.at.since(started) > Duration::from_secs(6);
    let first = bed.announced("lb1", started, |frame| quiet(frame) && reply(false)(frame));
    let other = bed.announced("lb1", first.at, reply(true));
    assert!(other.at.since(first.at) < Duration::from_millis(300), "the reply follows the request");
    let next = bed.announced("lb1", other.at, reply(false));
    let pause = next.at.since(first.at);
    assert!((650..=1_500).contains(&pause.as_millis()), "{pause:?}");
    assert_eq!(bed.lb1().status().expect("a status").routers[0].alarms, []);
}
