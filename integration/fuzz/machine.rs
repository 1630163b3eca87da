//! What must hold for a machine whatever happens to it and when; the fuzz target and `integration/vectors.rs` share it.
//!
//! The bytes are a script: four of configuration, then steps of four: what happens, how much later, and what it says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipd::vrrp::{
    AddressSet, Centis, Dialect, Effect, Input, Machine, Params, Preempt, Priority, Received, Refresh, Role,
    Span, Time, Version, Vrid,
};

/// Plays a script and checks every step.
pub(crate) fn machine(script: &[u8]) {
    let Some((configuration, steps)) = script.split_first_chunk::<4>() else { return };
    let (params, priority) = configured(*configuration);
    let mut machine = Machine::new(params, priority);
    let mut now = Time::from_micros(1_000_000);
    let mut insisted = None;
    for [what, later, a, b] in steps.as_chunks::<4>().0 {
        now = now + pause(&machine, now, *later);
        let input = input(&params, *what, *a, *b);
        let effects = step(&mut machine, now, input);
        // A queue of adverts that is read at one moment is answered once.
        if matches!(input, Input::Advert(_)) && adverts(&effects).next().is_some() {
            assert_ne!(insisted.replace(now), Some(now), "two answers at once");
        }
    }
}

fn configured([version, interval, preempt, priority]: [u8; 4]) -> (Params, Priority) {
    let delay = Span::from_millis(u64::from(preempt >> 2) * 250);
    let params = Params {
        version: if version & 1 == 0 { Version::V3 } else { Version::V2 },
        interval: centis(interval),
        preempt: [Preempt::Always, Preempt::Never, Preempt::After(delay), Preempt::Always]
            [usize::from(preempt & 3)],
        // A config has no shorter one than a second.
        refresh: (version & 2 != 0)
            .then(|| Refresh { every: Span::from_millis(1_000 + u64::from(version) * 100), salt: version }),
        farewell: version & 4 == 0,
    };
    (params, competing(priority))
}

/// 10 ms to 40.95 s, the short ones more often.
fn centis(byte: u8) -> Centis {
    let centis = u16::from(byte) * u16::from(byte) / 16 + 1;
    Centis::new(centis).unwrap_or(Centis::MAX)
}

/// A node competes with anything but 0, which resigns.
fn competing(byte: u8) -> Priority {
    Priority::new(byte.max(1))
}

/// Nothing, a while, or until about the next deadline.
fn pause(machine: &Machine, now: Time, later: u8) -> Span {
    let until = machine.deadline().map_or(Span::ZERO, |deadline| deadline.since(now));
    let amount = u64::from(later & 0x3F);
    match later >> 6 {
        0 => Span::from_micros(amount * amount * amount),
        1 => Span::from_millis(amount * 20),
        2 => until + Span::from_micros(amount),
        _ => Span::from_micros(until.as_micros().saturating_sub(amount)),
    }
}

fn input(params: &Params, what: u8, a: u8, b: u8) -> Input {
    match what & 15 {
        0 => Input::Shutdown,
        1 => Input::Fault,
        2 | 3 => Input::Startup { source: host(a, 5) },
        4 => Input::Compete(competing(a)),
        5 => Input::Contested,
        6..=9 => Input::Advert(advert(params, what, a, b)),
        _ => Input::Timer,
    }
}

fn host(byte: u8, last: u8) -> IpAddr {
    if byte & 1 == 0 {
        Ipv4Addr::new(10, 0, 0, last).into()
    } else {
        Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, u16::from(last)).into()
    }
}

fn advert(params: &Params, what: u8, a: u8, b: u8) -> Received {
    let vrid = Vrid::new(51).expect("51 is a VRID");
    Received {
        source: host(b, 3 + (b >> 1 & 3)),
        multicast: true,
        version: params.version,
        vrid,
        priority: Priority::new(a),
        interval: if what & 16 == 0 { params.interval } else { centis(b) },
        dialect: Dialect::Message,
        password: None,
        addresses: AddressSet::default(),
    }
}

