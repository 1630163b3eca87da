//! What neighbour discovery says of an address, and what it does not.

use proptest::prelude::*;

use super::super::bpf::run;
use super::super::ndp::{probe, unsolicited};
use super::*;

const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x100);
const OTHER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x101);
const THEIRS: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0x66);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
/// The card that sends, and the one that it names.
const SENDER: Mac = [2, 0, 10, 77, 0, 11];
const NAMED: Mac = [2, 0, 10, 77, 0, 12];

/// A frame with a message between two addresses.
fn frame(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a short message");
    let ethernet = [&[0x33, 0x33, 0, 0, 0, 1][..], &SENDER, &[0x86, 0xDD]].concat();
    let header = [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[58, 255]].concat();
    [&ethernet[..], &header, &source.octets(), &destination.octets(), message].concat()
}

fn advert() -> Vec<u8> {
    frame(VIP, ALL_NODES, &unsolicited(NAMED, VIP))
}

/// The probe of duplicate address detection.
fn detection(target: Ipv6Addr) -> Vec<u8> {
    frame(Ipv6Addr::UNSPECIFIED, solicited_node(target), &probe(NAMED, target)[..24])
}

fn says(address: Ipv6Addr, mac: Mac) -> Option<Claim> {
    Some(Claim { address: address.into(), mac })
}

#[test]
fn an_advertisement_claims_its_target_for_the_card_that_it_names() {
    assert_eq!(claim(&advert()), says(VIP, NAMED));
    // An answer, to whoever asked.
    let mut answer = frame(VIP, THEIRS, &unsolicited(NAMED, VIP));
    answer[58] = 0x60;
    assert_eq!(claim(&answer), says(VIP, NAMED));
    // Without the option, as an answer to a unicast question may be.
    assert_eq!(claim(&frame(THEIRS, ALL_NODES, &unsolicited(NAMED, VIP)[..24])), says(VIP, SENDER));
}

#[test]
fn a_question_claims_the_address_that_it_is_sent_from_and_not_the_one_it_asks_for() {
    let question = probe(NAMED, OTHER);
    assert_eq!(claim(&frame(VIP, solicited_node(OTHER), &question)), says(VIP, NAMED));
    assert_eq!(claim(&frame(VIP, OTHER, &question[..24])), says(VIP, SENDER), "asked of one host");
    assert_eq!(claim(&frame(THEIRS, solicited_node(VIP), &probe(NAMED, VIP))), says(THEIRS, NAMED));
}

#[test]
fn the_detection_of_duplicates_claims_what_it_asks_for() {
    assert_eq!(claim(&detection(VIP)), says(VIP, SENDER));
    // With a nonce (RFC 7527).
    let message = [&probe(NAMED, VIP)[..24], &[14, 1, 1, 2, 3, 4, 5, 6]].concat();
    let nonce = |destination| claim(&frame(Ipv6Addr::UNSPECIFIED, destination, &message));
    assert_eq!(nonce(solicited_node(VIP)), says(VIP, SENDER));
    assert_eq!(nonce(ALL_NODES), None, "not to the group of the address");
    let source_card = frame(Ipv6Addr::UNSPECIFIED, solicited_node(VIP), &probe(NAMED, VIP));
    assert_eq!(claim(&source_card), None, "with a source link-layer address");
}

