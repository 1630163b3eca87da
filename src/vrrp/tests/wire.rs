//! Byte vectors in both dialects, and what must hold for any bytes at all.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Centis, Dialect, Priority, Refusal, Vrid};

use super::{bytes, centis};

const PATH: Path = Path { source: Ipv4Addr::new(192, 0, 2, 251), destination: wire::GROUP };
const VIPS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
/// VRID 10, priority 200, 1 s, 192.0.2.1 and .2, from 192.0.2.251 to the group.
const PSEUDO: &str = "310ac8020064defbc0000201c0000202";
const MESSAGE: &str = "310ac8020064828ac0000201c0000202";

fn advert() -> Advert {
    Advert { vrid: Vrid::new(10).expect("not zero"), priority: Priority::new(200), interval: centis(100) }
}

#[test]
fn both_dialects_byte_for_byte() {
    for (dialect, vector) in [(Dialect::Pseudo, PSEUDO), (Dialect::Message, MESSAGE)] {
        let mut message = Vec::new();
        wire::emit(advert(), &VIPS, PATH, dialect, &mut message);
        assert_eq!(message, bytes(vector), "{dialect}");
        let parsed = wire::parse(&message, PATH).expect("our own bytes");
        assert_eq!(parsed.advert, advert());
        assert_eq!(parsed.dialect, dialect);
        assert_eq!(parsed.addresses, VIPS.map(|vip| vip.octets()));
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
    assert_eq!(refusal(|message| message[0] = 0x21), Some(Refusal::Version));
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
    all.extend(PATH.source.octets());
    all.extend(PATH.destination.octets());
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

proptest! {
    #[test]
    fn no_bytes_make_it_panic(message in prop::collection::vec(any::<u8>(), 0..64), source: u32, destination: u32) {
        let path = Path { source: source.into(), destination: destination.into() };
        let _any_answer = wire::parse(&message, path);
        let _any_answer = crate::vrrp::accept(&message);
    }

    #[test]
    fn what_is_emitted_is_parsed(
        vrid in 1..=255u8,
        priority: u8,
        interval in 1..=4095u16,
        vips in prop::collection::vec(any::<u32>().prop_map(Ipv4Addr::from_bits), 1..=255),
        source: u32,
        message_only: bool,
    ) {
        let path = Path { source: source.into(), destination: wire::GROUP };
        let dialect = if message_only { Dialect::Message } else { Dialect::Pseudo };
        let advert = Advert {
            vrid: Vrid::new(vrid).expect("not zero"),
            priority: Priority::new(priority),
            interval: Centis::new(interval).expect("in range"),
        };
        let mut message = Vec::new();
        wire::emit(advert, &vips, path, dialect, &mut message);
        let parsed = wire::parse(&message, path).expect("our own bytes");
        prop_assert_eq!(parsed.advert, advert);
        prop_assert_eq!(parsed.addresses.len(), vips.len());
    }

    #[test]
    fn a_flipped_bit_is_seen(position in 0..16usize, bit in 0..8u32) {
        let mut message = bytes(PSEUDO);
        message[position] ^= 1 << bit;
        prop_assert!(wire::parse(&message, PATH).is_err());
    }
}
