//! RFC 9568 §7.1: which packets are believed.

use std::net::{IpAddr, Ipv6Addr};

use crate::vrrp::wire::{self, Path};
use crate::vrrp::{Dialect, Expected, Priority, Received, Refusal, Refusals, Version, accept, accept_v6};

use super::{HIGH, LOW, US, advert, bytes, centis};

/// An IPv4 header as keepalived sends it, around an advert of VRID 51.
fn packet() -> Vec<u8> {
    let fields = advert(HIGH, 200, 10);
    let advert = wire::Advert {
        version: Version::V3,
        vrid: fields.vrid,
        priority: fields.priority,
        interval: fields.interval,
    };
    let mut packet = bytes("45c0 0020 0001 0000 ff70 0000 0a000109 e0000012");
    let path = Path::to_group(HIGH);
    wire::emit(advert, &[US, HIGH, US], path, Dialect::Pseudo, None, &mut packet);
    let length = u16::try_from(packet.len()).expect("short");
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet
}

fn judged(edit: fn(&mut Vec<u8>)) -> Result<Received, Refusal> {
    let mut packet = packet();
    edit(&mut packet);
    accept(&packet).map(|accepted| accepted.advert)
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
    assert_eq!(refusals.count(Refusal::Ttl, 1), 1);
    assert_eq!(refusals.count(Refusal::Ttl, 1), 2);
    assert_eq!(refusals.count(Refusal::OwnSource, 1), 1);
    assert_eq!(refusals.seen().collect::<Vec<_>>(), [(Refusal::Ttl, 2), (Refusal::OwnSource, 1)]);
}

/// A router that expects what `advert` says, and is not LOW.
fn expected() -> Expected<'static> {
    let interval = centis(10);
    Expected { own: LOW, version: Version::V3, interval, password: None, peers: None }
}

#[test]
fn adverts_fit_the_config_or_say_where_they_do_not() {
    let good = advert(HIGH, 200, 10);
    assert_eq!(good.fits(&expected()), Ok(()));
    assert_eq!(advert(LOW, 200, 10).fits(&expected()), Err(Refusal::OwnSource));
    assert_eq!(good.fits(&Expected { version: Version::V2, ..expected() }), Err(Refusal::Version));
    let unicast = Received { multicast: false, ..good };
    assert_eq!(unicast.fits(&expected()), Err(Refusal::Destination));
    assert_eq!(good.fits(&Expected { peers: Some(&[HIGH]), ..expected() }), Err(Refusal::Destination));
    assert_eq!(unicast.fits(&Expected { peers: Some(&[HIGH]), ..expected() }), Ok(()));
    assert_eq!(unicast.fits(&Expected { peers: Some(&[US]), ..expected() }), Err(Refusal::Stranger));
    // Version 3 learns intervals.
    assert_eq!(advert(HIGH, 200, 20).fits(&expected()), Ok(()));
}

#[test]
fn version_2_wants_the_same_interval_and_the_same_password() {
    let secret = Some(*b"secret\0\0");
    let v2 = Received { version: Version::V2, ..advert(HIGH, 200, 10) };
    let expected = Expected { version: Version::V2, ..expected() };
    assert_eq!(v2.fits(&expected), Ok(()));
    assert_eq!(Received { interval: centis(20), ..v2 }.fits(&expected), Err(Refusal::Interval));
    assert_eq!(Received { password: secret, ..v2 }.fits(&expected), Err(Refusal::Password));
    let expected = Expected { password: secret, ..expected };
    assert_eq!(v2.fits(&expected), Err(Refusal::Password));
    assert_eq!(Received { password: secret, ..v2 }.fits(&expected), Ok(()));
    assert_eq!(Received { password: Some(*b"Secret\0\0"), ..v2 }.fits(&expected), Err(Refusal::Password));
}

#[test]
fn ipv6_wants_a_link_local_source_and_hop_limit_255() {
    let link_local = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0xC8);
    let message = bytes("310a640200643f5dfe80000000000000000000000000000120010db8000000000000000000000001");
    let received =
        accept_v6(link_local, wire::GROUP_V6, 255, &message).expect("nothing is wrong with it").advert;
    assert_eq!((received.source, received.dialect), (IpAddr::V6(link_local), Dialect::Ipv6));
    assert_eq!((received.priority, received.interval), (Priority::new(100), centis(100)));
    assert_eq!(accept_v6(link_local, wire::GROUP_V6, 254, &message), Err(Refusal::Ttl));
    let global = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1);
    assert_eq!(accept_v6(global, wire::GROUP_V6, 255, &message), Err(Refusal::Source));
    let all_nodes = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!(accept_v6(link_local, all_nodes, 255, &message), Err(Refusal::Destination));
    assert_eq!(accept_v6(link_local, wire::GROUP_V6, 255, &message[..39]), Err(Refusal::Length));
}
