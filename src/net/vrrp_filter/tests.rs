//! The program on a machine of our own, and on the kernel's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Centis, Dialect, Family, Priority, Version, Vrid};

use super::{Filter, Ours, SAMPLE, SUMMED};

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn vrid(id: u8) -> Vrid {
    Vrid::new(id).expect("not 0")
}

fn filter_for(vrids: &[Vrid], trailers: bool) -> Filter {
    let versions = &[Version::V3];
    Filter::new(Ours { family: Family::V4, vrids, unicast: false, versions, trailers })
}

fn advert(id: u8, version: Version) -> Advert {
    Advert {
        version,
        vrid: vrid(id),
        priority: Priority::new(200),
        interval: Centis::new(100).expect("valid"),
    }
}

/// An advert of `id` with `addresses` addresses behind `options` bytes of IP options.
fn packet(id: u8, addresses: u8, dialect: Dialect, options: u8) -> Vec<u8> {
    let listed: Vec<_> = (0..addresses).map(|last| Ipv4Addr::new(10, 77, 1, last).into()).collect();
    let mut message = Vec::new();
    let path = Path::to_group(SOURCE.into());
    wire::emit(advert(id, Version::V3), &listed, path, dialect, None, &mut message);
    around(&message, wire::GROUP, options)
}

/// An IPv4 packet with this message.
fn around(message: &[u8], destination: Ipv4Addr, options: u8) -> Vec<u8> {
    let header = 20 + options;
    let total = u16::try_from(usize::from(header) + message.len()).expect("a packet's length");
    let [high, low] = total.to_be_bytes();
    let mut packet = vec![0x40 | (header / 4), 0xC0, high, low, 0, 0, 0, 0, 255, 112, 0, 0];
    packet.extend(SOURCE.octets().into_iter().chain(destination.octets()));
    packet.resize(header.into(), 1);
    packet.extend(message);
    packet
}

fn plain() -> Vec<u8> {
    packet(51, 1, Dialect::Pseudo, 0)
}

#[test]
fn every_advert_of_ours_passes_in_both_dialects_with_and_without_options() {
    let filter = filter_for(&[vrid(51)], false);
    for dialect in [Dialect::Pseudo, Dialect::Message] {
        for addresses in [1, 2, 3, 20, 21, 255] {
            for options in [0, 4, 40] {
                let packet = packet(51, addresses, dialect, options);
                assert!(!filter.samples(&packet, None), "{addresses} addresses, {options} bytes of options");
            }
        }
    }
}

#[test]
fn every_vrid_is_told_from_every_other() {
    let all: Vec<_> = (1..=255).map(vrid).collect();
    let of_all = filter_for(&all, false);
    for id in all {
        let packet = packet(id.get(), 1, Dialect::Pseudo, 0);
        assert!(!of_all.samples(&packet, None));
        let others = [id.get() ^ 1, id.get() ^ 32, id.get() ^ 128].into_iter().filter_map(Vrid::new);
        let others: Vec<_> = others.collect();
        assert!(filter_for(&others, false).samples(&packet, None), "{id} is none of {others:?}");
        assert!(!filter_for(&[id], false).samples(&packet, None), "{id}");
    }
}

#[test]
fn what_cannot_be_ours_is_sampled() {
    let filter = filter_for(&[vrid(51)], false);
    let with = |at: usize, value: u8| {
        let mut packet = plain();
        packet[at] = value;
        packet
    };
    let junk = [
        ("TTL", with(8, 254)),
        ("TTL", with(8, 1)),
        ("destination", with(19, 19)),
        ("version 2", with(20, 0x21)),
        ("version 4", with(20, 0x41)),
        ("type", with(20, 0x32)),
        ("VRID", with(21, 52)),
        ("VRID 0", with(21, 0)),
        ("count 0", with(23, 0)),
        ("count 2", with(23, 2)),
        ("count 255", with(23, 255)),
        ("priority, and so the checksum", with(22, 201)),
        ("checksum", with(27, plain()[27] ^ 1)),
        ("source, and so the checksum", with(15, 9)),
        ("a header that claims 60 bytes", with(0, 0x4F)),
        ("junk behind the message", [plain(), vec![0; 4]].concat()),
        ("a byte behind the message", [plain(), vec![0]].concat()),
    ];
    for (what, packet) in junk {
        assert!(filter.samples(&packet, None), "{what}");
    }
    for length in 20..plain().len() {
        assert!(filter.samples(&plain()[..length], None), "cut to {length} bytes");
    }
}

#[test]
fn a_checksum_is_looked_at_where_it_can_be_and_only_there() {
    let filter = filter_for(&[vrid(51)], false);
    let spoilt = |addresses, options: u8| {
        let mut packet = packet(51, addresses, Dialect::Message, options);
        packet[26 + usize::from(options)] ^= 0xFF;
        packet
    };
    let most = u8::try_from(SUMMED).expect("a byte");
    assert!(filter.samples(&spoilt(1, 0), None) && filter.samples(&spoilt(most, 0), None));
    assert!(!filter.samples(&spoilt(most + 1, 0), None), "left to the reader");
    assert!(!filter.samples(&spoilt(1, 4), None), "left to the reader");
}

