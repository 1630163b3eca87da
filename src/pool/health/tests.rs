//! Every sequence of 12 observations under every small rise and fall, against the rule in words.

use super::*;

const PASS: Observation = Observation::Pass;
const FAIL: Observation = Observation::Fail;

/// Feeds `seen` and gives the changes with the index of the observation that made them.
fn changes(health: &mut Health, seen: &[Observation]) -> Vec<(usize, Change)> {
    seen.iter().enumerate().filter_map(|(at, seen)| health.handle(*seen).map(|change| (at, change))).collect()
}

#[test]
fn before_the_first_check_a_server_gets_no_requests() {
    let health = Health::new(2, 3);
    assert_eq!(health.standing(), Standing::Checking);
    assert!(!health.eligible());
}

#[test]
fn the_first_observation_decides_at_once() {
    let mut good = Health::new(5, 5);
    assert_eq!(good.handle(PASS), Some(Change::Up));
    assert!(good.eligible());
    let mut bad = Health::new(5, 5);
    assert_eq!(bad.handle(FAIL), Some(Change::Down));
    assert_eq!(bad.standing(), Standing::Down);
}

#[test]
fn fall_failures_in_a_row_take_a_server_out_and_rise_passes_bring_it_back() {
    let mut health = Health::new(2, 3);
    let seen = [PASS, FAIL, FAIL, PASS, FAIL, FAIL, FAIL, FAIL, PASS, FAIL, PASS, PASS, PASS];
    assert_eq!(changes(&mut health, &seen), [(0, Change::Up), (6, Change::Down), (11, Change::Up)]);
}

#[test]
fn a_server_without_checks_stays_in_rotation() {
    let mut health = Health::unchecked();
    assert_eq!(changes(&mut health, &[FAIL; 10]), []);
    assert_eq!(health.standing(), Standing::Unchecked);
    assert!(health.eligible());
}

#[test]
fn zero_rise_or_fall_is_one() {
    assert_eq!(Health::new(0, 0), Health::new(1, 1));
}

/// The rule in words, told from the whole history: the first observation decides, then every run of `fall` failures
/// that ends while the server is up, and every run of `rise` passes that ends while it is down.
fn told_from_history(rise: usize, fall: usize, seen: &[Observation]) -> bool {
    let mut up = seen[0] == PASS;
    for end in 2..=seen.len() {
        let run_of = |what, length| length <= end && seen[end - length..end].iter().all(|seen| *seen == what);
        up = if up { !run_of(FAIL, fall) } else { run_of(PASS, rise) };
    }
    up
}

#[test]
fn every_short_history_ends_where_the_rule_says() {
    for rise in 1..=4u32 {
        for fall in 1..=4u32 {
            for bits in 0..1u32 << 12 {
                let seen: Vec<_> = (0..12).map(|at| if bits >> at & 1 == 1 { PASS } else { FAIL }).collect();
                let mut health = Health::new(rise, fall);
                let changes = changes(&mut health, &seen);
                let expected = told_from_history(rise as usize, fall as usize, &seen);
                assert_eq!(health.eligible(), expected, "rise {rise} fall {fall} {seen:?}");
                assert!(changes.windows(2).all(|pair| pair[0].1 != pair[1].1), "two equal changes in a row");
                assert_eq!(changes[0].0, 0, "the first observation decides");
            }
        }
    }
}

#[test]
fn the_trend_follows_every_observation() {
    let mut health = Health::new(2, 3);
    assert_eq!(health.trend(), Trend::Steady);
    let mut after = |seen| {
        health.handle(seen);
        health.trend()
    };
    assert_eq!(after(Observation::Pass), Trend::Steady);
    assert_eq!([Observation::Fail; 3].map(&mut after), [Trend::Changing, Trend::Changing, Trend::Down]);
    assert_eq!(after(Observation::Pass), Trend::Changing);
    assert_eq!(after(Observation::Fail), Trend::Down);
    assert_eq!([Observation::Pass; 2].map(&mut after), [Trend::Changing, Trend::Steady]);
    let mut unchecked = Health::unchecked();
    unchecked.handle(Observation::Fail);
    assert_eq!(unchecked.trend(), Trend::Steady);
}
