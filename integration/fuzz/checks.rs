//! What must hold for any bytes; the fuzz targets and `integration/vectors.rs` share it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::net::arp::{Form, gratuitous};
use vipd::net::claim::Claim;
use vipd::net::{arp_watch, ndp, ndp_watch};
use vipd::vrrp::auth::{Auth, Binding, KeyId, Keys, LENGTH, Mode, Policy, Utc, Window};
use vipd::vrrp::wire::{self, Path};
use vipd::vrrp::{
    Effect, Input, Machine, Params, Preempt, Priority, Role, Time, Version, Vrid, accept, accept_v6,
};

/// A packet from the wire, header first: refused with a reason, or understood as it was meant. Whatever it says, a
/// machine that hears it has at most one role and one deadline, and an Active never loses its addresses unless it
/// also leaves its role.
pub(crate) fn advert(packet: &[u8]) {
    let link_local = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);
    for source in [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 251)), IpAddr::V6(link_local)] {
        understood(packet, Path::to_group(source));
    }
    let over_ipv6 = accept_v6(link_local, wire::GROUP_V6, wire::TTL, packet);
    let Ok(accepted) = accept(packet).or(over_ipv6) else { return };
    let received = accepted.advert;
    assert_eq!(
        accepted.is_authentic(Utc { seconds: 0, fraction: 0 }, None).is_ok(),
        accepted.trailer.is_none()
    );
    let params = Params {
        version: received.version,
        interval: received.interval,
        preempt: Preempt::Always,
        refresh: None,
    };
    for priority in [Priority::UNFIT, Priority::new(100), Priority::OWNER] {
        let mut machine = Machine::new(params, priority);
        let mut out = Vec::new();
        machine.handle(Time::ZERO, Input::Startup { source: [10, 0, 1, 5].into() }, &mut out);
        out.clear();
        let before = machine.role();
        machine.handle(Time::from_micros(1), Input::Advert(received), &mut out);
        assert!(machine.deadline().is_some());
        let released = out.contains(&Effect::Release);
        assert_eq!(released, before == Role::Active && machine.role() != Role::Active);
    }
}

/// What was parsed means the same when it is emitted again.
fn understood(message: &[u8], path: Path) {
    let Ok(parsed) = wire::parse(message, path) else { return };
    let address = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(bytes).expect("4 or 16 bytes")),
    };
    let width = if path.source.is_ipv4() { 4 } else { 16 };
    let addresses: Vec<_> = parsed.addresses.chunks(width).map(address).collect();
    let mut again = Vec::new();
    wire::emit(parsed.advert, &addresses, path, parsed.dialect, parsed.password, &mut again);
    assert_eq!(wire::parse(&again, path).map(|again| again.advert), Ok(parsed.advert));
}

/// An advert with an authentication trailer at its end, as it comes behind the IP header. What our key did not sign is
/// never believed, what it did is believed once, and a key file of the same bytes is read or refused.
pub(crate) fn auth(image: &[u8]) {
    let text = "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let keys = Keys::parse(text).expect("a key");
    let (Some(active), Some(window), Some(vrid)) = (KeyId::new(1), Window::new(5), Vrid::new(51)) else {
        return;
    };
    let policy = Policy { active, mode: Mode::Enforce, window };
    let member = || Auth::new(policy, keys.clone()).expect("its key is there");
    let now = Utc { seconds: 0x6800_0000, fraction: 0x8000 };
    let _read_or_refused = Keys::parse(&String::from_utf8_lossy(image));
    let Some((pdu, trailer)) = image.split_last_chunk::<LENGTH>() else { return };
    let sources: [IpAddr; 2] =
        [Ipv4Addr::new(198, 51, 100, 10).into(), Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0x10).into()];
    for (version, source) in [(Version::V3, sources[0]), (Version::V3, sources[1]), (Version::V2, sources[0])]
    {
        let binding = Binding { version, vrid, source };
        let mut receiver = member();
        let judged = receiver.verify(now, binding, pdu, Some(*trailer));
        if judged.is_ok() {
            assert_eq!(
                signed_like(member(), binding, pdu, *trailer),
                Some(*trailer),
                "nobody else has the key"
            );
        }
        assert!(receiver.verify(now, binding, pdu, Some(*trailer)).is_err(), "never twice");
        let ours = member().sign(now, binding, pdu);
        assert_eq!(ours.is_some(), pdu.len() >= 8);
        assert!(ours.is_none_or(|ours| member().verify(now, binding, pdu, Some(ours)).is_ok()));
    }
}

/// What `sender` signs an advert with at the time of `trailer` and as often as its counter says.
fn signed_like(
    mut sender: Auth,
    binding: Binding,
    pdu: &[u8],
    trailer: [u8; LENGTH],
) -> Option<[u8; LENGTH]> {
    let [_, _, _, _, a, b, c, d, e, f, g, h, ..] = trailer;
    let then = Utc { seconds: u32::from_be_bytes([a, b, c, d]), fraction: u16::from_be_bytes([e, f]) };
    (0..=u16::from_be_bytes([g, h])).map(|_| sender.sign(then, binding, pdu)).last().flatten()
}

/// A frame of ARP or of neighbour discovery. What it claims is in it, is an address that a host can have, and is what
/// an announcement of the same says.
pub(crate) fn claim(frame: &[u8]) {
    let (arp, ndp) = (arp_watch::claim(frame), ndp_watch::claim(frame));
    assert!(arp.is_none() || ndp.is_none(), "one frame, one family");
    let Some(claimed) = arp.or(ndp) else { return };
    let Claim { address, mac } = claimed;
    let there = |wanted: &[u8]| frame.windows(wanted.len()).any(|bytes| bytes == wanted);
    assert!(!address.is_unspecified() && there(&mac));
    let again = match address {
        IpAddr::V4(address) => {
            assert!(there(&address.octets()));
            arp_watch::claim(&gratuitous(mac, address, Form::Reply))
        }
        IpAddr::V6(address) => {
            assert!(there(&address.octets()) && !address.is_multicast());
            ndp_watch::claim(&announced(&ndp::unsolicited(mac, address), address))
        }
    };
    assert_eq!(again, Some(claimed));
}

/// The frame of an announcement over IPv6.
fn announced(message: &[u8; 32], source: Ipv6Addr) -> Vec<u8> {
    let all_nodes = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
    let header = [0x86, 0xDD, 0x60, 0, 0, 0, 0, 32, 58, 255];
    [&[0; 12][..], &header, &source.octets(), &all_nodes.octets(), message].concat()
}
