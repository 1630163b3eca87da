//! What must hold for any bytes; the fuzz targets and `integration/vectors.rs` share it.

use std::net::Ipv4Addr;

use vipd::vrrp::wire::{self, Path};
use vipd::vrrp::{Effect, Input, Machine, Params, Preempt, Priority, Role, Time, accept};

/// A packet from the wire, header first: refused with a reason, or understood as it was meant. Whatever it says, a
/// machine that hears it has at most one role and one deadline, and an Active never loses its addresses unless it
/// also leaves its role.
pub(crate) fn advert(packet: &[u8]) {
    let path = Path { source: Ipv4Addr::new(192, 0, 2, 251), destination: wire::GROUP };
    if let Ok(parsed) = wire::parse(packet, path) {
        let addresses: Vec<_> = parsed.addresses.iter().map(|octets| Ipv4Addr::from(*octets)).collect();
        let mut again = Vec::new();
        wire::emit(parsed.advert, &addresses, path, parsed.dialect, &mut again);
        assert_eq!(wire::parse(&again, path).map(|again| again.advert), Ok(parsed.advert));
    }
    let Ok(received) = accept(packet) else { return };
    let params = Params { interval: received.interval, preempt: Preempt::Always };
    for priority in [Priority::UNFIT, Priority::new(100), Priority::OWNER] {
        let mut machine = Machine::new(params, priority);
        let mut out = Vec::new();
        machine.handle(Time::ZERO, Input::Startup { source: Ipv4Addr::new(10, 0, 1, 5) }, &mut out);
        out.clear();
        let before = machine.role();
        machine.handle(Time::from_micros(1), Input::Advert(received), &mut out);
        assert!(machine.deadline().is_some());
        let released = out.contains(&Effect::Release);
        assert_eq!(released, before == Role::Active && machine.role() != Role::Active);
    }
}
