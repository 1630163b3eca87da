//! `use_vmac`: the address moves with its MAC address, so that the client's neighbour table has nothing to learn, and
//! the switch learns from the adverts alone which port it is behind.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use vipd::lab::{Frame, Host, Mac, Moment, Process};
use vipd::net::netlink::Netlink;
use vipd::vrrp::Role;

use super::pair::{NODES, PATIENCE, Pair, VIP};
use super::{RESIGNED, SILENCE, VIP_V6};

#[path = "vmac_beside.rs"]
mod beside;

/// RFC 9568 §7.3.
const VMAC: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x01, 51]);

pub(super) fn with_vmac(config: &str) -> String {
    config.replace("vrid            = 51", "vrid = 51\nuse_vmac = true")
}

/// What the client's neighbour table was ever changed to.
struct Learned(Process);

impl Learned {
    fn start(pair: &Pair) -> Self {
        let log = pair.lab.dir().join("neighbours");
        let mut command = Command::new("ip");
        command.args(["monitor", "neigh"]);
        Self(Process::start(pair.lab.host("client"), &mut command, &log).expect("ip"))
    }

    /// Nothing but the virtual MAC address was ever there.
    fn was_always_the_same(&self) {
        let text = std::fs::read_to_string(self.0.log()).expect("a log");
        let about = text.lines().filter(|line| line.starts_with("10.77.0.100 ") && line.contains("lladdr"));
        let other: Vec<_> = about.filter(|line| !line.contains("00:00:5e:00:01:33")).collect();
        assert!(other.is_empty(), "{other:?}");
    }
}

/// The first advert of `name` from `from` on that does not resign: from its own address, with the virtual MAC address.
fn advert_of(pair: &Pair, name: &str, from: Moment) -> Frame {
    let own = IpAddr::V4(pair.lab.host(name).address());
    let serves =
        |frame: &Frame| frame.advert().is_some_and(|advert| advert.source == own && advert.priority > 0);
    let advert = pair.capture.wait_for(from, PATIENCE, serves);
    let advert = advert.unwrap_or_else(|| panic!("no advert of {name}\n{}", pair.explain()));
    assert_eq!(advert.source, VMAC);
    advert
}

/// The address came to `name`: its advert, an announcement, and answers; the other one has neither address nor link.
pub(super) fn moved_to(pair: &Pair, name: &str, from: Moment) {
    let advert = advert_of(pair, name, from);
    let announced = pair.capture.wait_for(advert.at, PATIENCE, |frame| {
        frame.source == VMAC
            && frame.gratuitous().is_some_and(|arp| arp.sender == VIP && arp.sender_mac == VMAC)
    });
    assert!(announced.is_some(), "nothing announced by {name}\n{}", pair.explain());
    pair.node(name).wait_for_role(Role::Active, PATIENCE).expect("the node says so");
    pair.served_from(Moment::now());
    held_by(pair, name);
}

fn held_by(pair: &Pair, name: &str) {
    for node in NODES {
        let link =
            String::from_utf8_lossy(&pair.attempt_on(node, "ip -oneline address show dev vipd4-51").stdout)
                .into_owned();
        assert_eq!(link.contains("10.77.0.100/24"), node == name, "{node}: {link}\n{}", pair.explain());
        let flags =
            String::from_utf8_lossy(&pair.attempt_on(node, "ip -oneline link show dev vipd4-51").stdout)
                .into_owned();
        assert_eq!(flags.contains(",UP"), node == name, "{node}: {flags}");
    }
    assert_eq!(pair.lab.host("client").neighbour(VIP).expect("netlink"), Some(VMAC), "{}", pair.explain());
}

#[test]
fn the_mac_moves_with_the_address_and_the_client_learns_nothing() {
    let mut pair = Pair::serving_with(with_vmac);
    held_by(&pair, "lb1");
    let learned = Learned::start(&pair);
    let status = pair.node("lb1").status().expect("a status");
    let vmac = &status.routers[0].vmacs[0];
    assert_eq!((vmac.link.as_str(), vmac.mac.as_str(), vmac.up), ("vipd4-51", "00:00:5e:00:01:33", true));
    let said = String::from_utf8_lossy(&pair.vipd("lb1", &["status"]).stdout).into_owned();
    assert!(said.contains("00:00:5e:00:01:33 on vipd4-51, up"), "{said}");

    let pulled = pair.lab.unplug("lb1").expect("pulled");
    let advert = advert_of(&pair, "lb2", pulled);
    assert!(advert.at.since(pulled) < SILENCE, "took {:?}", advert.at.since(pulled));
    moved_to(&pair, "lb2", pulled);
    let plugged = pair.lab.plug("lb1").expect("plugged");
    moved_to(&pair, "lb1", plugged);
    pair.assert_smooth(plugged);

    // The ports stay up: only the switch has something to learn.
    let asked = Moment::now();
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    let advert = advert_of(&pair, "lb2", asked);
    assert!(advert.at.since(asked) < RESIGNED, "took {:?}", advert.at.since(asked));
    moved_to(&pair, "lb2", asked);
    pair.node_mut("lb1").process().wait(PATIENCE).expect("waited").expect("it ends");
    let links = pair.output_on("lb1", "ip -oneline link show");
    assert!(!links.contains("vipd4-51"), "a stop removes the link: {links}");
    learned.was_always_the_same();
    let alarms = pair.node("lb2").status().expect("a status").routers.remove(0).alarms;
    assert_eq!(alarms, [], "the other node's claims were no conflict");
}

