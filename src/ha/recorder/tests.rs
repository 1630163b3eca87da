//! What is recorded can be played again, also after it went through JSON and after the beginning was forgotten.

use std::net::{IpAddr, Ipv4Addr};

use crate::vrrp::{
    AddressSet, Centis, Dialect, Effect, Input, Machine, Params, Preempt, Priority, Received, Role, Span,
    Time, Version, Vrid,
};

use super::{Dump, ENTRIES, Recorded, Recorder};

const US: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

fn machines() -> Vec<Machine> {
    let params = |preempt| Params {
        version: Version::V3,
        interval: Centis::MIN,
        preempt,
        refresh: None,
        farewell: true,
    };
    let preempts = [Preempt::Always, Preempt::Never, Preempt::After(Span::from_millis(500))];
    preempts.map(|preempt| Machine::new(params(preempt), Priority::new(100))).into()
}

fn recorder(machines: &[Machine]) -> Recorder {
    let named = |machine: &Machine| Recorded { name: "web".to_owned(), machine: machine.clone() };
    Recorder::new(machines.iter().map(named).collect())
}

/// A number that looks like any other (Marsaglia's xorshift).
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn input(seed: &mut u64) -> Input {
    let priority = |seed: &mut u64| {
        [0, 1, 50, 100, 150, 255].map(Priority::new)[usize::try_from(next(seed) % 6).unwrap_or(0)]
    };
    match next(seed) % 16 {
        0 => Input::Fault,
        1 => Input::Shutdown,
        2 | 3 => Input::Startup { source: US },
        4 => Input::Compete(priority(seed)),
        5..=8 => Input::Advert(Received {
            source: PEER,
            multicast: true,
            version: Version::V3,
            vrid: Vrid::new(51).expect("valid"),
            priority: priority(seed),
            interval: Centis::MIN,
            dialect: Dialect::Pseudo,
            password: None,
            addresses: AddressSet::default(),
        }),
        _ => Input::Timer,
    }
}

/// `count` inputs of three routers; what was recorded, and the machines at the end.
fn fly(count: usize, mut seed: u64) -> (Dump, Vec<Machine>) {
    let mut machines = machines();
    let mut recorder = recorder(&machines);
    let mut now = Time::from_micros(1_000_000);
    for _ in 0..count {
        now = now + Span::from_micros(next(&mut seed) % 40_000);
        let router = usize::try_from(next(&mut seed) % 3).unwrap_or(0);
        let (input, mut effects) = (input(&mut seed), Vec::new());
        machines[router].handle(now, input, &mut effects);
        recorder.note(now, router, input, &effects);
    }
    (recorder.dump(), machines)
}

#[test]
fn a_dump_gives_the_same_effects_again_after_json_and_after_forgetting() {
    for (count, seed) in [(0, 1), (100, 2), (ENTRIES, 3), (3 * ENTRIES, 4), (ENTRIES + 1, 5)] {
        let (dump, machines) = fly(count, seed);
        assert_eq!(dump.entries.len(), count.min(ENTRIES));
        let json = serde_json::to_string(&dump).expect("JSON");
        let read: Dump = serde_json::from_str(&json).expect("our own JSON");
        assert_eq!(read, dump);
        assert_eq!(read.replay(), Ok(machines), "seed {seed}");
        let roles = dump.entries.iter().flat_map(|entry| &entry.effects);
        let active = |effect: &&Effect| matches!(effect, Effect::Moved { to: Role::Active, .. });
        assert!(count == 0 || roles.filter(active).count() > 0, "seed {seed} was a quiet flight");
    }
}

#[test]
fn a_dump_that_was_tampered_with_is_found_out() {
    let (mut dump, _) = fly(500, 6);
    let place = dump.entries.iter().position(|entry| !entry.effects.is_empty()).expect("effects");
    dump.entries[place].effects = Box::new([]);
    let differs = dump.replay().expect_err("it cannot come out the same");
    assert_eq!(differs.entry, place);
    assert!(!differs.effects.is_empty());
}
