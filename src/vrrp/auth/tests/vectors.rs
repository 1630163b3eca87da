//! The images in the draft's appendix, which keepalived tests itself with, and its ten mutations.

use super::*;
use crate::vrrp::wire::{self, Path};
use crate::vrrp::{Dialect, checksum};

pub(super) const V4: &str =
    "3133c801 00644402 c0000264 01010000 68000000 80000000 1b84bc4e8e43892dc6d98448f8ee2265";
pub(super) const V6: &str = "3133c801 0064a2e9 fe800000000000000000000000000100 01010000 68000000 80000000 \
                  c8c56146ebfd66ee10ec4d8186461b78";

/// Where a byte of the IPv6 image is: in the advert, and in the trailer behind its 24 bytes.
const TRAILER: usize = 24;

#[test]
fn we_sign_as_the_images_are_signed() {
    let image: [u8; 12 + LENGTH] = octets(V4);
    let (pdu, trailer) = image.split_last_chunk::<LENGTH>().expect("long enough");
    assert_eq!(member().sign(THEN, from("198.51.100.10"), pdu), Some(*trailer));
    let image: [u8; TRAILER + LENGTH] = octets(V6);
    let (pdu, trailer) = image.split_last_chunk::<LENGTH>().expect("long enough");
    assert_eq!(member().sign(THEN, from("fe80::10"), pdu), Some(*trailer));
}

#[test]
fn we_believe_the_images_once() {
    for (image, source) in
        [(octets::<40>(V4).to_vec(), "198.51.100.10"), (octets::<52>(V6).to_vec(), "fe80::10")]
    {
        let mut member = member();
        assert_eq!(judge(&mut member, THEN, from(source), &image), Ok(()));
        assert_eq!(judge(&mut member, THEN, from(source), &image), Err(Refusal::AuthReplay));
        assert_eq!(member.seen().verified, 1);
    }
}

#[test]
fn each_mutation_has_its_reason() {
    let image: [u8; TRAILER + LENGTH] = octets(V6);
    for (what, at, expected) in [
        ("priority", 2, Err(Refusal::AuthForged)),
        ("advert interval", 4, Err(Refusal::AuthForged)),
        ("checksum", 6, Ok(())),
        ("address", 8 + 15, Err(Refusal::AuthForged)),
        ("type", TRAILER, Err(Refusal::AuthMalformed)),
        ("key id", TRAILER + 1, Err(Refusal::AuthUnknownKey)),
        ("reserved", TRAILER + 2, Err(Refusal::AuthMalformed)),
        // The lowest bit, so that the time stays within the window and the MAC has to tell.
        ("seconds", TRAILER + 7, Err(Refusal::AuthForged)),
        ("counter", TRAILER + 10, Err(Refusal::AuthForged)),
        ("MAC", TRAILER + 12, Err(Refusal::AuthForged)),
    ] {
        let mut damaged = image;
        damaged[at] ^= 1;
        assert_eq!(judge(&mut member(), THEN, from("fe80::10"), &damaged), expected, "{what}");
    }
}

#[test]
fn a_signature_is_worth_nothing_elsewhere() {
    let image: [u8; TRAILER + LENGTH] = octets(V6);
    let good = from("fe80::10");
    let vrid = Vrid::new(52).expect("not zero");
    for binding in [from("fe80::20"), Binding { vrid, ..good }, Binding { version: Version::V2, ..good }] {
        assert_eq!(judge(&mut member(), THEN, binding, &image), Err(Refusal::AuthForged), "{binding:?}");
    }
    // An IPv4 address and the IPv6 address of the same leading bytes are not the same sender.
    let image: [u8; 12 + LENGTH] = octets(V4);
    let twin = from("c633:640a::");
    assert_eq!(judge(&mut member(), THEN, twin, &image), Err(Refusal::AuthForged));
}

#[test]
fn another_time_is_stale_and_the_window_is_inclusive() {
    let image: [u8; TRAILER + LENGTH] = octets(V6);
    let source = from("fe80::10");
    for seconds in [-100, -6, 6, 100] {
        let judged = judge(&mut member(), later(seconds), source, &image);
        assert_eq!(judged, Err(Refusal::AuthStale), "{seconds} s");
    }
    for seconds in [-5, 5] {
        let mut member = member();
        assert_eq!(judge(&mut member, later(seconds), source, &image), Ok(()), "{seconds} s");
        assert_eq!(member.seen().ahead_seconds, seconds);
    }
    // Seconds that are far off are refused for their time, before anything is hashed.
    let mut damaged = image;
    damaged[TRAILER + 4] ^= 1;
    assert_eq!(judge(&mut member(), THEN, source, &damaged), Err(Refusal::AuthStale));
}

#[test]
fn the_checksum_of_ipv4_leaves_the_trailer_out_and_that_of_ipv6_covers_it() {
    let image: [u8; 12 + LENGTH] = octets(V4);
    let parsed = wire::parse(&image[..12], path("198.51.100.10", "224.0.0.18")).expect("a good advert");
    assert_eq!(parsed.dialect, Dialect::Message);

    let image: [u8; TRAILER + LENGTH] = octets(V6);
    let path = path("fe80::10", "fe80::20");
    assert_eq!(checksum::folded_sum(&image, path, Dialect::Ipv6), 0xFFFF);
    assert_ne!(checksum::folded_sum(&image[..TRAILER], path, Dialect::Ipv6), 0xFFFF);
}

pub(super) fn path(source: &str, destination: &str) -> Path {
    let [source, destination] = [source, destination].map(|end| end.parse().expect("an address"));
    Path { source, destination }
}

#[test]
fn version_2_is_signed_and_believed_as_well() {
    // RFC 3768, VRID 51, 1 s: the eight zero bytes of its authentication data are part of the advert.
    let pdu: [u8; 20] = octets("21331e01 0001b5c5 0a000105 0000000000000000");
    let source = Binding { version: Version::V2, ..from("10.0.1.9") };
    let trailer = member().sign(THEN, source, &pdu);
    assert_eq!(member().verify(THEN, source, &pdu, trailer), Ok(()));
    let mut damaged = pdu;
    damaged[19] ^= 1;
    assert_eq!(member().verify(THEN, source, &damaged, trailer), Err(Refusal::AuthForged));
}
