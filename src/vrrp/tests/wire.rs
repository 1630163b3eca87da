//! Byte vectors in both dialects, and what must hold for any bytes at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Centis, Dialect, Family, Priority, Refusal, Version, Vrid};

use super::{bytes, centis};

const PATH: Path = Path::to_group(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 251)));
const VIPS: [IpAddr; 2] = [v4(192, 0, 2, 1), v4(192, 0, 2, 2)];
/// VRID 10, priority 200, 1 s, 192.0.2.1 and .2, from 192.0.2.251 to the group.
const PSEUDO: &str = "310ac8020064defbc0000201c0000202";
const MESSAGE: &str = "310ac8020064828ac0000201c0000202";

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn advert() -> Advert {
    Advert {
        version: Version::V3,
        vrid: Vrid::new(10).expect("not zero"),
        priority: Priority::new(200),
        interval: centis(100),
    }
}

#[test]
fn both_dialects_byte_for_byte() {
    for (dialect, vector) in [(Dialect::Pseudo, PSEUDO), (Dialect::Message, MESSAGE)] {
        let mut message = Vec::new();
        wire::emit(advert(), &VIPS, PATH, dialect, None, &mut message);
        assert_eq!(message, bytes(vector), "{dialect}");
        let parsed = wire::parse(&message, PATH).expect("our own bytes");
        assert_eq!(parsed.advert, advert());
        assert_eq!(parsed.dialect, dialect);
        assert_eq!(parsed.addresses, [192, 0, 2, 1, 192, 0, 2, 2]);
    }
}

#[test]
fn each_lie_has_its_own_reason() {
    let refusal = |edit: fn(&mut Vec<u8>)| {
        let mut message = bytes(PSEUDO);
        edit(&mut message);
        wire::parse(&message, PATH).err()
    };
    assert_eq!(refusal(|message| message.clear()), Some(Refusal::Length));
    assert_eq!(refusal(|message| message.truncate(7)), Some(Refusal::Length));
    assert_eq!(refusal(|message| message.truncate(12)), Some(Refusal::Length));
    assert_eq!(refusal(|message| message.push(0)), Some(Refusal::Length));
    assert_eq!(refusal(|message| message.extend([0; 4])), Some(Refusal::Length));
    assert_eq!(refusal(|message| message[3] = 3), Some(Refusal::Length));
    assert_eq!(refusal(|message| message[0] = 0x11), Some(Refusal::Version));
    assert_eq!(refusal(|message| message[0] = 0x41), Some(Refusal::Version));
    assert_eq!(refusal(|message| message[0] = 0x32), Some(Refusal::Type));
    assert_eq!(refusal(|message| message[6] ^= 1), Some(Refusal::Checksum));
    assert_eq!(refusal(|message| message[2] = 201), Some(Refusal::Checksum));
    assert_eq!(
        refusal(|message| message.splice(3.., [0, 0, 100, 0, 0]).for_each(drop)),
        Some(Refusal::NoAddresses)
    );
}

#[test]
fn an_interval_of_zero_and_a_vrid_of_zero_are_refused_although_their_checksum_is_right() {
    let corrected = |position: usize, byte: u8| {
        let mut message = bytes(PSEUDO);
        message[position] = byte;
        message[6..8].fill(0);
        let sum = pseudo_sum(&message);
        message[6..8].copy_from_slice(&sum.to_be_bytes());
        wire::parse(&message, PATH).err()
    };
    assert_eq!(corrected(5, 0), Some(Refusal::Interval));
    assert_eq!(corrected(1, 0), Some(Refusal::UnknownVrid));
}

#[test]
fn the_reserved_bits_are_ignored() {
    let mut message = bytes(PSEUDO);
    message[4] = 0xF0;
    message[6..8].fill(0);
    let sum = pseudo_sum(&message);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(wire::parse(&message, PATH).expect("reserved bits are ignored").advert, advert());
}

