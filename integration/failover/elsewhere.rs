//! An address of the pair's router that goes on a second network: it moves, is announced there, and comes and goes with
//! the rest.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use nix::sys::signal::Signal;
use vipd::lab::{Moment, Netns};
use vipd::vrrp::Role;

use super::SILENCE;
use super::pair::{NODES, PATIENCE, Pair, VIP};

/// The address on the second network.
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 5, 1);

/// The switch of the second network.
struct Second(Netns);

impl Second {
    fn create() -> Self {
        let second = Self(Netns::create().expect("a namespace"));
        second.ip("link add switch up type bridge forward_delay 0 mcast_snooping 0");
        second
    }

    /// Puts a second card into a host, with a cable to this switch.
    fn connect(&self, pair: &Pair, host: &str) {
        let mac = second_mac(host);
        let netns = format!("/proc/{}/fd/{}", std::process::id(), pair.lab.host(host).netns().number());
        self.ip(&format!("link add {host} type veth peer name eth1 address {mac} netns {netns}"));
        self.ip(&format!("link set {host} master switch up"));
        pair.on(host, "ip link set eth1 up");
    }

    fn ip(&self, line: &str) {
        let mut command = Command::new("ip");
        command.args(line.split(' '));
        let output = self.0.run(|| command.output()).expect("a thread there").expect("ip");
        assert!(output.status.success(), "ip {line}: {output:?}");
    }
}

fn second_mac(host: &str) -> String {
    let last = ["lb1", "lb2", "client"].iter().position(|name| *name == host).expect("a host of this test");
    format!("02:00:c0:a8:05:{:02x}", 0x10 + last)
}

/// The pair with a second network. lb1 has an address of its own there; lb2 has none, and reaches that network only
/// while it has the one that moves.
fn pair_on_two_networks() -> (Pair, Second) {
    let mut pair = Pair::hosts_with(|config| {
        let both = r#"["10.77.0.100/24", { address = "192.168.5.1/24", interface = "eth1" }]"#;
        let config = config.replace("[\"10.77.0.100/24\"]", both);
        config.replace("[\"10.77.0.100:3000\"]", "[\"10.77.0.100:3000\", \"192.168.5.1:3000\"]")
    });
    let second = Second::create();
    ["lb1", "lb2", "client"].iter().for_each(|host| second.connect(&pair, host));
    pair.on("lb1", "ip address add 192.168.5.2/24 dev eth1");
    pair.on("client", "ip address add 192.168.5.50/24 dev eth1");
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send_to(&[SocketAddr::from((OTHER, 3000)), SocketAddr::from((VIP, 3000))]);
    (pair, second)
}

/// Exactly `name` has both addresses, and the client on the second network sends to its card there.
fn both_held_by(pair: &Pair, name: &str) {
    pair.held_by(name);
    for node in NODES {
        let shown = pair.output_on(node, "ip -oneline address show");
        assert_eq!(shown.contains("192.168.5.1/24"), node == name, "{node}: {shown}");
    }
    let known = pair.output_on("client", "ip neighbour show 192.168.5.1 dev eth1");
    assert!(known.contains(&second_mac(name)), "not {name}: {known}\n{}", pair.explain());
}

#[test]
fn an_address_on_a_second_network_moves_with_the_others() {
    let (mut pair, _second) = pair_on_two_networks();
    both_held_by(&pair, "lb1");
    let advert = pair.advert_of("lb1", Moment::now());
    let listed = &advert.advert().expect("an advert").addresses;
    assert_eq!(*listed, [IpAddr::V4(VIP)], "adverts list those of their own network");

    let pulled = pair.lab.unplug("lb1").expect("pulled");
    pair.moved_to("lb2", pulled);
    both_held_by(&pair, "lb2");
    // Without an announcement there the client would go on sending to lb1's card for many seconds.
    let over_there = pair.tally_of(0, pulled);
    assert!(over_there.longest_gap < 2 * SILENCE, "{over_there:?}");

    let plugged = pair.lab.plug("lb1").expect("plugged");
    pair.moved_to("lb1", plugged);
    both_held_by(&pair, "lb1");
    pair.assert_smooth(plugged);

    // Removed by hand, it is back.
    pair.on("lb1", "ip address delete 192.168.5.1/24 dev eth1");
    pair.node("lb1")
        .wait_for("restored", PATIENCE, |status| status.routers[0].restored == 1)
        .expect("counted");
    pair.served_from(Moment::now());
    both_held_by(&pair, "lb1");

    // What a killed agent leaves behind, `vipd release` takes off there as well.
    pair.node_mut("lb1").kill().expect("killed");
    let output = pair.release("lb1");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("released 192.168.5.1/24 from eth1"), "{output:?}");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.served_from(Moment::now());
    both_held_by(&pair, "lb2");
}

#[test]
fn a_node_without_the_second_interface_takes_no_part_and_names_it() {
    let (mut pair, second) = pair_on_two_networks();
    let removed = Moment::now();
    pair.on("lb1", "ip link delete eth1");
    let status = pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("all or nothing");
    assert_eq!(status.routers[0].why, "there is no interface eth1, where 192.168.5.1/24 goes");
    pair.moved_to("lb2", removed);
    both_held_by(&pair, "lb2");

    let inserted = Moment::now();
    second.connect(&pair, "lb1");
    pair.moved_to("lb1", inserted);
    both_held_by(&pair, "lb1");

    // A stop takes both off.
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    pair.node_mut("lb1").process().wait(PATIENCE).expect("waited").expect("it ends");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.served_from(Moment::now());
    both_held_by(&pair, "lb2");
}
