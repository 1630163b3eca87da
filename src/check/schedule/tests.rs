//! The schedule under a clock of the test's own: timers fire up to a millisecond late, as tokio's do.

use super::*;
use crate::pool::{Change, Health, Observation};

const MS: Span = Span::from_millis(1);

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

fn rhythm(interval: u64, timeout: u64) -> Rhythm {
    Rhythm { interval: ms(interval), timeout: ms(timeout), fast: ms(interval), down: ms(interval) }
}

/// A small generator (splitmix64), so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A check that was run: which server, from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ran {
    server: usize,
    from: Time,
    to: Time,
    deadline: Time,
}

/// The engine with a clock of its own. `takes` says how long a check started at a moment takes; the deadline ends it.
fn run(
    rhythms: &[Rhythm],
    length: Span,
    dice: &mut Dice,
    mut takes: impl FnMut(&mut Dice, Time, usize) -> Span,
) -> Vec<Ran> {
    let mut now = Time::from_micros(1_000_000);
    let end = now + length;
    let mut schedule = Schedule::new(now, rhythms);
    let (mut running, mut starts, mut ran) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut input = Input::Timer;
    while now < end {
        schedule.handle(now, input, &mut starts);
        for Start { server, deadline } in starts.drain(..) {
            let late = Span::from_micros(dice.below(1_000));
            let to = (now + takes(dice, now, server)).min(deadline + late).max(now);
            assert!(running.iter().all(|(_, other)| *other != server), "{server} is being checked twice");
            running.insert((to, server));
            ran.push(Ran { server, from: now, to, deadline });
        }
        let finished = running.first().copied();
        let timer = schedule.deadline().map(|due| due + Span::from_micros(dice.below(1_000)));
        (now, input) = match (finished, timer) {
            (Some((to, server)), timer) if timer.is_none_or(|timer| to <= timer) => {
                running.remove(&(to, server));
                (to.max(now), Input::Finished(server, Trend::Steady))
            }
            (_, Some(timer)) => (timer.max(now), Input::Timer),
            (_, None) => panic!("nothing is under way and nothing is due"),
        };
    }
    ran
}

fn starts_of(ran: &[Ran], server: usize) -> Vec<Time> {
    ran.iter().filter(|ran| ran.server == server).map(|ran| ran.from).collect()
}

#[test]
fn the_first_checks_start_at_once() {
    let now = Time::from_micros(5_000_000);
    let mut schedule = Schedule::new(now, &[rhythm(1_000, 500); 3]);
    let mut starts = Vec::new();
    schedule.handle(now + MS, Input::Timer, &mut starts);
    assert_eq!(starts.iter().map(|start| start.server).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(schedule.deadline(), None, "all are being checked");
}

#[test]
fn a_thousand_first_checks_take_a_tenth_of_a_second_and_never_longer_than_the_interval() {
    let now = Time::ZERO;
    let last =
        |rhythm| Schedule::new(now, &vec![rhythm; 1_000]).waiting.last().map(|(due, _)| due.since(now));
    assert_eq!(last(rhythm(1_000, 500)), Some(Span::from_micros(99_900)));
    assert_eq!(last(rhythm(50, 50)), Some(ms(50)));
}

#[test]
fn nothing_to_check_is_nothing_to_do() {
    let mut schedule = Schedule::new(Time::ZERO, &[]);
    let mut starts = Vec::new();
    schedule.handle(Time::ZERO, Input::Timer, &mut starts);
    assert_eq!((starts.len(), schedule.deadline()), (0, None));
}

#[test]
fn checks_are_never_further_apart_than_the_interval_and_keep_their_place() {
    let mut dice = Dice(1);
    let ran = run(&[rhythm(200, 200); 20], ms(60_000), &mut dice, |dice, _, _| {
        Span::from_micros(dice.below(150_000))
    });
    for server in 0..20 {
        let starts = starts_of(&ran, server);
        let apart = |pair: &[Time]| pair[1].since(pair[0]);
        assert!(starts.windows(2).all(|pair| apart(pair) <= ms(200) + MS), "server {server} waits too long");
        // The second check comes early and may have to wait for the first.
        let settled = &starts[2..];
        let (jitter, period) = (Span::from_micros(12_500), Span::from_micros(187_500));
        let place = |nth: usize| settled[0] + period.times(nth as u64);
        let away = |nth: usize| settled[nth].since(place(nth)).max(place(nth).since(settled[nth]));
        let drift = (0..settled.len()).map(away).max().expect("there are some");
        assert!(drift <= jitter + MS, "server {server} was {drift} from its place");
        assert!(
            settled.windows(2).all(|pair| apart(pair) + MS >= period - jitter),
            "server {server} is checked too often"
        );
        let lengths: BTreeSet<_> = settled.windows(2).map(|pair| apart(pair).as_micros() / 1_000).collect();
        assert!(lengths.len() > 5, "server {server} is checked to the millisecond: {lengths:?}");
    }
}

#[test]
fn checks_do_not_bunch() {
    let mut dice = Dice(2);
    let ran = run(&[rhythm(1_000, 1_000); 100], ms(10_000), &mut dice, |_, _, _| MS);
    let mut starts: Vec<_> =
        ran.iter().map(|ran| ran.from.as_micros()).filter(|from| *from > 4_000_000).collect();
    starts.sort_unstable();
    let most =
        starts.iter().map(|from| starts.iter().filter(|it| **it >= *from && **it < from + 100_000).count());
    assert!(most.max() <= Some(16), "a tenth of the interval has about a ninth of the 100 checks");
}

#[test]
fn a_check_that_fails_slowly_is_not_overtaken_by_the_next() {
    // The timeout is longer than the interval: `run` asserts that no server is checked twice at once.
    let ran = run(&[rhythm(100, 350); 3], ms(10_000), &mut Dice(3), |_, _, _| ms(5_000));
    for ran in &ran {
        assert!(ran.to.since(ran.from) >= ms(350), "every check has its whole timeout");
        assert!(ran.to.since(ran.from) <= ms(350) + MS);
    }
    assert!(starts_of(&ran, 0).len() >= 28, "the next check starts as soon as the last has ended");
}

#[test]
fn after_a_pause_every_server_is_checked_once_with_its_whole_timeout() {
    let mut schedule = Schedule::new(Time::ZERO, &[rhythm(100, 80); 2]);
    let mut starts = Vec::new();
    schedule.handle(Time::ZERO + MS, Input::Timer, &mut starts);
    schedule.handle(Time::ZERO + MS, Input::Finished(0, Trend::Steady), &mut starts);
    schedule.handle(Time::ZERO + MS, Input::Finished(1, Trend::Steady), &mut starts);
    starts.clear();
    let woken = Time::ZERO + ms(60_000);
    schedule.handle(woken, Input::Timer, &mut starts);
    assert_eq!(starts.iter().map(|start| start.deadline).collect::<Vec<_>>(), [woken + ms(80); 2]);
}

/// The checks of three servers, the last of which dies at `death`: from then on it refuses, or it `hangs`.
fn checks_of_a_dying_server(rhythm: Rhythm, death: Time, hangs: bool, seed: u64) -> Vec<Ran> {
    let takes = |_: &mut Dice, now, server| match (server == 2 && now >= death, hangs) {
        (false, _) => Span::ZERO,
        (true, true) => ms(60_000),
        (true, false) => MS,
    };
    run(&[rhythm; 3], ms(5_000), &mut Dice(seed), takes).into_iter().filter(|ran| ran.server == 2).collect()
}

#[test]
fn a_dead_server_is_out_within_fall_intervals_and_a_timeout() {
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let fall = 1 + u32::try_from(dice.below(6)).expect("below 6");
        let interval = 50 + dice.below(200);
        let rhythm = rhythm(interval, interval - dice.below(2) * dice.below(40));
        let hangs = dice.below(2) == 0;
        // The worst moment to die: right after a check has passed.
        let alive = checks_of_a_dying_server(rhythm, Time::from_micros(u64::MAX), hangs, seed);
        let death = alive[usize::try_from(dice.below(10)).expect("below 10")].from + Span::from_micros(1);
        let mut health = Health::new(2, fall);
        let out = checks_of_a_dying_server(rhythm, death, hangs, seed).into_iter().find(|ran| {
            let seen = if ran.from < death { Observation::Pass } else { Observation::Fail };
            health.handle(seen) == Some(Change::Down)
        });
        let out = out.unwrap_or_else(|| panic!("seed {seed}: never taken out")).to.since(death);
        // The timer that ends the last check may be a millisecond late; no lateness adds up over the checks.
        let bound = rhythm.interval.times(u64::from(fall)) + rhythm.timeout + MS;
        assert!(
            out <= bound,
            "seed {seed}: fall {fall} {rhythm:?} hangs {hangs}: out after {out}, not {bound}"
        );
    }
}

