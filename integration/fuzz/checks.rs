//! What must hold for any bytes; the fuzz targets and `integration/vectors.rs` share it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::vrrp::wire::{self, Path};
use vipd::vrrp::{Effect, Input, Machine, Params, Preempt, Priority, Role, Time, accept, accept_v6};

/// A packet from the wire, header first: refused with a reason, or understood as it was meant. Whatever it says, a
/// machine that hears it has at most one role and one deadline, and an Active never loses its addresses unless it
/// also leaves its role.
pub(crate) fn advert(packet: &[u8]) {
    let link_local = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);
    for source in [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 251)), IpAddr::V6(link_local)] {
        understood(packet, Path::to_group(source));
    }
    let over_ipv6 = accept_v6(link_local, wire::GROUP_V6, wire::TTL, packet);
    let Ok(received) = accept(packet).or(over_ipv6) else { return };
    let params = Params { version: received.version, interval: received.interval, preempt: Preempt::Always };
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
