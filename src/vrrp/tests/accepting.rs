//! RFC 9568 §7.1: which packets are believed.

use crate::vrrp::wire::{self, Path};
use crate::vrrp::{Dialect, Priority, Received, Refusal, Refusals, accept};

use super::{HIGH, US, advert, bytes, centis};

/// An IPv4 header as keepalived sends it, around an advert of VRID 51.
fn packet() -> Vec<u8> {
    let fields = advert(HIGH, 200, 10);
    let advert = wire::Advert { vrid: fields.vrid, priority: fields.priority, interval: fields.interval };
    let mut packet = bytes("45c0 0020 0001 0000 ff70 0000 0a000109 e0000012");
    packet[12..16].copy_from_slice(&HIGH.octets());
    let path = Path { source: HIGH, destination: wire::GROUP };
    wire::emit(advert, &[US, HIGH, US], path, Dialect::Pseudo, &mut packet);
    let length = u16::try_from(packet.len()).expect("short");
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet
}

fn judged(edit: fn(&mut Vec<u8>)) -> Result<Received, Refusal> {
    let mut packet = packet();
    edit(&mut packet);
    accept(&packet)
}

#[test]
fn a_good_packet_is_believed() {
    let received = judged(|_| {}).expect("nothing is wrong with it");
    assert_eq!(received, advert(HIGH, 200, 10));
    assert_eq!(received.interval, centis(10));
    assert_eq!(received.priority, Priority::new(200));
}

#[test]
fn padding_behind_the_ip_length_is_not_part_of_the_message() {
    assert_eq!(judged(|packet| packet.extend([0; 14])), Ok(advert(HIGH, 200, 10)));
}

#[test]
fn ip_options_are_skipped() {
    let with_options = |packet: &mut Vec<u8>| {
        packet[0] = 0x46;
        packet.splice(20..20, [1, 1, 1, 0]);
        let length = u16::try_from(packet.len()).expect("short");
        packet[2..4].copy_from_slice(&length.to_be_bytes());
    };
    assert_eq!(judged(with_options), Ok(advert(HIGH, 200, 10)));
}

#[test]
fn wrong_packets_are_refused_with_their_reason() {
    assert_eq!(judged(Vec::clear), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet.truncate(19)), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet[0] = 0x65), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet[0] = 0x44), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet[9] = 17), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet.truncate(30)), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet[3] = 10), Err(Refusal::IpHeader));
    assert_eq!(judged(|packet| packet[19] = 19), Err(Refusal::Destination));
    assert_eq!(judged(|packet| packet[8] = 254), Err(Refusal::Ttl));
    assert_eq!(judged(|packet| packet[8] = 1), Err(Refusal::Ttl));
    assert_eq!(judged(|packet| packet[12] ^= 1), Err(Refusal::Checksum));
}

#[test]
fn refusals_are_counted_by_reason() {
    let mut refusals = Refusals::default();
    assert_eq!(refusals.count(Refusal::Ttl), 1);
    assert_eq!(refusals.count(Refusal::Ttl), 2);
    assert_eq!(refusals.count(Refusal::OwnSource), 1);
    assert_eq!(refusals.seen().collect::<Vec<_>>(), [(Refusal::Ttl, 2), (Refusal::OwnSource, 1)]);
}
