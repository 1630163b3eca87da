//! Which settings are advised against.

use std::collections::HashMap;

use super::*;
use crate::config::parse;
use crate::net::netlink::Macvlan;

const FILE: &str = r#"
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
interface = "eth0.5"
vrid = 51
addresses = ["10.77.0.100/24", "fe80::51/64"]
"#;

/// The lines for a node with these cards and settings; every other setting is missing.
fn lines(cards: &[&str], settings: &[(&str, i64)]) -> Vec<String> {
    let config = parse("f", FILE).expect("valid").config;
    let interface = |name: &&str| Interface {
        index: 7,
        name: (*name).to_owned(),
        mac: Some(if *name == "lo" { [0; 6] } else { [2, 0, 0, 0, 0, 1] }),
        up: true,
        running: true,
        macvlan: None,
        addresses: Vec::new(),
    };
    let interfaces: Vec<_> = cards.iter().map(interface).collect();
    let settings: HashMap<_, _> = settings.iter().copied().collect();
    let found = advice(&config, &config.routers[0], &interfaces, |name| settings.get(name).copied());
    found.iter().map(Advice::line).collect()
}

#[test]
fn a_link_of_use_vmac_is_no_card_and_takes_no_router_advertisements() {
    let config = parse("f", &FILE.replace("vrid = 51", "vrid = 51\nuse_vmac = true")).expect("valid").config;
    let card = Interface {
        index: 2,
        name: "eth0".to_owned(),
        mac: Some([2, 0, 0, 0, 0, 1]),
        up: true,
        running: true,
        macvlan: None,
        addresses: Vec::new(),
    };
    let (name, mac) = ("vipd6-51".to_owned(), Some([0, 0, 0x5E, 0, 2, 51]));
    let macvlan = Some(Macvlan { below: 2, bridge: true });
    let interfaces = [card.clone(), Interface { index: 3, name, mac, macvlan, ..card }];
    let lines = |taken: i64| {
        let read = |name: &str| match name {
            "ipv6/conf/vipd6-51/accept_ra" => Some(taken),
            "ipv4/conf/eth0/rp_filter" => Some(1),
            _ => None,
        };
        let found = advice(&config, &config.routers[0], &interfaces, read);
        found.iter().map(Advice::line).collect::<Vec<_>>()
    };
    assert_eq!(lines(1), ["net.ipv6.conf.vipd6-51.accept_ra = 0"]);
    assert_eq!(lines(0), [""; 0]);
}

#[test]
fn each_setting_in_the_way_has_its_line() {
    let bad = [
        ("ipv4/conf/all/arp_ignore", 0),
        ("ipv4/conf/all/arp_announce", 1),
        ("ipv4/conf/all/promote_secondaries", 0),
        ("ipv4/conf/all/rp_filter", 0),
        ("ipv4/conf/eth0.5/rp_filter", 1),
        ("ipv4/ip_nonlocal_bind", 0),
        ("ipv6/conf/eth0.5/disable_ipv6", 1),
        ("ipv6/ip_nonlocal_bind", 1),
    ];
    assert_eq!(
        lines(&["lo", "eth0.5", "eth1"], &bad),
        [
            "net.ipv4.conf.eth0/5.promote_secondaries = 1",
            "net.ipv4.conf.eth0/5.rp_filter = 2",
            "net.ipv4.conf.all.arp_ignore = 1",
            "net.ipv4.conf.all.arp_announce = 2",
            "net.ipv6.conf.eth0/5.disable_ipv6 = 0",
            "net.ipv4.ip_nonlocal_bind = 1",
        ]
    );
    // With one card nobody can learn another one, and there is no other way back.
    assert_eq!(lines(&["lo", "eth0.5"], &bad[..5]), ["net.ipv4.conf.eth0/5.promote_secondaries = 1"]);
}

#[test]
fn a_node_that_is_set_up_well_has_none() {
    let good = [
        ("ipv4/conf/all/arp_ignore", 1),
        ("ipv4/conf/all/arp_announce", 2),
        ("ipv4/conf/eth0.5/promote_secondaries", 1),
        ("ipv4/conf/all/promote_secondaries", 0),
        ("ipv4/conf/all/rp_filter", 1),
        ("ipv4/conf/eth0.5/rp_filter", 2),
        ("ipv4/ip_nonlocal_bind", 1),
        ("ipv6/conf/eth0.5/disable_ipv6", 0),
    ];
    assert_eq!(lines(&["lo", "eth0.5", "eth1"], &good), [""; 0]);
    // A kernel that has none of them, and a card that is not there.
    assert_eq!(lines(&["lo", "eth0.5", "eth1"], &[]), [""; 0]);
    assert_eq!(lines(&["lo", "eth1"], &[("ipv4/conf/all/arp_ignore", 0)]), [""; 0]);
}

#[test]
fn a_card_that_answers_nobody_is_told_where_it_was_said() {
    assert_eq!(lines(&["eth0.5"], &[("ipv4/conf/all/arp_ignore", 8)]), ["net.ipv4.conf.all.arp_ignore = 1"]);
    let own = [("ipv4/conf/all/arp_ignore", 0), ("ipv4/conf/eth0.5/arp_ignore", 8)];
    assert_eq!(lines(&["eth0.5"], &own), ["net.ipv4.conf.eth0/5.arp_ignore = 1"]);
}