#[test]
fn what_someone_does_to_the_link_is_mended_without_a_takeover() {
    let pair = Pair::serving_with(with_vmac);
    held_by(&pair, "lb1");
    let learned = Learned::start(&pair);
    let started = Moment::now();
    for (harm, again) in
        [("link delete vipd4-51", 1), ("link set vipd4-51 down", 1), ("link delete vipd4-51", 2)]
    {
        let done = Moment::now();
        pair.on("lb1", &format!("ip {harm}"));
        pair.node("lb1")
            .wait_for("restored", PATIENCE, |status| {
                let router = &status.routers[0];
                router.restored >= again && router.vmacs[0].up && router.addresses[0].held
            })
            .expect("it is back");
        let advert = advert_of(&pair, "lb1", done);
        assert!(advert.at.since(done).as_millis() < 1_000, "{harm}: {:?}", advert.at.since(done));
        pair.served_from(Moment::now());
        held_by(&pair, "lb1");
        let gap = pair.tally(done).longest_gap;
        assert!(gap.as_millis() < 1_000, "{harm}: no answer for {gap:?}");
    }
    let moved = pair.adverts(started).into_iter().any(|frame| {
        frame.advert().is_some_and(|advert| advert.source == IpAddr::V4(pair.lab.host("lb2").address()))
    });
    assert!(!moved, "lb2 never had to take over");
    learned.was_always_the_same();

    // No second interface learns the address by its side, and no address comes by itself.
    let link = pair.output_on("lb1", "ip -oneline address show dev vipd4-51");
    assert_eq!(link.lines().count(), 1, "{link}");
    for (key, value) in [("arp_ignore", "1"), ("arp_announce", "2"), ("rp_filter", "2")] {
        assert_eq!(pair.output_on("lb1", &format!("sysctl -n net.ipv4.conf.vipd4-51.{key}")).trim(), value);
    }
    assert_eq!(pair.output_on("lb1", "sysctl -n net.ipv4.conf.eth0.arp_ignore").trim(), "1");
}

#[test]
fn a_killed_agent_leaves_a_link_that_release_removes_and_the_next_agent_takes_over() {
    let mut pair = Pair::serving_with(with_vmac);
    let learned = Learned::start(&pair);
    pair.node_mut("lb1").kill().expect("killed");
    let lb2 = Moment::now();
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.nodes.retain(|node| node.name() == "lb2");
    let started = Moment::now();
    pair.start_nodes(&["lb1"]);
    moved_to(&pair, "lb1", started);

    pair.node_mut("lb1").kill().expect("killed");
    let killed = Moment::now();
    let output = pair.release("lb1");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("released 10.77.0.100/24 from vipd4-51") && said.contains("removed vipd4-51"),
        "{said}"
    );
    moved_to(&pair, "lb2", killed);
    assert!(lb2 < killed);
    learned.was_always_the_same();
}

#[test]
fn released_by_hand_the_link_goes_and_comes_back_when_that_is_undone() {
    let pair = Pair::serving_with(with_vmac);
    let asked = Moment::now();
    let output = pair.release("lb1");
    assert!(output.status.success(), "{output:?}");
    moved_to(&pair, "lb2", asked);
    let undone = Moment::now();
    let output = pair.vipd("lb1", &["handover", "--undo"]);
    assert!(output.status.success(), "{output:?}");
    moved_to(&pair, "lb1", undone);
}

#[test]
fn a_new_card_gets_a_new_link() {
    let pair = Pair::serving_with(with_vmac);
    let removed = Moment::now();
    pair.lab.remove_card("lb1").expect("removed");
    pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("it notices");
    moved_to(&pair, "lb2", removed);
    let inserted = Moment::now();
    pair.lab.insert_card("lb1").expect("inserted");
    moved_to(&pair, "lb1", inserted);
}

/// The link-local address of the router answers the client: a port that nobody listens on refuses.
fn answers_on_its_link(pair: &Pair) {
    let ask = || -> io::Result<()> {
        let card = nix::net::if_::if_nametoindex("eth0")?;
        let socket = UdpSocket::bind("[::]:0")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(SocketAddrV6::new(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0x51), 9, 0, card))?;
        socket.send(b"?")?;
        socket.recv(&mut [0; 1]).map(drop)
    };
    let answer = pair.lab.host("client").run(ask).expect("a thread there");
    let refused = |error: &io::Error| error.kind() == ErrorKind::ConnectionRefused;
    assert!(answer.as_ref().is_err_and(refused), "{answer:?}\n{}", pair.explain());
}

