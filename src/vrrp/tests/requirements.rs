//! Clauses of RFC 9568 §6 and RFC 3768 §6 that no other test proves on its own; the ledger names them.

use crate::vrrp::wire::{self, Path};
use crate::vrrp::{
    Effect, Input, Machine, Params, Preempt, Priority, Refusal, Role, Span, Time, Version, Why,
};

use super::{HIGH, LOW, US, advert, at_ms, bytes, centis, params};

const VERSIONS: [Version; 2] = [Version::V2, Version::V3];

fn tell(machine: &mut Machine, now: Time, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    machine.handle(now, input, &mut out);
    out
}

/// In Backup since `at_ms(0)`, with adverts a second apart.
fn backup(version: Version, preempt: Preempt, priority: u8) -> Machine {
    let mut machine = Machine::new(Params { version, ..params(100, preempt) }, Priority::new(priority));
    tell(&mut machine, at_ms(0), Input::Startup { source: US });
    machine
}

/// Active since the moment that comes with it.
fn active(version: Version, priority: u8) -> (Machine, Time) {
    let mut machine = backup(version, Preempt::Always, priority);
    let since = machine.deadline().expect("takes part");
    tell(&mut machine, since, Input::Timer);
    assert_eq!(machine.role(), Role::Active);
    (machine, since)
}

#[test]
fn a_backup_that_stops_cancels_its_timer_and_says_nothing() {
    for version in VERSIONS {
        let mut machine = backup(version, Preempt::Always, 100);
        let moved = Effect::Moved { from: Role::Backup, to: Role::Initialize, why: Why::Stopped };
        assert_eq!(tell(&mut machine, at_ms(1_000), Input::Shutdown), [moved]);
        assert_eq!(machine.deadline(), None);
    }
}

#[test]
fn every_advert_of_an_active_begins_a_new_advertisement_interval() {
    for version in VERSIONS {
        let (mut machine, since) = active(version, 100);
        for (ms, priority) in [(500, 0), (600, 99)] {
            let now = since + Span::from_millis(ms);
            let effects = tell(&mut machine, now, Input::Advert(advert(LOW, priority, 100)));
            assert_eq!(effects.first(), Some(&Effect::SendAdvert(Priority::new(100))));
            let mut adverts = Vec::new();
            while adverts.is_empty() {
                let at = machine.deadline().expect("takes part");
                let sent = |effect: &Effect| matches!(effect, Effect::SendAdvert(_));
                adverts.extend(tell(&mut machine, at, Input::Timer).into_iter().filter(sent).map(|_| at));
            }
            assert_eq!(adverts, [now + centis(100).span()], "version {version}, priority {priority}");
            let (again, start) = active(version, 100);
            assert_eq!(start, since);
            machine = again;
        }
    }
}

#[test]
fn an_active_that_yields_waits_by_the_interval_of_the_better_one() {
    let (mut machine, since) = active(Version::V3, 100);
    let now = since + Span::from_millis(500);
    tell(&mut machine, now, Input::Advert(advert(HIGH, 200, 20)));
    assert_eq!(machine.role(), Role::Backup);
    // 3 × 200 ms + 156/256 × 200 ms
    assert_eq!(machine.deadline(), Some(now + Span::from_micros(721_875)));
}

#[test]
fn version_2_leaves_only_the_skew_after_priority_zero() {
    let mut machine = backup(Version::V2, Preempt::Always, 100);
    tell(&mut machine, at_ms(10), Input::Advert(advert(HIGH, 200, 100)));
    // 3 s + 156/256 s
    assert_eq!(machine.deadline(), Some(at_ms(10) + Span::from_micros(3_609_375)));
    tell(&mut machine, at_ms(500), Input::Advert(advert(HIGH, 0, 100)));
    assert_eq!(machine.deadline(), Some(at_ms(500) + Span::from_micros(609_375)));
}

#[test]
fn a_backup_follows_or_discards_by_priority_and_preempt_mode() {
    for version in VERSIONS {
        for (preempt, theirs, follows) in [
            (Preempt::Always, 101, true),
            (Preempt::Always, 100, true),
            (Preempt::Always, 99, false),
            (Preempt::Never, 99, true),
            (Preempt::Never, 2, true),
        ] {
            let mut machine = backup(version, preempt, 100);
            let before = machine.deadline();
            assert_eq!(tell(&mut machine, at_ms(1_000), Input::Advert(advert(HIGH, theirs, 100))), []);
            assert_eq!(machine.deadline() != before, follows, "version {version}, {preempt:?}, {theirs}");
        }
    }
}

#[test]
fn the_owner_preempts_whatever_the_preempt_mode() {
    for preempt in [Preempt::Never, Preempt::After(Span::from_millis(60_000))] {
        let mut machine = backup(Version::V3, preempt, 100);
        tell(&mut machine, at_ms(500), Input::Advert(advert(HIGH, 200, 100)));
        tell(&mut machine, at_ms(600), Input::Compete(Priority::OWNER));
        let before = machine.deadline();
        tell(&mut machine, at_ms(1_500), Input::Advert(advert(HIGH, 200, 100)));
        assert_eq!(machine.deadline(), before, "{preempt:?}");
        let effects = tell(&mut machine, before.expect("takes part"), Input::Timer);
        assert_eq!(effects.first(), Some(&Effect::SendAdvert(Priority::OWNER)));
    }
}

#[test]
fn an_owner_yields_to_another_owner_with_the_higher_address() {
    for (peer, role) in [(HIGH, Role::Backup), (LOW, Role::Active)] {
        let params = params(1, Preempt::Always);
        let mut machine = Machine::new(params, Priority::OWNER);
        tell(&mut machine, at_ms(0), Input::Startup { source: US });
        tell(&mut machine, at_ms(5), Input::Advert(advert(peer, 255, 1)));
        assert_eq!(machine.role(), role);
    }
}

#[test]
fn version_2_of_another_type_or_without_its_authentication_data_is_refused() {
    let whole = bytes("210ac802000192edc0000201c00002020000000000000000");
    let path = Path::to_group(HIGH);
    assert!(wire::parse(&whole, path).is_ok());
    for length in 0..whole.len() {
        assert_eq!(wire::parse(&whole[..length], path).err(), Some(Refusal::Length), "{length} bytes");
    }
    let mut other = whole;
    other[0] = 0x22;
    assert_eq!(wire::parse(&other, path).err(), Some(Refusal::Type));
}
