//! `use_vmac`, and what it cannot go with.

use super::*;

const VRID: &str = "vrid = 51";

#[test]
fn a_virtual_mac_is_asked_for_by_router_and_off_otherwise() {
    let with_it = with(VRID, "vrid = 51\nuse_vmac = true");
    assert!(!parsed(SMALL).config.routers[0].use_vmac);
    let config = parsed(&with_it).config;
    assert!(config.routers[0].use_vmac);
    assert_eq!(parsed(&show(&config)).config, config);
    assert_problem(VRID, "vrid = 51\nuse_vmac = \"on\"", "\"on\": expected true or false, found a string");
}

#[test]
fn two_routers_cannot_have_the_same_virtual_mac() {
    let second = |interface: &str, vrid: u8, vmac: bool| {
        let router = format!(
            "[[vrrp]]\nname = \"db\"\ninterface = \"{interface}\"\nvrid = {vrid}\nuse_vmac = {vmac}\n\
             addresses = [\"10.77.1.100/24\"]\n[[frontend]]"
        );
        problems(&with(VRID, "vrid = 51\nuse_vmac = true").replace("[[frontend]]", &router))
    };
    assert_eq!(second("eth1", 52, true), [""; 0]);
    assert_eq!(second("eth1", 51, false), [""; 0]);
    assert_eq!(
        second("eth1", 51, true),
        [
            "true: two routers of vrid 51 would have the same virtual MAC address; give one of them another vrid"
        ]
    );
    assert_eq!(second("eth0", 51, true).len(), 1, "what is wrong on one interface is said once");
}

#[test]
fn the_owner_of_an_address_keeps_the_mac_of_its_card() {
    let text = with("priority = 200", "priority = 255").replace(VRID, "vrid = 51\nuse_vmac = true");
    let found = problems(&text);
    assert!(
        found.len() == 1 && found[0].starts_with("true: the owner of an address has it on its own"),
        "{found:?}"
    );
    assert_eq!(
        problems(&text.replace("use_vmac = true", "use_vmac = false"))
            .iter()
            .filter(|said| !said.starts_with("warning"))
            .count(),
        0
    );
}
