//! Conflicts on real kernels: another host answers for the address, and a stranger uses the VRID. Nothing moves, the
//! network is taught the truth again, and `status` names what a human has to end.

use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use vipd::event::Alarm;
use vipd::lab::{Frame, Host, Moment};
use vipd::net::arp::{ArpSocket, Form};
use vipd::vrrp::wire::{self, Advert, Path};
use vipd::vrrp::{Centis, Cidr, Dialect, Priority, Version, Vrid};

#[path = "conflict/bed.rs"]
mod bed;
#[path = "conflict/ipv6.rs"]
mod ipv6;
#[path = "conflict/vmac.rs"]
mod vmac;

use bed::{Bed, CONFIG, VIP};

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
    bed.announced("rogue", VIP, claimed, |_| true);
    let first = bed.announced("lb1", VIP, claimed, |_| true);
    assert!(first.at.since(claimed) < Duration::from_secs(1), "took {:?}", first.at.since(claimed));
    let raised = bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
    assert!(raised.what.contains(&rogue.mac().to_string()), "{}", raised.what);
    // And again, as long as it answers, though it says nothing more by itself.
    let later =
        bed.announced("lb1", VIP, first.at, |frame| frame.at.since(first.at) > Duration::from_secs(3));
    bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
    let answers = bed.count("lb1", (claimed, later.at), |frame| frame.gratuitous().is_some());
    let seconds = usize::try_from(later.at.since(claimed).as_secs()).expect("a few");
    assert!((5..=13 * (seconds + 1)).contains(&answers), "{answers} announcements");
    bed.wait_for_client(VIP, "lb1");

    rogue.delete_address(Cidr { address: VIP.into(), prefix: 32 }).expect("deleted");
    bed.wait_for_the_end_of_duplicates(mark);
    let after = bed.lb1().status().expect("a status");
    assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "no change of role");
    bed.wait_for_client(VIP, "lb1");
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
    let first = bed.announced("lb1", VIP, started, |frame| quiet(frame) && reply(false)(frame));
    let other = bed.announced("lb1", VIP, first.at, reply(true));
    assert!(other.at.since(first.at) < Duration::from_millis(300), "the reply follows the request");
    let next = bed.announced("lb1", VIP, other.at, reply(false));
    let pause = next.at.since(first.at);
    assert!((650..=1_500).contains(&pause.as_millis()), "{pause:?}");
    assert_eq!(bed.lb1().status().expect("a status").routers[0].alarms, []);
}
