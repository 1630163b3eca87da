//! The same over IPv6: neighbour discovery on real kernels, with the detection of duplicates switched on where it
//! could be in the way.

use std::time::Duration;

use vipd::event::Alarm;
use vipd::lab::{Content, Frame, Host, Moment};
use vipd::link::Status;
use vipd::net::ndp::NdpSocket;
use vipd::net::netlink::Netlink;
use vipd::vrrp::{Cidr, Role};

use super::bed::{Bed, CONFIG, PATIENCE, VIP, VIP_V6};

pub(super) const V6: Cidr = Cidr { address: std::net::IpAddr::V6(VIP_V6), prefix: 64 };

/// Says on behalf of `host` that it has the address.
pub(super) fn announce_from(host: &Host) {
    let mac = host.mac().0;
    let announce = || {
        let card = nix::net::if_::if_nametoindex("eth0").expect("a card");
        NdpSocket::open().expect("a raw socket").announce(card, mac, VIP_V6).expect("sent");
    };
    host.run(announce).expect("a thread there");
}

/// From now on `host` looks for duplicates of an address for a second before it uses it, as hosts do.
fn detect_duplicates_on(host: &Host) {
    let detect = || {
        for (setting, value) in [("accept_dad", "1"), ("dad_transmits", "1")] {
            std::fs::write(format!("/proc/sys/net/ipv6/conf/eth0/{setting}"), value).expect("IPv6 is there");
        }
    };
    host.run(detect).expect("a thread there");
}

/// Whether the address is on `host`'s card and can be used; `None` when it is not there.
fn usable_on(host: &Host) -> Option<bool> {
    let look = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let found = runtime.block_on(async { Netlink::open()?.interfaces() }).expect("netlink");
        let mut addresses = found.into_iter().flat_map(|interface| interface.addresses);
        addresses.find(|assigned| assigned.cidr == V6).map(|assigned| !assigned.tentative)
    };
    host.run(look).expect("a thread there")
}

/// Gives the rogue the address, to answer for and to speak from: the kernel makes it usable a little later.
pub(super) fn give_to_the_rogue(bed: &Bed) {
    let rogue = bed.lab.host("rogue");
    rogue.add_address(V6).expect("added");
    let usable = |_: &Status| usable_on(rogue) == Some(true);
    bed.lb1().wait_for("the rogue to have the address", PATIENCE, usable).expect("it has");
}

fn asks_for_ours(frame: &Frame) -> bool {
    frame.question().is_some_and(|asked| asked == VIP || asked == VIP_V6)
}

fn is_from_the_rogue(bed: &Bed, frame: &Frame) -> bool {
    frame.source == bed.lab.host("rogue").mac() && matches!(frame.content, Content::Neighbour(_))
}

#[test]
fn a_host_that_claims_the_ipv6_address_is_answered_named_and_forgotten_when_it_stops() {
    let bed = Bed::serving(CONFIG);
    let before = bed.lb1().status().expect("a status");
    assert_eq!(before.routers[0].alarms, []);
    let rogue = bed.lab.host("rogue");
    let mark = bed.lb1().events().mark();

    // It answers for the address, and tells everybody once.
    give_to_the_rogue(&bed);
    let claimed = Moment::now();
    announce_from(rogue);
    let told = bed.announced("rogue", VIP_V6, claimed, |_| true);
    let first = bed.announced("lb1", VIP_V6, told.at, |_| true);
    assert!(first.at.since(claimed) < Duration::from_secs(1), "took {:?}", first.at.since(claimed));
    let raised = bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
    assert!(raised.what.contains(&rogue.mac().to_string()), "{}", raised.what);
    assert!(raised.what.contains("answers for 2001:db8::100 as well"), "{}", raised.what);
    // And again, as long as it answers, though it says nothing more by itself.
    let much_later = |frame: &Frame| frame.at.since(first.at) > Duration::from_secs(3);
    let later = bed.announced("lb1", VIP_V6, first.at, much_later);
    let announced = |frame: &Frame| frame.announcement().is_some_and(|(address, _)| address == VIP_V6);
    let answers = bed.count("lb1", (claimed, later.at), announced);
    let seconds = usize::try_from(later.at.since(claimed).as_secs()).expect("a few");
    assert!((5..=13 * (seconds + 1)).contains(&answers), "{answers} announcements");
    // What it answers, it answers lb1 alone: being asked does not make it lead anybody astray.
    assert_eq!(bed.count("rogue", (claimed, later.at), |frame| is_from_the_rogue(&bed, frame)), 1);
    assert!(bed.count("lb1", (claimed, later.at), asks_for_ours) >= 3);
    bed.wait_for_client(VIP_V6, "lb1");

    rogue.delete_address(V6).expect("deleted");
    bed.wait_for_the_end_of_duplicates(mark);
    let after = bed.lb1().status().expect("a status");
    assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "no change of role");
    bed.wait_for_client(VIP_V6, "lb1");
}

