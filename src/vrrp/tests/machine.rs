//! The state machine, one behaviour a test. The interval is 1 s; our address lies between LOW and HIGH.

use std::net::{IpAddr, Ipv6Addr};

use crate::vrrp::{
    Effect, Input, Machine, Params, Preempt, Priority, Refresh, Role, Span, Time, Version, Why,
};

use super::{HIGH, LOW, US, advert, at_ms, params};

/// A machine with its effects, and a clock that tests set.
struct Node {
    machine: Machine,
}

impl Node {
    fn backup(priority: u8, preempt: Preempt) -> Self {
        let params = params(100, preempt);
        let mut node = Self { machine: Machine::new(params, Priority::new(priority)) };
        node.tell(at_ms(0), Input::Startup { source: US });
        assert_eq!(node.machine.role(), Role::Backup);
        node
    }

    /// Active since `at_ms(0)`, with the first announcements behind it.
    fn active(priority: u8) -> Self {
        let params = params(100, Preempt::Always);
        let mut node = Self { machine: Machine::new(params, Priority::OWNER) };
        node.tell(at_ms(0), Input::Startup { source: US });
        node.tell(at_ms(0), Input::Compete(Priority::new(priority)));
        for ms in [100, 200, 300, 400, 1_000, 2_000, 3_000, 4_000, 5_000] {
            node.tell(at_ms(ms), Input::Timer);
        }
        node
    }

    fn tell(&mut self, now: Time, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.machine.handle(now, input, &mut out);
        out
    }

    fn deadline(&self) -> Time {
        self.machine.deadline().expect("takes part")
    }
}

fn takes_over(priority: u8, why: Why) -> Vec<Effect> {
    vec![
        Effect::SendAdvert(Priority::new(priority)),
        Effect::Claim,
        Effect::Announce,
        Effect::Moved { from: Role::Backup, to: Role::Active, why },
    ]
}

const DOWN_100: Span = Span::from_micros(3_609_375);
const SKEW_100: Span = Span::from_micros(609_375);

#[test]
fn a_backup_listens_for_active_down_interval_then_advertises_claims_and_announces() {
    let mut node = Node::backup(100, Preempt::Always);
    assert_eq!(node.deadline(), at_ms(0) + DOWN_100);
    assert_eq!(node.tell(Time::from_micros(3_609_374), Input::Timer), []);
    let effects = node.tell(at_ms(0) + DOWN_100, Input::Timer);
    assert_eq!(effects, takes_over(100, Why::Silence(DOWN_100)));
    assert_eq!(node.machine.role(), Role::Active);
}

#[test]
fn the_owner_serves_at_once() {
    let params = params(100, Preempt::Always);
    let mut node = Node { machine: Machine::new(params, Priority::OWNER) };
    let effects = node.tell(at_ms(5), Input::Startup { source: US });
    assert_eq!(effects[..3], [Effect::SendAdvert(Priority::OWNER), Effect::Claim, Effect::Announce]);
    assert_eq!(effects[3], Effect::Moved { from: Role::Initialize, to: Role::Active, why: Why::Owner });
}

#[test]
fn a_backup_learns_the_interval_of_the_active() {
    let mut node = Node::backup(100, Preempt::Always);
    node.tell(at_ms(50), Input::Advert(advert(HIGH, 200, 20)));
    // 3 × 200 ms + 156/256 × 200 ms
    assert_eq!(node.deadline(), at_ms(50) + Span::from_micros(721_875));
}

#[test]
fn priority_zero_of_the_active_leaves_only_the_skew() {
    let mut node = Node::backup(100, Preempt::Always);
    node.tell(at_ms(10), Input::Advert(advert(HIGH, 200, 100)));
    node.tell(at_ms(500), Input::Advert(advert(HIGH, 0, 100)));
    assert_eq!(node.deadline(), at_ms(500) + SKEW_100);
    let effects = node.tell(node.deadline(), Input::Timer);
    assert_eq!(effects, takes_over(100, Why::Resigned(HIGH)));
}

