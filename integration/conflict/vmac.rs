//! The same with a virtual MAC address: what has that is no conflict, and what has another is found as ever.

use std::net::IpAddr;

use vipd::event::Alarm;
use vipd::lab::{Frame, Mac, Moment};
use vipd::link::Status;
use vipd::vrrp::{Cidr, Role};

use super::bed::{Bed, CONFIG, PATIENCE, VIP, VIP_V6};
use super::{announce_from, ipv6};

const VMAC: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x01, 51]);
const VMAC_V6: Mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x02, 51]);

fn wait_for_client(bed: &Bed) {
    let client = bed.lab.host("client");
    let right = |_: &Status| client.neighbour(VIP).expect("netlink") == Some(VMAC);
    bed.lb1().wait_for("the client to know where the address is", PATIENCE, right).expect("it learns");
}

#[test]
fn a_duplicate_is_answered_from_the_virtual_mac_and_named_over_both_families() {
    let mut bed = Bed::hosts(&(CONFIG.to_owned() + "use_vmac = true\n"));
    bed.start();
    bed.speak();
    wait_for_client(&bed);
    let before = bed.lb1().status().expect("a status");
    assert_eq!(before.routers[0].alarms, []);
    let rogue = bed.lab.host("rogue");
    for address in [Cidr { address: VIP.into(), prefix: 32 }, ipv6::V6] {
        let mark = bed.lb1().events().mark();
        // It says so once; that it means it, the question finds, which goes out through the card.
        let claimed = Moment::now();
        if address.address.is_ipv4() {
            rogue.add_address(address).expect("added");
            announce_from(rogue);
        } else {
            ipv6::give_to_the_rogue(&bed);
            ipv6::announce_from(rogue);
        }
        let mac = if address.address.is_ipv4() { VMAC } else { VMAC_V6 };
        let answer = |frame: &Frame| frame.announcement() == Some((address.address, mac));
        assert!(bed.capture.wait_for(claimed, PATIENCE, answer).is_some(), "{}", bed.lb1().explain());
        let raised = bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
        assert!(raised.what.contains(&rogue.mac().to_string()), "{}", raised.what);
        assert!(raised.what.contains(&address.address.to_string()), "{}", raised.what);
        rogue.delete_address(address).expect("deleted");
        bed.wait_for_the_end_of_duplicates(mark);
    }
    wait_for_client(&bed);
    let after = bed.lb1().status().expect("a status");
    assert_eq!(
        (after.routers[0].role, after.routers[0].since_ms),
        (Role::Active, before.routers[0].since_ms)
    );
}

#[test]
fn who_has_the_address_and_keeps_silent_is_found_by_asking_through_the_card() {
    for (address, prefix, mac) in [(IpAddr::V4(VIP), 32, VMAC), (IpAddr::V6(VIP_V6), 128, VMAC_V6)] {
        let mut bed = Bed::hosts(&(CONFIG.to_owned() + "use_vmac = true\n"));
        let started = Moment::now();
        let rogue = bed.lab.host("rogue").mac();
        bed.lab.host("rogue").add_address(Cidr { address, prefix }).expect("added");
        bed.start();
        // The question has the MAC address of the card, which is where the answer comes to.
        let card = bed.lab.host("lb1").mac();
        let asks = |frame: &Frame| frame.question() == Some(address) && frame.source == card;
        assert!(bed.capture.wait_for(started, PATIENCE, asks).is_some(), "{}", bed.lb1().explain());
        let raised = bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
        assert!(raised.what.contains(&format!("{address}")), "{}", raised.what);
        assert!(raised.what.contains(&rogue.to_string()), "{}", raised.what);
        assert_eq!(bed.count("rogue", (started, Moment::now()), |frame| frame.announcement().is_some()), 0);
        let client = bed.lab.host("client");
        bed.speak();
        let right = |_: &Status| client.neighbour(address).expect("netlink") == Some(mac);
        bed.lb1().wait_for("the client to know where the address is", PATIENCE, right).expect("it learns");
    }
}
