//! `use_vmac` beside what else a router has and what else happens to a node: routes, and a card that is renamed, set
//! down or taken out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use vipd::lab::{Mac, Moment};
use vipd::link::Status;
use vipd::vrrp::{Cidr, Role};

use super::super::VIP_V6;
use super::super::pair::{ADDRESS, NODES, PATIENCE, Pair, VIP};
use super::{Learned, VMAC, both_families, moved_to, with_vmac};

const VMAC_V6: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x02, 51]);

const TARGETS: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V6(VIP_V6), 3000), SocketAddr::new(IpAddr::V4(VIP), 3000)];

/// The IPv4 address moved to `name`, and the IPv6 address answers as well, from its link there.
fn both_moved_to(pair: &Pair, name: &str, from: Moment) {
    moved_to(pair, name, from);
    let shown = pair.output_on(name, "ip -oneline -6 address show dev vipd6-51");
    assert!(shown.contains("2001:db8::100/64"), "{name}: {shown}\n{}", pair.explain());
    let known = pair.lab.host("client").neighbour(VIP_V6).expect("netlink");
    assert_eq!(known, Some(VMAC_V6), "{}", pair.explain());
}

/// Exactly `name` has the routes: the same way for both families, from the address that moves.
fn routed_by(pair: &Pair, name: &str) {
    for node in NODES {
        let shown = ["-4", "-6"].map(|family| {
            let shown = pair.attempt_on(node, &format!("ip {family} route show proto 118")).stdout;
            String::from_utf8_lossy(&shown).trim().replace(" pref medium", "")
        });
        let expected = if node == name {
            [
                "10.8.0.0/16 via 10.77.0.50 dev eth0 src 10.77.0.100 metric 5",
                "2001:db8:8::/48 via 2001:db8::50 dev eth0 src 2001:db8::100 metric 5",
            ]
        } else {
            ["", ""]
        };
        assert_eq!(shown, expected, "{node}\n{}", pair.explain());
    }
}

#[test]
fn routes_move_with_the_virtual_mac_and_survive_what_happens_to_the_link() {
    let mut pair = Pair::both_families(|config| {
        let routes = r#"use_vmac = true
routes = [
  { to = "10.8.0.0/16", via = "10.77.0.50", src = "10.77.0.100", metric = 5 },
  { to = "2001:db8:8::/48", via = "2001:db8::50", src = "2001:db8::100", metric = 5 },
]"#;
        with_vmac(config).replace("use_vmac = true", routes)
    });
    pair.send_to(&TARGETS);
    routed_by(&pair, "lb1");
    let learned = Learned::start(&pair);
    for (harm, again) in [("delete vipd4-51", 1), ("set vipd6-51 down", 2), ("delete vipd6-51", 3)] {
        pair.on("lb1", &format!("ip link {harm}"));
        let whole = |status: &Status| {
            let router = &status.routers[0];
            router.restored >= again
                && router.vmacs.iter().all(|vmac| vmac.up)
                && router.routes.iter().all(|route| route.held)
        };
        pair.node("lb1").wait_for("everything back", PATIENCE, whole).expect("it is mended");
        routed_by(&pair, "lb1");
    }
    let pulled = pair.lab.unplug("lb1").expect("pulled");
    both_moved_to(&pair, "lb2", pulled);
    routed_by(&pair, "lb2");
    let plugged = pair.lab.plug("lb1").expect("plugged");
    both_moved_to(&pair, "lb1", plugged);
    routed_by(&pair, "lb1");
    learned.was_always_the_same();
}

#[test]
fn addresses_removed_by_hand_are_back_and_announced_from_the_link_within_a_moment() {
    let pair = both_families(&TARGETS);
    for (address, link, mac) in
        [(ADDRESS, "vipd4-51", VMAC), (Cidr { address: IpAddr::V6(VIP_V6), prefix: 64 }, "vipd6-51", VMAC_V6)]
    {
        let removed = Moment::now();
        pair.on("lb1", &format!("ip address delete {address} dev {link}"));
        let again = (address.address, mac);
        let announced = pair.capture.wait_for(removed, PATIENCE, |frame| frame.announcement() == Some(again));
        let took = announced.expect("announced again").at.since(removed);
        println!("{address} is back after {took:?}");
        assert!(took < Duration::from_millis(500), "{took:?}\n{}", pair.explain());
    }
    let status = pair.node("lb1").status().expect("a status");
    assert_eq!((status.routers[0].restored, status.routers[0].takeovers), (2, 1));
}

#[test]
fn a_card_that_is_renamed_or_set_down_moves_both_addresses_and_back() {
    let pair = both_families(&TARGETS);
    let learned = Learned::start(&pair);
    for (harm, undone) in [("set eth0 name later", "set later name eth0"), ("set eth0 down", "set eth0 up")] {
        let harmed = Moment::now();
        pair.on("lb1", &format!("ip link {harm}"));
        both_moved_to(&pair, "lb2", harmed);
        let lb1 = pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("it takes no part");
        assert!(lb1.routers[0].reasons[0].contains("interface eth0"), "{:?}", lb1.routers[0].reasons);
        let mended = Moment::now();
        pair.on("lb1", &format!("ip link {undone}"));
        both_moved_to(&pair, "lb1", mended);
        // Without an address of its own in that network, which a card that is set down loses, the one that moves has it.
        let served = pair.tally_of(0, mended);
        assert!(served.requests > served.failed, "{served:?}\n{}", pair.explain());
    }
    learned.was_always_the_same();
}

#[test]
fn a_new_card_gets_new_links_for_both_families_and_the_ipv6_network_with_the_address() {
    let pair = both_families(&TARGETS);
    let removed = Moment::now();
    pair.lab.remove_card("lb1").expect("removed");
    pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("it notices");
    both_moved_to(&pair, "lb2", removed);
    // It has no address of its own in the IPv6 network any more.
    let inserted = Moment::now();
    pair.lab.insert_card("lb1").expect("inserted");
    both_moved_to(&pair, "lb1", inserted);
    let way = pair.output_on("lb1", "ip -6 route get 2001:db8::50");
    assert!(way.contains("dev vipd6-51"), "{way}");
    let settled = Moment::now();
    pair.served_from(settled);
    let served = pair.tally_of(0, settled);
    assert!(served.requests >= 25 && served.failed <= 5, "{served:?}\n{}", pair.explain());
}