#[test]
fn priority_zero_of_a_stranger_changes_nothing() {
    let mut node = Node::backup(100, Preempt::Always);
    node.tell(at_ms(10), Input::Advert(advert(HIGH, 200, 100)));
    node.tell(at_ms(500), Input::Advert(advert(LOW, 0, 100)));
    assert_eq!(node.deadline(), at_ms(10) + DOWN_100);
}

#[test]
fn a_lower_priority_does_not_hold_back_who_preempts() {
    let mut node = Node::backup(100, Preempt::Always);
    for second in 1..=3 {
        node.tell(at_ms(second * 1_000), Input::Advert(advert(HIGH, 99, 100)));
    }
    assert_eq!(node.deadline(), at_ms(0) + DOWN_100);
    let effects = node.tell(node.deadline(), Input::Timer);
    assert_eq!(effects, takes_over(100, Why::Preempts(HIGH, Priority::new(99))));
}

#[test]
fn a_lower_priority_holds_back_who_does_not_preempt_unless_it_is_unfit() {
    let mut node = Node::backup(100, Preempt::Never);
    node.tell(at_ms(1_000), Input::Advert(advert(HIGH, 99, 100)));
    assert_eq!(node.deadline(), at_ms(1_000) + DOWN_100);
    node.tell(at_ms(2_000), Input::Advert(advert(HIGH, 1, 100)));
    assert_eq!(node.deadline(), at_ms(1_000) + DOWN_100);
}

#[test]
fn an_equal_priority_holds_a_backup_back_whatever_the_address() {
    let mut node = Node::backup(100, Preempt::Always);
    node.tell(at_ms(1_000), Input::Advert(advert(LOW, 100, 100)));
    assert_eq!(node.deadline(), at_ms(1_000) + DOWN_100);
}

#[test]
fn an_active_advertises_on_the_beat_and_announces_a_few_times() {
    let params = params(100, Preempt::Always);
    let mut node = Node { machine: Machine::new(params, Priority::OWNER) };
    node.tell(at_ms(0), Input::Startup { source: US });
    let mut adverts = Vec::new();
    let mut announcements = vec![0];
    while node.deadline() < at_ms(8_000) {
        let now = node.deadline();
        for effect in node.tell(now, Input::Timer) {
            match effect {
                Effect::SendAdvert(_) => adverts.push(now.as_micros() / 1_000),
                Effect::Announce => announcements.push(now.as_micros() / 1_000),
                Effect::Claim | Effect::Release | Effect::Moved { .. } => panic!("{effect:?}"),
            }
        }
    }
    assert_eq!(adverts, [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]);
    assert_eq!(announcements, [0, 100, 200, 300, 400, 5_000]);
}

/// When an Active that is left alone for `secs` announces, in microseconds.
fn announcements_of(refresh: Refresh, secs: u64) -> Vec<u64> {
    let params = Params { refresh: Some(refresh), ..params(100, Preempt::Always) };
    let mut node = Node { machine: Machine::new(params, Priority::OWNER) };
    node.tell(at_ms(0), Input::Startup { source: US });
    let mut announced = vec![0];
    while node.deadline() < at_ms(secs * 1_000) {
        let now = node.deadline();
        let effects = node.tell(now, Input::Timer);
        announced.extend(effects.contains(&Effect::Announce).then_some(now.as_micros()));
    }
    announced
}

