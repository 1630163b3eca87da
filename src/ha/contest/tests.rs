//! What an Active does about others that answer for its addresses.

use std::net::Ipv4Addr;

use super::*;

const THEIRS: Claim =
    Claim { address: IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100)), mac: [2, 0, 10, 77, 0, 66] };

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(1_000_000 + ms)
}

/// An Active since `at_ms(0)`.
fn active() -> Contest {
    let mut contest = Contest::new(true);
    assert_eq!(tell(&mut contest, 0, Input::Began), []);
    contest
}

fn tell(contest: &mut Contest, ms: u64, input: Input) -> Vec<Order> {
    let mut out = Vec::new();
    contest.handle(at_ms(ms), input, &mut out);
    out
}

/// Lets time pass until `until`; when each question was asked, and what else was ordered. `answers` says whether
/// someone answers at a time.
fn pass(contest: &mut Contest, until: u64, answers: impl Fn(u64) -> bool) -> (Vec<u64>, Vec<Order>) {
    let (mut asked, mut other) = (Vec::new(), Vec::new());
    while let Some(at) = contest.deadline().filter(|at| *at < at_ms(until)) {
        let ms = at.since(at_ms(0)).as_micros() / 1_000;
        assert_eq!(tell(contest, ms, Input::Timer), [Order::Probe]);
        asked.push(ms);
        if answers(ms) {
            other.extend(tell(contest, ms + 1, Input::Claimed(THEIRS)));
        }
    }
    (asked, other)
}

#[test]
fn an_active_asks_after_its_takeover_and_every_minute() {
    let (asked, other) = pass(&mut active(), 130_000, |_| false);
    assert_eq!(asked, [300, 1_300, 5_800, 65_800, 125_800]);
    assert_eq!(other, []);
}

#[test]
fn who_answers_again_and_again_is_a_duplicate_and_is_answered_each_time() {
    let mut contest = active();
    let (asked, other) = pass(&mut contest, 3_600, |_| true);
    assert_eq!(asked, [300, 501, 1_501, 2_501, 3_501]);
    let again = [Order::Defend, Order::Duplicate(THEIRS)];
    assert_eq!(other, [&[Order::Defend][..], &again, &again, &again, &again].concat());
    // Gone: the question is asked every second until that is sure, then as ever.
    let (asked, other) = pass(&mut contest, 130_000, |_| false);
    assert_eq!(asked, [4_501, 5_501, 6_501, 7_501, 67_501, 127_501]);
    assert_eq!(other, []);
}

#[test]
fn one_claim_is_answered_and_no_duplicate() {
    let mut contest = active();
    pass(&mut contest, 30_000, |_| false);
    // A queue that was filled while the node stood still, read in a moment.
    for _ in 0..5 {
        assert_eq!(tell(&mut contest, 30_000, Input::Claimed(THEIRS)), [Order::Defend]);
    }
    let (asked, other) = pass(&mut contest, 40_000, |_| false);
    assert_eq!((asked[0], other), (30_200, vec![]));
    // Long after that it is a first claim again.
    assert_eq!(tell(&mut contest, 40_000, Input::Claimed(THEIRS)), [Order::Defend]);
}

#[test]
fn who_is_not_active_has_nothing_to_defend() {
    let mut contest = Contest::new(true);
    for _ in 0..2 {
        assert_eq!(contest.deadline(), None);
        assert_eq!(tell(&mut contest, 0, Input::Claimed(THEIRS)), []);
        assert_eq!(tell(&mut contest, 500, Input::Timer), []);
        contest = active();
        tell(&mut contest, 1, Input::Ended);
    }
}

#[test]
fn who_must_not_ask_still_hears_and_answers_what_others_say() {
    let mut contest = Contest::new(false);
    tell(&mut contest, 0, Input::Began);
    assert_eq!((contest.deadline(), tell(&mut contest, 60_000, Input::Timer)), (None, vec![]));
    assert_eq!(tell(&mut contest, 61_000, Input::Claimed(THEIRS)), [Order::Defend]);
    assert_eq!(contest.deadline(), None, "no question whether it is meant");
    let again = tell(&mut contest, 62_000, Input::Claimed(THEIRS));
    assert_eq!(again, [Order::Defend, Order::Duplicate(THEIRS)]);
    tell(&mut contest, 63_000, Input::Ended);
    assert_eq!(tell(&mut contest, 63_001, Input::Claimed(THEIRS)), []);
}

#[test]
fn many_strangers_do_not_make_it_grow() {
    let mut contest = active();
    for last in 0..=255 {
        let mac = [2, 0, 10, 77, 1, last];
        tell(&mut contest, 10, Input::Claimed(Claim { mac, ..THEIRS }));
    }
    assert_eq!(contest.claims.len(), CLAIMS);
}