/// The pair with addresses of both families and a virtual MAC address for each, serving `targets`.
fn both_families(targets: &[SocketAddr]) -> Pair {
    let mut pair = Pair::both_families(|config| {
        with_vmac(config).replace("\"10.77.0.100/24\", ", "\"10.77.0.100/24\", \"fe80::51/64\", ")
    });
    pair.send_to(targets);
    pair
}

#[test]
fn each_family_has_a_link_of_its_own_and_both_move() {
    let pair = both_families(&[SocketAddr::from((VIP_V6, 3000)), SocketAddr::from((VIP, 3000))]);
    let second = Mac([0x00, 0x00, 0x5e, 0x00, 0x02, 51]);
    let both = |name: &str| {
        held_by(&pair, name);
        for node in NODES {
            let shown = pair.attempt_on(node, "ip -oneline -6 address show dev vipd6-51").stdout;
            let shown = String::from_utf8_lossy(&shown).into_owned();
            let expected = if node == name { 2 } else { 0 };
            assert_eq!(shown.lines().count(), expected, "{node}: only what moves: {shown}");
        }
        let known = pair.lab.host("client").neighbour(VIP_V6).expect("netlink");
        assert_eq!(known, Some(second), "{}", pair.explain());
    };
    both("lb1");
    let over_v6 = |frame: &Frame| frame.advert().is_some_and(|advert| advert.source.is_ipv6());
    let advert = pair.capture.wait_for(Moment::now(), PATIENCE, over_v6).expect("an advert over IPv6");
    assert_eq!(advert.source, second);
    // A link-local address answers on its own link.
    answers_on_its_link(&pair);

    let pulled = pair.lab.unplug("lb1").expect("pulled");
    moved_to(&pair, "lb2", pulled);
    both("lb2");
    let over_v6 = pair.tally_of(0, pulled);
    assert!(over_v6.longest_gap < 2 * SILENCE, "{over_v6:?}");
    let plugged = pair.lab.plug("lb1").expect("plugged");
    moved_to(&pair, "lb1", plugged);
    both("lb1");
    answers_on_its_link(&pair);
    pair.assert_smooth(plugged);
}

/// Keeps the kernel's lock of the network configuration, which all hosts of the lab share, for some ten milliseconds at
/// a time until it is dropped: each time a link is set down.
struct Busy {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), vipd::lab::Error>>>,
}

impl Busy {
    fn start(host: &Host) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let toggle = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let toggle = async {
                let netlink = Netlink::open().expect("netlink");
                let card = nix::net::if_::if_nametoindex("eth0").expect("a card");
                netlink.create_macvlan("busy", card, [2, 0, 0, 0, 0, 9], "busy").await.expect("made");
                let link = nix::net::if_::if_nametoindex("busy").expect("it is there");
                while !seen.load(Ordering::Relaxed) {
                    for up in [true, false] {
                        netlink.set_up(link, up).await.expect("set");
                    }
                }
            };
            runtime.expect("a runtime").block_on(toggle);
        };
        let thread = host.netns().thread("busy", toggle).expect("a thread there");
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn the_first_advert_over_ipv6_waits_until_the_kernel_takes_in_what_is_sent_to_the_address() {
    let pair = both_families(&[SocketAddr::from((VIP_V6, 3000))]);
    let serves = |name: &str| {
        pair.node(name).wait_for_role(Role::Active, PATIENCE).expect("it takes over");
        pair.served_from(Moment::now());
    };
    // Connections that lb2 had break when their packets come to lb1; those that begin there are answered. What makes a
    // busy machine late once does so once.
    let mut unanswered = (0..3).map(|_| {
        pair.lab.unplug("lb1").expect("pulled");
        serves("lb2");
        let _busy = Busy::start(pair.lab.host("client"));
        let plugged = pair.lab.plug("lb1").expect("plugged");
        serves("lb1");
        let late = pair.tally(plugged).late();
        println!("{late} unanswered");
        late
    });
    assert!(unanswered.any(|count| count <= 5), "{}", pair.explain());
}

#[test]
fn unicast_adverts_have_the_mac_of_the_card_and_teach_nobody_another() {
    let pair = Pair::serving_with(|config| {
        with_vmac(config).replace("use_vmac = true", "use_vmac = true\ntransport = \"unicast\"")
    });
    held_by(&pair, "lb1");
    let learned = Learned::start(&pair);
    let pulled = pair.lab.unplug("lb1").expect("pulled");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.served_from(Moment::now());
    held_by(&pair, "lb2");
    let plugged = pair.lab.plug("lb1").expect("plugged");
    assert!(plugged > pulled);
    pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("lb1 preempts");
    pair.node("lb2").wait_for_role(Role::Backup, PATIENCE).expect("lb2 yields");
    pair.served_from(Moment::now());
    held_by(&pair, "lb1");
    learned.was_always_the_same();
    let own = pair.lab.host("lb2").neighbour(pair.lab.host("lb1").address()).expect("netlink");
    assert_eq!(own, Some(pair.lab.host("lb1").mac()), "the address of lb1 itself stays with its card");
}