/// Written anew here, word by word, so that it does not repeat a mistake of the code.
fn pseudo_sum(message: &[u8]) -> u16 {
    let mut all = Vec::new();
    all.extend([192, 0, 2, 251, 224, 0, 0, 18]);
    all.extend([0, 112]);
    all.extend(u16::try_from(message.len()).expect("short").to_be_bytes());
    all.extend(message);
    let mut sum: u32 = 0;
    for word in all.chunks(2) {
        sum += u32::from(word[0]) * 256 + word.get(1).map_or(0, |low| u32::from(*low));
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

#[test]
fn version_2_byte_for_byte() {
    let v2 = |vrid, priority| Advert {
        version: Version::V2,
        vrid: Vrid::new(vrid).expect("not zero"),
        priority: Priority::new(priority),
        interval: centis(100),
    };
    for (advert, vips, vector) in [
        (v2(10, 200), &VIPS[..], "210ac802000192edc0000201c00002020000000000000000"),
        (v2(51, 30), &[v4(10, 0, 1, 5)][..], "21331e010001b5c50a0001050000000000000000"),
    ] {
        let mut message = Vec::new();
        wire::emit(advert, vips, PATH, Dialect::Pseudo, None, &mut message);
        assert_eq!(message, bytes(vector));
        let parsed = wire::parse(&message, PATH).expect("our own bytes");
        assert_eq!((parsed.advert, parsed.dialect, parsed.password), (advert, Dialect::Message, None));
    }
}

#[test]
fn version_2_carries_a_password() {
    let advert = Advert { version: Version::V2, ..advert() };
    let mut message = Vec::new();
    wire::emit(advert, &VIPS, PATH, Dialect::Message, Some(*b"secret\0\0"), &mut message);
    assert_eq!((message[4], &message[16..]), (1, &b"secret\0\0"[..]));
    assert_eq!(wire::parse(&message, PATH).expect("our own bytes").password, Some(*b"secret\0\0"));
    // Auth type 2 (AH) and others are spoken by nobody; one's complement makes up for the change.
    message[4] = 2;
    message[6..8].fill(0);
    let sum = message.chunks(2).fold(0_u32, |sum, word| sum + u32::from(word[0]) * 256 + u32::from(word[1]));
    let folded = u16::try_from((sum & 0xFFFF) + (sum >> 16)).expect("folded");
    message[6..8].copy_from_slice(&(!folded).to_be_bytes());
    assert_eq!(wire::parse(&message, PATH).err(), Some(Refusal::AuthType));
}

#[test]
fn version_3_over_ipv6_byte_for_byte() {
    let path = Path::to_group(IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0xC8)));
    let vips = [
        IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1)),
        v4(192, 0, 2, 1),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1)),
    ];
    let advert = Advert { priority: Priority::new(100), ..advert() };
    let mut message = Vec::new();
    wire::emit(advert, &vips, path, Dialect::Pseudo, None, &mut message);
    let vector = "310a640200643f5dfe80000000000000000000000000000120010db8000000000000000000000001";
    assert_eq!(message, bytes(vector), "only addresses of the family are listed");
    let parsed = wire::parse(&message, path).expect("our own bytes");
    assert_eq!((parsed.advert, parsed.dialect), (advert, Dialect::Ipv6));
    let v2 = bytes("210ac802000192edc0000201c00002020000000000000000");
    assert_eq!(wire::parse(&v2, path).err(), Some(Refusal::Version), "version 2 is for IPv4 alone");
}

#[test]
fn an_old_keepalived_sums_the_group_although_it_sends_to_one_node() {
    let to_us = Path { destination: v4(192, 0, 2, 1), ..PATH };
    let mut message = Vec::new();
    wire::emit(advert(), &VIPS, PATH, Dialect::Pseudo, None, &mut message);
    assert_eq!(wire::parse(&message, to_us).expect("a known dialect").dialect, Dialect::GroupPseudo);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(message in prop::collection::vec(any::<u8>(), 0..96), source: IpAddr, destination: IpAddr) {
        let path = Path { source, destination };
        let _any_answer = wire::parse(&message, path);
        let _any_answer = crate::vrrp::accept(&message);
    }

    #[test]
    fn what_is_emitted_is_parsed(
        vrid in 1..=255u8,
        priority: u8,
        seconds in 1..=40u16,
        vips in prop::collection::vec(any::<IpAddr>(), 0..400),
        source: IpAddr,
        version_2: bool,
        dialect in prop::sample::select(vec![Dialect::Pseudo, Dialect::Message, Dialect::GroupPseudo]),
    ) {
        let path = Path::to_group(source);
        let version = if version_2 && source.is_ipv4() { Version::V2 } else { Version::V3 };
        let advert = Advert {
            version,
            vrid: Vrid::new(vrid).expect("not zero"),
            priority: Priority::new(priority),
            interval: Centis::new(seconds * 100).expect("in range"),
        };
        let mut message = Vec::new();
        wire::emit(advert, &vips, path, dialect, None, &mut message);
        let listed = vips.iter().filter(|vip| Family::of(**vip) == Family::of(source)).count().min(255);
        match wire::parse(&message, path) {
            Ok(parsed) => {
                prop_assert_eq!(parsed.advert, advert);
                let width = if source.is_ipv4() { 4 } else { 16 };
                prop_assert_eq!(parsed.addresses.len(), listed * width);
            }
            Err(refusal) => prop_assert_eq!((refusal, listed), (Refusal::NoAddresses, 0)),
        }
    }

    #[test]
    fn a_flipped_bit_is_seen(position in 0..16usize, bit in 0..8u32) {
        let mut message = bytes(PSEUDO);
        message[position] ^= 1 << bit;
        prop_assert!(wire::parse(&message, PATH).is_err());
    }
}