#[test]
fn an_active_announces_again_every_so_often_and_not_in_step_with_others() {
    let minute = |salt| Refresh { every: Span::from_millis(60_000), salt };
    let announced = announcements_of(minute(51), 3_600);
    assert_eq!(announced[..6], [0, 100_000, 200_000, 300_000, 400_000, 5_000_000]);
    let pauses: Vec<_> = announced[5..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.len() >= 59, "{pauses:?}");
    assert!(pauses.iter().all(|pause| (45_000_000..=60_000_000).contains(pause)), "{pauses:?}");
    // Drawn from the whole quarter, the same way each time, and another way for another router.
    let spread = pauses.iter().max().expect("some") - pauses.iter().min().expect("some");
    assert!(spread > 10_000_000, "{spread}");
    assert_eq!(announced, announcements_of(minute(51), 3_600));
    let both = announcements_of(minute(52), 3_600);
    assert!(both[6..].iter().all(|at| !announced[6..].contains(at)));
}

#[test]
fn whoever_claims_an_address_of_an_active_is_answered_at_a_bounded_rate() {
    let mut node = Node::active(200);
    assert_eq!(node.tell(at_ms(5_100), Input::Contested), [Effect::Announce]);
    assert_eq!(node.tell(at_ms(5_101), Input::Contested), [], "the burst is under way");
    let mut answers = 1;
    for ms in 5_102..7_102 {
        let effects = [node.tell(at_ms(ms), Input::Contested), node.tell(at_ms(ms), Input::Timer)].concat();
        answers += effects.iter().filter(|effect| **effect == Effect::Announce).count();
    }
    assert!((10..=26).contains(&answers), "{answers} in two seconds");

    let mut backup = Node::backup(100, Preempt::Always);
    let before = backup.deadline();
    assert_eq!(backup.tell(at_ms(1), Input::Contested), []);
    assert_eq!(backup.deadline(), before);
}

#[test]
fn a_late_timer_keeps_the_beat_and_a_long_pause_begins_a_new_one() {
    let mut node = Node::active(100);
    assert_eq!(node.deadline(), at_ms(6_000));
    node.tell(at_ms(6_300), Input::Timer);
    assert_eq!(node.deadline(), at_ms(7_000));
    assert_eq!(node.tell(at_ms(9_300), Input::Timer), [Effect::SendAdvert(Priority::new(100))]);
    assert_eq!(node.deadline(), at_ms(10_300));
}

#[test]
fn an_active_that_hears_a_lower_priority_advertises_at_once_and_announces_again() {
    let mut node = Node::active(100);
    let effects = node.tell(at_ms(5_500), Input::Advert(advert(HIGH, 99, 100)));
    assert_eq!(effects, [Effect::SendAdvert(Priority::new(100)), Effect::Announce]);
    // The same moment: one answer for a whole queue.
    assert_eq!(node.tell(at_ms(5_500), Input::Advert(advert(HIGH, 99, 100))), []);
    assert_eq!(node.machine.role(), Role::Active);
}

#[test]
fn an_active_that_hears_priority_zero_advertises_at_once() {
    let mut node = Node::active(100);
    let effects = node.tell(at_ms(5_500), Input::Advert(advert(HIGH, 0, 100)));
    assert_eq!(effects, [Effect::SendAdvert(Priority::new(100))]);
}

#[test]
fn an_active_yields_to_the_higher_priority_and_to_the_higher_address() {
    for (peer, priority, why) in
        [(LOW, 101, Why::HigherPriority(LOW, Priority::new(101))), (HIGH, 100, Why::HigherAddress(HIGH))]
    {
        let mut node = Node::active(100);
        let effects = node.tell(at_ms(5_500), Input::Advert(advert(peer, priority, 100)));
        let moved = Effect::Moved { from: Role::Active, to: Role::Backup, why };
        assert_eq!(effects, [Effect::SendAdvert(Priority::new(100)), Effect::Release, moved]);
        assert_eq!(node.deadline(), at_ms(5_500) + DOWN_100);
    }
    let mut node = Node::active(100);
    node.tell(at_ms(5_500), Input::Advert(advert(LOW, 100, 100)));
    assert_eq!(node.machine.role(), Role::Active, "the lower address yields, not we");
}