#[test]
fn what_a_host_must_discard_claims_nothing() {
    let with = |place: usize, byte: u8| {
        let mut frame = advert();
        frame[place] = byte;
        claim(&frame)
    };
    assert_eq!(with(58, 0x20), says(VIP, NAMED), "as it was");
    for (place, byte, why) in [
        (12, 8, "not IPv6"),
        (14, 0x40, "not version 6"),
        (19, 33, "longer than the frame"),
        (19, 31, "the option cut off"),
        (19, 23, "the target cut off"),
        (20, 17, "not ICMPv6"),
        (21, 254, "passed a router"),
        (54, 134, "a router advertisement"),
        (55, 1, "a code"),
        (58, 0x60, "an answer to everybody"),
        (22, 0xFF, "from a group"),
        (62, 0xFF, "of a group"),
        (79, 0, "an option of no length"),
        (79, 2, "an option longer than the message"),
    ] {
        assert_eq!(with(place, byte), None, "{why}");
    }
    let frame = advert();
    assert!((0..frame.len()).all(|length| claim(&frame[..length]).is_none()));
    let padded = [&frame[..], &[0xFF; 20]].concat();
    assert_eq!(claim(&padded), says(VIP, NAMED), "what is behind the message is nobody's");
}

#[test]
fn other_options_are_stepped_over() {
    let message = |options: &[u8]| [&unsolicited(NAMED, VIP)[..24], options].concat();
    let named = [&[2, 1][..], &NAMED].concat();
    let other = [&[1, 1][..], &SENDER].concat();
    let long = [&[2, 2][..], &[9; 14]].concat();
    let second = [&[2, 1][..], &SENDER].concat();
    for options in
        [[&other[..], &named].concat(), [&long[..], &named].concat(), [&named[..], &second].concat()]
    {
        assert_eq!(claim(&frame(VIP, ALL_NODES, &message(&options))), says(VIP, NAMED), "{options:?}");
    }
}

#[test]
fn the_filter_lets_in_what_is_about_one_of_the_addresses() {
    let passes = |addresses: &[Ipv6Addr], frame: &[u8]| run(&filter(addresses), frame, &[], 0) > 0;
    let asked_from = |source| frame(source, solicited_node(OTHER), &probe(NAMED, OTHER));
    for about_vip in [advert(), detection(VIP), asked_from(VIP)] {
        assert!(passes(&[OTHER, VIP], &about_vip));
        assert!(!passes(&[THEIRS], &about_vip) && !passes(&[], &about_vip));
    }
    assert!(!passes(&[VIP], &frame(THEIRS, solicited_node(VIP), &probe(NAMED, VIP))), "a user's question");
    for (place, byte) in [(20, 17), (20, 6), (21, 254), (54, 134), (54, 128)] {
        let mut other = advert();
        other[place] = byte;
        assert!(!passes(&[VIP], &other), "byte {place} is {byte}");
    }
    assert!(!passes(&[VIP], &advert()[..70]));
    let many: Vec<_> = (0..2_000).map(|n| Ipv6Addr::from_bits(VIP.to_bits() + n)).collect();
    assert!(filter(&many).len() <= 4_096 && passes(&many, &detection(many[1_999])));
    assert!(!passes(&many, &asked_from(THEIRS)));
    assert!(passes(&[&many[..], &[THEIRS]].concat(), &asked_from(OTHER)), "too many to compare");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _claim = claim(&bytes);
        // Behind a header that is right.
        let _claim = claim(&frame(VIP, ALL_NODES, &[&[136, 0][..], &bytes].concat()));
    }

    #[test]
    fn the_filter_keeps_no_claim_out(
        kind in prop::sample::select(vec![135_u8, 136]),
        flags in any::<u8>(),
        source in prop::sample::select(vec![VIP, OTHER, THEIRS, Ipv6Addr::UNSPECIFIED]),
        target in prop::sample::select(vec![VIP, OTHER, THEIRS]),
        destination in prop::sample::select(vec![ALL_NODES, solicited_node(VIP), THEIRS]),
        options in prop::sample::select(vec![0, 8]),
    ) {
        let mut message = unsolicited(NAMED, target)[..24 + options].to_vec();
        (message[0], message[4]) = (kind, flags);
        let frame = frame(source, destination, &message);
        let claimed = claim(&frame).is_some_and(|claim| claim.address == VIP);
        prop_assert!(!claimed || run(&filter(&[VIP]), &frame, &[], 0) > 0);
    }
}
