//! Nodes that were stopped for a while. The interval is 1 s; priority 1 takes over after 3.996 s at the latest.

use crate::vrrp::{Effect, Input, Machine, Preempt, Priority, Role, Span, Time, Why};

use super::{HIGH, US, advert, at_ms, params};

/// Active_Down_Interval of priority 100.
const DOWN: Span = Span::from_micros(3_609_375);

fn tell(machine: &mut Machine, now: Time, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    machine.handle(now, input, &mut out);
    out
}

fn backup(priority: u8) -> Machine {
    let params = params(100, Preempt::Always);
    let mut machine = Machine::new(params, Priority::new(priority));
    tell(&mut machine, at_ms(0), Input::Startup { source: US });
    machine
}

/// Active with its last advert at 10 s.
fn active(priority: u8) -> Machine {
    let mut machine = backup(priority);
    let mut at = machine.deadline();
    while let Some(now) = at.filter(|now| *now <= at_ms(9_000)) {
        tell(&mut machine, now, Input::Timer);
        at = machine.deadline();
    }
    tell(&mut machine, at_ms(10_000), Input::Timer);
    assert_eq!(machine.role(), Role::Active);
    machine
}

fn steps_back(after: Span) -> Vec<Effect> {
    let why = Why::Stalled(after);
    vec![Effect::Release, Effect::Moved { from: Role::Active, to: Role::Backup, why }]
}

#[test]
fn an_active_that_was_away_lets_go_first_listens_and_serves_again_when_nobody_else_does() {
    let mut machine = active(100);
    assert_eq!(tell(&mut machine, at_ms(60_000), Input::Timer), steps_back(Span::from_millis(50_000)));
    assert_eq!(machine.deadline(), Some(at_ms(60_000) + DOWN));
    let effects = tell(&mut machine, at_ms(60_000) + DOWN, Input::Timer);
    assert_eq!(effects[..3], [Effect::SendAdvert(Priority::new(100)), Effect::Claim, Effect::Announce]);
}

#[test]
fn it_says_nothing_whatever_wakes_it() {
    let inputs = [
        Input::Timer,
        Input::Compete(Priority::new(100)),
        Input::Compete(Priority::UNFIT),
        Input::Startup { source: US },
        Input::Advert(advert(HIGH, 99, 100)),
        Input::Advert(advert(HIGH, 0, 100)),
        Input::Advert(advert(HIGH, 200, 100)),
    ];
    for input in inputs {
        let mut machine = active(100);
        let effects = tell(&mut machine, at_ms(14_000), input);
        assert_eq!(effects, steps_back(Span::from_millis(4_000)), "{input:?}");
        assert_eq!(machine.role(), Role::Backup);
    }
}

#[test]
fn what_it_finds_in_its_queue_decides_as_for_any_backup() {
    let mut machine = active(100);
    tell(&mut machine, at_ms(20_000), Input::Advert(advert(HIGH, 99, 100)));
    let effects = tell(&mut machine, at_ms(20_000) + DOWN, Input::Timer);
    let why = Why::Preempts(HIGH, Priority::new(99));
    assert_eq!(effects.last(), Some(&Effect::Moved { from: Role::Backup, to: Role::Active, why }));

    let mut machine = active(100);
    tell(&mut machine, at_ms(20_000), Input::Advert(advert(HIGH, 200, 100)));
    assert_eq!(tell(&mut machine, at_ms(23_000), Input::Timer), []);
}

#[test]
fn an_active_that_is_only_late_serves_on() {
    let mut machine = active(100);
    let effects = tell(&mut machine, at_ms(13_990), Input::Timer);
    assert_eq!(effects[0], Effect::SendAdvert(Priority::new(100)));
    assert_eq!(machine.role(), Role::Active);
}

#[test]
fn an_active_that_was_replaced_meanwhile_is_away_sooner_and_one_that_is_challenged_is_not() {
    // The next beat would have been at 11 s; nobody takes over before 13.004 s.
    let lower = Input::Advert(advert(HIGH, 99, 100));
    let mut machine = active(100);
    let effects = tell(&mut machine, at_ms(13_003), lower);
    assert_eq!(effects[0], Effect::SendAdvert(Priority::new(100)), "it insists");
    let mut machine = active(100);
    assert_eq!(tell(&mut machine, at_ms(13_004), lower), steps_back(Span::from_millis(3_004)));
}

#[test]
fn an_active_that_stops_or_fails_after_a_pause_still_resigns() {
    for input in [Input::Shutdown, Input::Fault] {
        let mut machine = active(100);
        let effects = tell(&mut machine, at_ms(60_000), input);
        assert_eq!(effects[..2], [Effect::SendAdvert(Priority::RESIGN), Effect::Release]);
    }
}

#[test]
fn the_owner_needs_nobodys_leave() {
    let mut machine = backup(255);
    let effects = tell(&mut machine, at_ms(60_000), Input::Timer);
    assert_eq!(effects[0], Effect::SendAdvert(Priority::OWNER));
}

#[test]
fn a_backup_that_was_away_listens_once_more_and_only_once() {
    let mut machine = backup(100);
    assert_eq!(tell(&mut machine, at_ms(60_000), Input::Timer), []);
    assert_eq!(machine.deadline(), Some(at_ms(60_000) + DOWN));
    // A processor that is always late must not keep the address from being served.
    let effects = tell(&mut machine, at_ms(70_000), Input::Timer);
    assert_eq!(effects[1], Effect::Claim);

    let mut machine = backup(100);
    tell(&mut machine, at_ms(60_000), Input::Timer);
    tell(&mut machine, at_ms(60_500), Input::Advert(advert(HIGH, 200, 100)));
    assert_eq!(tell(&mut machine, at_ms(70_000), Input::Timer), [], "it was heard, and may be again");
}

#[test]
fn a_backup_that_is_only_late_takes_over() {
    let mut machine = backup(100);
    let effects = tell(&mut machine, at_ms(0) + DOWN + Span::from_millis(999), Input::Timer);
    assert_eq!(effects[1], Effect::Claim);
}