#[test]
fn addresses_are_compared_as_unsigned_numbers() {
    let mut node = Node::active(100);
    node.tell(at_ms(5_500), Input::Advert(advert(IpAddr::from([9, 255, 255, 255]), 100, 100)));
    assert_eq!(node.machine.role(), Role::Active);
    node.tell(at_ms(5_600), Input::Advert(advert(IpAddr::from([192, 0, 2, 1]), 100, 100)));
    assert_eq!(node.machine.role(), Role::Backup);
}

#[test]
fn an_active_that_stops_or_fails_resigns_before_it_releases() {
    for (input, why) in [(Input::Shutdown, Why::Stopped), (Input::Fault, Why::Fault)] {
        let mut node = Node::active(100);
        let effects = node.tell(at_ms(5_500), input);
        assert_eq!(
            effects,
            [
                Effect::SendAdvert(Priority::RESIGN),
                Effect::Release,
                Effect::Moved { from: Role::Active, to: Role::Initialize, why },
            ]
        );
        assert_eq!(node.machine.deadline(), None);
    }
}

#[test]
fn in_initialize_nothing_but_startup_has_an_effect() {
    let params = params(100, Preempt::Always);
    let mut node = Node { machine: Machine::new(params, Priority::new(100)) };
    for input in [Input::Timer, Input::Shutdown, Input::Fault, Input::Advert(advert(HIGH, 200, 100))] {
        assert_eq!(node.tell(at_ms(1), input), []);
        assert_eq!(node.machine.role(), Role::Initialize);
    }
}

#[test]
fn an_active_that_becomes_unfit_offers_the_role_and_serves_on() {
    let mut node = Node::active(200);
    let effects = node.tell(at_ms(5_500), Input::Compete(Priority::UNFIT));
    assert_eq!(effects, [Effect::SendAdvert(Priority::RESIGN)]);
    assert_eq!(node.machine.role(), Role::Active);
    assert_eq!(node.deadline(), at_ms(6_500));
    assert_eq!(node.tell(at_ms(6_500), Input::Timer), [Effect::SendAdvert(Priority::UNFIT)]);
    // A fit peer takes it.
    let effects = node.tell(at_ms(6_600), Input::Advert(advert(LOW, 100, 100)));
    assert_eq!(effects[..2], [Effect::SendAdvert(Priority::UNFIT), Effect::Release]);
    assert_eq!(node.machine.role(), Role::Backup);
}

#[test]
fn an_unfit_active_goes_on_offering_the_role_with_every_tenth_advert() {
    let mut node = Node::active(200);
    node.tell(at_ms(5_000), Input::Compete(Priority::UNFIT));
    let mut said = |seconds: u64| {
        let effects = node.tell(at_ms(1_000 * seconds), Input::Timer);
        effects.into_iter().find(|effect| matches!(effect, Effect::SendAdvert(_)))
    };
    for offer in [15, 25] {
        for seconds in offer - 9..offer {
            assert_eq!(said(seconds), Some(Effect::SendAdvert(Priority::UNFIT)), "{seconds} s");
        }
        assert_eq!(said(offer), Some(Effect::SendAdvert(Priority::RESIGN)), "{offer} s");
    }
    // A fit one never does.
    node.tell(at_ms(25_500), Input::Compete(Priority::new(200)));
    for seconds in 26..50 {
        let effects = node.tell(at_ms(1_000 * seconds + 500), Input::Timer);
        assert!(!effects.contains(&Effect::SendAdvert(Priority::RESIGN)), "{effects:?}");
    }
    assert_eq!(node.machine.role(), Role::Active);
}

#[test]
fn an_unfit_backup_lets_fit_nodes_and_the_offering_active_go_first() {
    let mut node = Node::backup(1, Preempt::Always);
    node.tell(at_ms(0), Input::Advert(advert(HIGH, 200, 100)));
    node.tell(at_ms(1_000), Input::Advert(advert(HIGH, 0, 100)));
    assert!(node.deadline() > at_ms(2_000), "the offering Active advertises again after one interval");
    node.tell(at_ms(2_000), Input::Advert(advert(HIGH, 1, 100)));
    assert!(node.deadline() > at_ms(5_000));
    assert_eq!(node.machine.role(), Role::Backup);
}