#[test]
fn trailers_pass_where_they_may_follow() {
    let long = [plain(), vec![0; 28]].concat();
    assert!(filter_for(&[vrid(51)], false).samples(&long, None));
    assert!(!filter_for(&[vrid(51)], true).samples(&long, None));
    assert!(filter_for(&[vrid(51)], true).samples(&plain()[..31], None));
}

#[test]
fn version_2_and_unicast_pass_where_they_are_spoken() {
    let mut message = Vec::new();
    let (peer, listed) = (Ipv4Addr::new(10, 77, 0, 2), [IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100))]);
    let path = Path { source: SOURCE.into(), destination: peer.into() };
    wire::emit(advert(51, Version::V2), &listed, path, Dialect::Message, Some(*b"password"), &mut message);
    let packet = around(&message, peer, 0);
    let of = |unicast, versions| {
        let vrids = &[vrid(51)];
        Filter::new(Ours { family: Family::V4, vrids, unicast, versions, trailers: false })
    };
    assert!(!of(true, &[Version::V3, Version::V2]).samples(&packet, None));
    assert!(of(true, &[Version::V3]).samples(&packet, None));
    assert!(of(false, &[Version::V2]).samples(&packet, None));
    assert!(of(true, &[Version::V2]).samples(&packet[..packet.len() - 9], None));
}

#[test]
fn over_ipv6_the_header_is_beside_the_packet() {
    let filter = Filter::new(Ours {
        family: Family::V6,
        vrids: &[vrid(51)],
        unicast: false,
        versions: &[Version::V3],
        trailers: false,
    });
    let (source, listed) = (Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1), [IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    let mut message = Vec::new();
    let path = Path::to_group(source.into());
    wire::emit(advert(51, Version::V3), &listed, path, Dialect::Ipv6, None, &mut message);
    assert!(!filter.samples(&message, Some(255)));
    assert!(filter.samples(&message, Some(254)));
    assert!(filter.samples(&message[..23], Some(255)));
    message[1] = 52;
    assert!(filter.samples(&message, Some(255)));
}

/// keepalived's auth_hmac (draft-cassen-vrrp-auth-hmac): the checksum does not cover the trailer.
#[test]
fn a_signed_advert_of_keepalived_passes() {
    let signed = [
        0x31, 0x33, 0xC8, 0x01, 0x00, 0x64, 0x44, 0x02, 0xC0, 0x00, 0x02, 0x64, // VRID 51, 192.0.2.100
        0x01, 0x01, 0x00, 0x00, 0x68, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, // the trailer
        0x1B, 0x84, 0xBC, 0x4E, 0x8E, 0x43, 0x89, 0x2D, 0xC6, 0xD9, 0x84, 0x48, 0xF8, 0xEE, 0x22, 0x65,
    ];
    let from = |last| {
        let mut packet = around(&signed, wire::GROUP, 0);
        packet[12..16].copy_from_slice(&[198, 51, 100, last]);
        packet
    };
    let filter = filter_for(&[vrid(51)], true);
    assert!(!filter.samples(&from(10), None));
    assert!(filter_for(&[vrid(51)], false).samples(&from(10), None));
    let mut forged = from(10);
    forged[22] ^= 1;
    assert!(filter.samples(&forged, None), "the checksum is wrong");
}

/// The kernel's verifier and the kernel's machine, over a pair of local sockets: no privilege, no network.
#[test]
fn the_kernel_agrees() {
    use std::os::unix::net::UnixDatagram;
    let filter = filter_for(&(1..=255).step_by(2).map(vrid).collect::<Vec<_>>(), false);
    let (send, receive) = UnixDatagram::pair().expect("sockets");
    receive.set_nonblocking(true).expect("a socket");
    let socket = socket2::SockRef::from(&receive);
    socket.attach_filter(&filter.instructions()).expect("the kernel takes the program");

    let mut buffer = [0; 2048];
    for id in 1..=255 {
        send.send(&packet(id, 1 + id % 30, Dialect::Pseudo, 0)).expect("sent");
        let mine = id % 2 == 1;
        assert!(!mine || receive.recv(&mut buffer).is_ok(), "{id}");
        while receive.recv(&mut buffer).is_ok() {}
    }
    // 16 × SAMPLE packets with a wrong checksum: 16 of them are expected, none or 64 are not.
    let mut spoilt = plain();
    spoilt[22] ^= 1;
    let taken = (0..16 * SAMPLE).filter(|_| {
        send.send(&spoilt).expect("sent");
        receive.recv(&mut buffer).is_ok()
    });
    assert!((1..64).contains(&taken.count()));
}