#[test]
fn a_takeover_wins_over_a_host_that_has_the_ipv6_address_already_and_finds_it() {
    let mut bed = Bed::hosts(CONFIG);
    let started = Moment::now();
    bed.lab.host("rogue").add_address(V6).expect("added");
    bed.speak();
    let answered = bed.capture.wait_for(started, PATIENCE, |frame| is_from_the_rogue(&bed, frame));
    assert!(answered.is_some(), "the client believes the rogue");
    for node in ["lb1", "lb2"] {
        detect_duplicates_on(bed.lab.host(node));
    }
    bed.start();
    // Not a moment is lost to the detection of duplicates, which would find one.
    let serves = |frame: &Frame| frame.advert().is_some_and(|advert| advert.priority == 200);
    let served = bed.capture.wait_for(started, PATIENCE, serves).expect("lb1's first advert");
    let first = bed.announced("lb1", VIP_V6, served.at, |_| true);
    assert!(first.at.since(served.at) < Duration::from_millis(500), "{:?}", first.at.since(served.at));
    assert_eq!(usable_on(bed.lab.host("lb1")), Some(true));
    // It says nothing by itself, and is found.
    let raised = bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || {});
    assert!(raised.what.contains(&bed.lab.host("rogue").mac().to_string()), "{}", raised.what);
    let again =
        bed.announced("lb1", VIP_V6, first.at, |frame| frame.at.since(first.at) > Duration::from_secs(6));
    assert!(again.at > first.at);
    bed.wait_for_client(VIP_V6, "lb1");
}

#[test]
fn a_host_that_only_tries_to_take_the_address_is_told_and_is_no_duplicate() {
    let bed = Bed::serving(CONFIG);
    let rogue = bed.lab.host("rogue");
    detect_duplicates_on(rogue);
    // The bursts of the takeover are over.
    let quiet = bed.lb1().status().expect("a status").routers[0].since_ms + 7_000;
    bed.capture.wait_for(Moment::from_millis(quiet), PATIENCE, |frame| frame.advert().is_some());
    let tried = Moment::now();
    rogue.add_address(V6).expect("added");
    let asked = bed.capture.wait_for(tried, PATIENCE, asks_for_ours).expect("it looks for a duplicate");
    assert_eq!(asked.source, rogue.mac());
    // The kernel's answer is one; we make sure that everybody knows, and ask whether it is meant.
    let ours = |frame: &Frame| frame.announcement() == Some((V6.address, bed.lab.host("lb1").mac()));
    let mut seen = 0;
    let burst = bed.capture.wait_for(asked.at, PATIENCE, |frame| {
        seen += usize::from(ours(frame));
        seen == 3
    });
    assert!(burst.is_some(), "{}", bed.lb1().explain());
    let doubts = |frame: &Frame| asks_for_ours(frame) && frame.source == bed.lab.host("lb1").mac();
    assert!(bed.capture.wait_for(asked.at, PATIENCE, doubts).is_some());
    assert_eq!(usable_on(rogue), Some(false));
    assert_eq!(bed.lb1().status().expect("a status").routers[0].alarms, []);
    bed.wait_for_client(VIP_V6, "lb1");
}

#[test]
fn an_address_that_failed_the_detection_of_duplicates_is_freed_by_the_takeover() {
    let bed = Bed::serving(CONFIG);
    // Put there by hand while lb1 has it: it stays there, and is good for nothing.
    let lb2 = bed.lab.host("lb2");
    detect_duplicates_on(lb2);
    lb2.add_address(V6).expect("added");
    assert_eq!(usable_on(lb2), Some(false));
    let pulled = bed.lab.unplug("lb1").expect("pulled");
    bed.lb2().wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    let serves = |frame: &Frame| frame.advert().is_some_and(|advert| advert.priority == 100);
    let served = bed.capture.wait_for(pulled, PATIENCE, serves).expect("lb2's first advert");
    let first = bed.announced("lb2", VIP_V6, served.at, |_| true);
    assert!(first.at.since(served.at) < Duration::from_millis(500), "{:?}", first.at.since(served.at));
    assert_eq!(usable_on(lb2), Some(true));
    bed.wait_for_client(VIP_V6, "lb2");
    // The same while it serves, and there is a duplicate to be found.
    bed.lab.host("rogue").add_address(V6).expect("added");
    lb2.delete_address(V6).expect("deleted");
    // Unless lb2 was quicker.
    let _added = lb2.add_address(V6);
    let usable = |_: &Status| usable_on(lb2) == Some(true);
    bed.lb2().wait_for("the address to be usable again", PATIENCE, usable).expect("put back");
}

#[test]
fn with_verify_off_nothing_is_asked_and_what_is_heard_counts() {
    for (verify, asked) in [("on", 6), ("off", 0)] {
        let config = format!("{CONFIG}verify = \"{verify}\"\ngarp_refresh = \"1s\"\n");
        let bed = Bed::serving(&config);
        let since = Moment::from_millis(bed.lb1().status().expect("a status").routers[0].since_ms);
        // Past the last question after a takeover.
        let last =
            bed.announced("lb1", VIP_V6, since, |frame| frame.at.since(since) > Duration::from_secs(7));
        assert_eq!(bed.count("lb1", (since, last.at), asks_for_ours), asked, "verify = {verify}");
        if verify == "off" {
            give_to_the_rogue(&bed);
            bed.alarm(bed.lb1(), Alarm::DuplicateAddress, || announce_from(bed.lab.host("rogue")));
            assert_eq!(bed.count("lb1", (since, Moment::now()), asks_for_ours), 0);
        }
    }
}