/// When the checks of one server start, each of which says `trend` after `takes`.
fn starts_with(rhythm: Rhythm, takes: Span, trends: &[Trend]) -> Vec<Time> {
    let mut schedule = Schedule::new(Time::ZERO, &[rhythm]);
    let (mut now, mut out, mut starts) = (Time::ZERO, Vec::new(), Vec::new());
    for trend in trends {
        schedule.handle(now, Input::Timer, &mut out);
        assert_eq!(out.len(), 1, "one check at a time");
        out.clear();
        starts.push(now);
        schedule.handle(now + takes, Input::Finished(0, *trend), &mut out);
        now = (now + takes).max(schedule.deadline().unwrap_or(now + takes));
    }
    starts
}

fn distances(starts: &[Time]) -> Vec<u64> {
    starts.windows(2).map(|pair| pair[1].since(pair[0]).as_micros() / 1_000).collect()
}

#[test]
fn a_standing_that_changes_is_looked_at_sooner() {
    let rhythm = Rhythm { fast: ms(100), ..rhythm(1_600, 500) };
    let (steady, changing) = (Trend::Steady, Trend::Changing);
    let starts = starts_with(rhythm, MS, &[steady, steady, changing, changing, steady, steady, steady]);
    let apart = distances(&starts);
    assert_eq!(apart[2..4], [100, 100], "{apart:?}");
    assert!(apart[4..].iter().all(|apart| (1_400..=1_600).contains(apart)), "{apart:?}");
    // A check that takes longer than the fast interval is followed at once.
    assert_eq!(distances(&starts_with(rhythm, ms(300), &[changing; 3])), [300, 300]);
}

#[test]
fn a_server_that_stays_down_is_asked_less_and_less_often() {
    let rhythm = Rhythm { down: ms(10_000), ..rhythm(1_600, 500) };
    let mut trends = vec![Trend::Steady, Trend::Steady];
    trends.extend([Trend::Down; 7]);
    trends.extend([Trend::Changing, Trend::Steady, Trend::Down, Trend::Down]);
    let apart = distances(&starts_with(rhythm, MS, &trends));
    let bounds = [1_600, 1_600, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000, 10_000, 1_600, 1_600, 1_600];
    for (nth, (apart, bound)) in apart.iter().zip(bounds).enumerate().skip(1) {
        let jitter = 1_600 / 8;
        assert!((bound - jitter..=bound).contains(apart), "{nth}: {apart} is not about {bound}");
    }
}