/// One input, and everything that must hold of what comes of it.
fn step(machine: &mut Machine, now: Time, input: Input) -> Vec<Effect> {
    let (before, due) = (machine.role(), machine.deadline());
    let mut effects = Vec::new();
    machine.handle(now, input, &mut effects);
    let after = machine.role();
    assert_eq!(moves(before, &effects), after, "{before} {input:?} {effects:?}");
    assert_eq!(machine.deadline().is_none(), after == Role::Initialize, "{input:?} in {after}");
    timely(machine, now, due, input);
    in_order(before, after, &effects);
    spoken(machine, before, input, &effects);
    effects
}

/// The role that the effects tell of; each move begins where the last one ended and goes somewhere else.
fn moves(before: Role, effects: &[Effect]) -> Role {
    effects.iter().fold(before, |role, effect| match *effect {
        Effect::Moved { from, to, .. } => {
            assert_eq!(from, role, "{effects:?}");
            assert_ne!(from, to, "{effects:?}");
            to
        }
        Effect::SendAdvert(_) | Effect::Claim | Effect::Announce | Effect::Release => role,
    })
}

/// A timer that was served is not due any more, and nothing that was to come has slipped into the past; only who competes
/// with more from now on may find that its time has come.
fn timely(machine: &Machine, now: Time, due: Option<Time>, input: Input) {
    let Some(deadline) = machine.deadline() else { return };
    match input {
        Input::Timer => assert!(deadline > now, "{deadline:?} is not after {now:?}"),
        Input::Compete(_) => {}
        Input::Startup { .. } | Input::Shutdown | Input::Fault | Input::Advert(_) | Input::Contested => {
            assert!(deadline >= due.map_or(now, |due| due.min(now)), "{deadline:?} at {now:?}: {input:?}");
        }
    }
}

/// The addresses are claimed on the way in, behind the advert and before they are announced, and let go on the way out.
fn in_order(before: Role, after: Role, effects: &[Effect]) {
    let place = |wanted: &Effect| effects.iter().position(|effect| effect == wanted);
    let count = |wanted: &Effect| effects.iter().filter(|effect| *effect == wanted).count();
    let (enters, leaves) =
        (before != Role::Active && after == Role::Active, before == Role::Active && after != Role::Active);
    assert_eq!(count(&Effect::Claim), usize::from(enters), "{effects:?}");
    assert_eq!(count(&Effect::Release), usize::from(leaves), "{effects:?}");
    if let Some(claim) = place(&Effect::Claim) {
        assert!(matches!(effects[..claim], [.., Effect::SendAdvert(_)]), "{effects:?}");
        assert_eq!(effects.get(claim + 1), Some(&Effect::Announce), "{effects:?}");
    }
    assert!(after == Role::Active || count(&Effect::Announce) == 0, "{effects:?}");
}

/// Only an Active speaks, with its own priority; with 0 when it leaves in an orderly way, then always and before it lets
/// go, and when an unfit one offers the role.
fn spoken(machine: &Machine, before: Role, input: Input, effects: &[Effect]) {
    let leaves = before == Role::Active && matches!(input, Input::Shutdown | Input::Fault);
    if leaves {
        let orderly = [Effect::SendAdvert(Priority::RESIGN), Effect::Release];
        assert!(effects.starts_with(&orderly) && effects.len() == 3, "{effects:?}");
    }
    for priority in adverts(effects) {
        assert!(before == Role::Active || machine.role() == Role::Active, "{before} speaks: {effects:?}");
        let offers = machine.priority() == Priority::UNFIT;
        let may = priority == machine.priority() || (priority == Priority::RESIGN && (leaves || offers));
        assert!(may, "{priority} from {} after {input:?}", machine.priority());
    }
    assert!(adverts(effects).count() <= 1, "{effects:?}");
}

fn adverts(effects: &[Effect]) -> impl Iterator<Item = Priority> {
    effects.iter().filter_map(|effect| match effect {
        Effect::SendAdvert(priority) => Some(*priority),
        Effect::Claim | Effect::Announce | Effect::Release | Effect::Moved { .. } => None,
    })
}