#[test]
fn a_changed_priority_changes_the_skew_of_a_backup() {
    let mut node = Node::backup(1, Preempt::Always);
    node.tell(at_ms(0), Input::Advert(advert(HIGH, 150, 100)));
    node.tell(at_ms(10), Input::Compete(Priority::new(100)));
    assert_eq!(node.deadline(), at_ms(0) + DOWN_100);
    assert_eq!(node.tell(at_ms(20), Input::Startup { source: US }), []);
}

#[test]
fn preemption_after_a_delay_counts_from_the_first_lower_advert() {
    let mut node = Node::backup(100, Preempt::After(Span::from_millis(5_000)));
    for second in 1..=8 {
        node.tell(at_ms(second * 1_000), Input::Advert(advert(HIGH, 99, 100)));
    }
    // Accepted at 1..=5 s, discarded from 6 s on: the timer runs from 5 s.
    assert_eq!(node.deadline(), at_ms(5_000) + DOWN_100);
    let effects = node.tell(node.deadline(), Input::Timer);
    assert_eq!(effects, takes_over(100, Why::Preempts(HIGH, Priority::new(99))));
}

#[test]
fn the_delay_begins_anew_after_a_better_one_was_heard_and_does_not_hold_for_the_unfit() {
    let mut node = Node::backup(100, Preempt::After(Span::from_millis(5_000)));
    node.tell(at_ms(1_000), Input::Advert(advert(HIGH, 99, 100)));
    node.tell(at_ms(2_000), Input::Advert(advert(LOW, 200, 100)));
    node.tell(at_ms(6_500), Input::Advert(advert(HIGH, 99, 100)));
    assert_eq!(node.deadline(), at_ms(6_500) + DOWN_100);
    node.tell(at_ms(7_500), Input::Advert(advert(HIGH, 1, 100)));
    assert_eq!(node.deadline(), at_ms(6_500) + DOWN_100);
}

const LOW_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1));

#[test]
fn an_advert_on_either_wire_holds_a_backup_back() {
    let mut node = Node::backup(100, Preempt::Always);
    node.tell(at_ms(1_000), Input::Advert(advert(HIGH, 200, 100)));
    node.tell(at_ms(2_000), Input::Advert(advert(LOW_V6, 200, 100)));
    assert_eq!(node.deadline(), at_ms(2_000) + DOWN_100);
}

#[test]
fn priority_zero_counts_once_on_whichever_wire_it_comes_first() {
    let mut node = Node::backup(100, Preempt::Always);
    node.tell(at_ms(0), Input::Advert(advert(HIGH, 200, 100)));
    node.tell(at_ms(0), Input::Advert(advert(LOW_V6, 200, 100)));
    node.tell(at_ms(500), Input::Advert(advert(LOW_V6, 0, 100)));
    node.tell(at_ms(501), Input::Advert(advert(HIGH, 0, 100)));
    assert_eq!(node.deadline(), at_ms(500) + SKEW_100);
}

#[test]
fn equal_priorities_are_decided_on_the_first_wire_alone() {
    let mut node = Node::active(100);
    assert_eq!(node.tell(at_ms(5_500), Input::Advert(advert(LOW_V6, 100, 100))), []);
    assert_eq!(node.machine.role(), Role::Active);
}

#[test]
fn version_2_has_its_own_skew() {
    let params = Params { version: Version::V2, ..params(300, Preempt::Always) };
    let mut node = Node { machine: Machine::new(params, Priority::new(100)) };
    node.tell(at_ms(0), Input::Startup { source: US });
    assert_eq!(node.deadline(), at_ms(9_000) + SKEW_100);
}
