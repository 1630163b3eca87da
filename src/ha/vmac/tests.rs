//! What is to be done about a link, for each way in which it can stand.

use super::*;
use crate::net::netlink::Macvlan;

const MAC: Mac = [0, 0, 0x5E, 0, 1, 51];

fn vmac() -> Vmac {
    Vmac { name: "vipd4-51".to_owned(), mac: MAC, family: Family::V4, index: None, up: false }
}

fn card(index: u32, name: &str) -> Interface {
    let (name, mac) = (name.to_owned(), Some([2, 0, 0, 0, 0, 1]));
    Interface { index, name, mac, up: true, running: true, macvlan: None, addresses: Vec::new() }
}

fn link(below: u32) -> Interface {
    let macvlan = Some(Macvlan { below, bridge: true });
    Interface { mac: Some(MAC), macvlan, ..card(9, "vipd4-51") }
}

#[test]
fn a_link_is_made_kept_made_anew_and_removed() {
    let todo = |wanted, interfaces: &[Interface]| step(&vmac(), wanted, "eth0", interfaces);
    assert_eq!(todo(true, &[card(2, "eth0")]), Step::Create(2, None));
    assert_eq!(todo(true, &[card(2, "eth0"), link(2)]), Step::Keep);
    assert_eq!(todo(true, &[card(3, "eth0"), link(2)]), Step::Create(3, Some(9)));
    let mut private = link(2);
    private.macvlan = Some(Macvlan { below: 2, bridge: false });
    assert_eq!(todo(true, &[card(2, "eth0"), private]), Step::Create(2, Some(9)));
    assert_eq!(todo(true, &[card(2, "eth1"), link(2)]), Step::Keep, "its interface has another name for now");
    assert_eq!(todo(false, &[card(2, "eth0"), link(2)]), Step::Remove(9));
    assert_eq!(todo(false, &[card(2, "eth0")]), Step::Keep);
}

#[test]
fn what_is_not_ours_is_left_alone_and_named() {
    let todo = |wanted, interfaces: &[Interface]| step(&vmac(), wanted, "eth0", interfaces);
    let foreign = card(9, "vipd4-51");
    assert_eq!(todo(false, &[card(2, "eth0"), foreign.clone()]), Step::Keep);
    let Step::Refuse(why) = todo(true, &[card(2, "eth0"), foreign]) else { panic!("it is not ours") };
    assert!(why.contains("the name vipd4-51"), "{why}");
    let macvlan = Some(Macvlan { below: 1, bridge: true });
    let Step::Refuse(why) = todo(true, &[Interface { macvlan, ..card(2, "eth0") }]) else {
        panic!("no card")
    };
    assert!(why.starts_with("interface eth0 is a macvlan itself"), "{why}");
}

#[test]
fn name_and_mac_together_make_a_link_ours() {
    assert!(is_ours(&link(2)));
    for name in ["vipd4-52", "vipd6-51", "vipd4-", "vipd4-x", "eth0", "vipd4-0"] {
        assert!(!is_ours(&Interface { name: name.to_owned(), ..link(2) }), "{name}");
    }
    assert!(!is_ours(&Interface { mac: None, ..link(2) }));
    assert!(!is_ours(&Interface { macvlan: None, ..link(2) }));
}
