//! Which interfaces can take the addresses of a router.

use super::*;
use crate::net::netlink::Assigned;

const MAC: Mac = [2, 0, 10, 77, 0, 1];

fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').expect("a prefix");
    Cidr { address: address.parse().expect("an address"), prefix: prefix.parse().expect("a length") }
}

fn place(text: &str, name: &str) -> Place {
    Place { cidr: cidr(text), name: name.to_owned(), vmac: None, seat: None, held: false }
}

fn interface(index: u32, name: &str, addresses: &[(&str, bool)]) -> Interface {
    let assigned = |(text, ours): &(&str, bool)| Assigned { cidr: cidr(text), ours: *ours, tentative: false };
    Interface {
        index,
        name: name.to_owned(),
        mac: Some(MAC),
        up: true,
        running: true,
        macvlan: None,
        addresses: addresses.iter().map(assigned).collect(),
    }
}

#[test]
fn each_address_goes_on_its_own_interface() {
    let there = [interface(2, "eth0", &[]), interface(3, "eth1", &[])];
    let all =
        [place("10.77.0.100/24", "eth0"), place("10.77.0.101/24", "eth0"), place("10.1.0.1/24", "eth1")];
    let found = seats(&all, &there).expect("both are there");
    assert_eq!(found.iter().map(|seat| seat.index).collect::<Vec<_>>(), [2, 2, 3]);
}

#[test]
fn an_interface_that_cannot_take_its_address_is_a_fault_that_names_it() {
    let mut there = [interface(2, "eth0", &[]), interface(3, "eth1", &[])];
    let all = [place("10.77.0.100/24", "eth0"), place("10.1.0.1/24", "eth1")];
    let fault = |there: &[Interface]| seats(&all, there).expect_err("a fault");
    assert_eq!(fault(&there[..1]), "there is no interface eth1, where 10.1.0.1/24 goes");
    there[1].running = false;
    assert!(fault(&there).contains("eth1, where 10.1.0.1/24 goes, has no carrier"));
    there[1].up = false;
    assert!(fault(&there).ends_with("is down: `ip link set eth1 up`"));
}

#[test]
fn the_route_to_a_network_comes_with_the_address_where_nothing_else_brings_it() {
    let brings = |text: &str, addresses: &[(&str, bool)]| {
        let there = [interface(2, "eth0", addresses)];
        seats(&[place(text, "eth0")], &there).expect("it is there")[0].brings_network
    };
    assert!(brings("10.77.0.100/24", &[]));
    assert!(!brings("10.77.0.100/24", &[("10.77.0.1/24", false)]));
    assert!(!brings("10.77.0.100/24", &[("10.77.1.1/16", false)]));
    assert!(brings("10.77.0.100/24", &[("10.78.0.1/24", false), ("10.77.0.1/25", false)]));
    // Those of ours go away too, and an address does not keep its own network.
    assert!(brings("10.77.0.100/24", &[("10.77.0.101/24", true), ("10.77.0.100/24", false)]));
    assert!(brings("fd77::100/64", &[("fe80::1/64", false)]));
    assert!(!brings("fd77::100/64", &[("fd77::1/64", false)]));
}

#[test]
fn nothing_is_announced_on_a_loopback() {
    let mut there = [interface(1, "lo", &[])];
    there[0].mac = Some([0; 6]);
    assert_eq!(seats(&[place("10.9.9.9/32", "lo")], &there).expect("it is there")[0].mac, None);
}

#[test]
fn questions_over_ipv6_come_from_the_interfaces_own_link_local_address() {
    let mut there =
        [interface(2, "eth0", &[("fe80::51/64", true), ("fd77::1/64", false), ("fe80::1/64", false)])];
    let source =
        |there: &[Interface]| seats(&[place("fd77::100/64", "eth0")], there).expect("it is there")[0].source;
    assert_eq!(source(&there), Some("fe80::1".parse().expect("an address")));
    there[0].addresses[2].tentative = true;
    assert_eq!(source(&there), None);
}
