//! Two Actives that hear each other: one yields, and the other one knows that hosts may have been told of it.

use std::net::IpAddr;

use crate::vrrp::{Effect, Input, Machine, Params, Preempt, Priority, Role, Span, Time};

use super::{HIGH, LOW, advert, at_ms, params};

/// An Active that was left alone for long enough to have nothing to announce.
fn active(source: IpAddr, priority: u8, farewell: bool) -> Machine {
    let params = Params { farewell, ..params(10, Preempt::Always) };
    let mut machine = Machine::new(params, Priority::new(priority));
    tell(&mut machine, at_ms(0), Input::Startup { source });
    while machine.deadline().is_some_and(|deadline| deadline < at_ms(10_000)) {
        let now = machine.deadline().expect("it takes part");
        tell(&mut machine, now, Input::Timer);
    }
    assert_eq!(machine.role(), Role::Active);
    machine
}

fn tell(machine: &mut Machine, now: Time, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    machine.handle(now, input, &mut out);
    out
}

fn said(effects: &[Effect]) -> Vec<u8> {
    let priority = |effect: &Effect| match effect {
        Effect::SendAdvert(priority) => Some(priority.get()),
        Effect::Claim | Effect::Announce | Effect::Release | Effect::Moved { .. } => None,
    };
    effects.iter().filter_map(priority).collect()
}

#[test]
fn whichever_hears_the_other_first_the_better_one_announces_again() {
    for (better, worse) in [((LOW, 200), (HIGH, 100)), ((HIGH, 100), (LOW, 100))] {
        for better_speaks_first in [true, false] {
            let (mut winner, mut loser) = (active(better.0, better.1, true), active(worse.0, worse.1, true));
            let now = at_ms(10_005);
            let theirs = Input::Advert(advert(worse.0, worse.1, 10));
            let mut effects = Vec::new();
            if !better_speaks_first {
                effects.extend(tell(&mut winner, now, theirs));
            }
            let parting = tell(&mut loser, now, Input::Advert(advert(better.0, better.1, 10)));
            assert_eq!(said(&parting), [worse.1], "before it lets go");
            assert_eq!(parting[1], Effect::Release);
            effects.extend(tell(&mut winner, now + Span::from_millis(1), theirs));
            assert!(effects.contains(&Effect::Announce), "{effects:?}");
            assert_eq!((winner.role(), loser.role()), (Role::Active, Role::Backup));
        }
    }
}

#[test]
fn who_has_just_spoken_says_nothing_more() {
    let mut node = active(LOW, 100, true);
    let now = at_ms(10_005);
    let insists = tell(&mut node, now, Input::Advert(advert(HIGH, 50, 10)));
    assert_eq!(said(&insists), [100]);
    let yields = tell(&mut node, now, Input::Advert(advert(HIGH, 200, 10)));
    assert_eq!((said(&yields), yields[0]), (vec![], Effect::Release));
}

#[test]
fn whose_mac_address_moves_along_says_nothing() {
    let mut node = active(LOW, 100, false);
    let effects = tell(&mut node, at_ms(10_005), Input::Advert(advert(HIGH, 200, 10)));
    assert_eq!((said(&effects), effects[0]), (vec![], Effect::Release));
}
