//! A pool of servers whose counters the test moves.

use super::*;

const RULES: Rules =
    Rules { errors: 5, eject: Duration::from_secs(10), eject_max: Duration::from_secs(60), keep: 50 };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Bench {
    outliers: Outliers,
    tallies: Vec<Tally>,
}

impl Bench {
    fn new(rules: Rules, servers: usize) -> Self {
        let tallies = vec![Tally { healthy: true, ..Tally::default() }; servers];
        Self { outliers: Outliers::new(rules, servers), tallies }
    }

    fn look(&mut self, now: u64) -> Vec<Verdict> {
        let mut out = Vec::new();
        self.outliers.handle(at(now), &self.tallies, &mut out);
        out
    }

    fn errors(&mut self, server: usize, errors: u64) {
        self.tallies[server].errors += errors;
    }
}

fn ejected(server: usize, errors: u64, seconds: u64) -> Verdict {
    Verdict::Ejected { server, errors, length: at(seconds) }
}

#[test]
fn errors_in_a_row_leave_a_server_out_for_a_while() {
    let mut pool = Bench::new(RULES, 3);
    pool.errors(1, 4);
    assert_eq!(pool.look(1), []);
    pool.errors(1, 1);
    assert_eq!(pool.look(2), [ejected(1, 5, 10)]);
    assert!(pool.outliers.is_out(1) && !pool.outliers.is_out(0));
    // What was under way may still fail.
    pool.errors(1, 9);
    assert_eq!(pool.look(11), []);
    assert_eq!(pool.look(12), [Verdict::Returned { server: 1 }]);
    assert_eq!(pool.look(13), []);
}

#[test]
fn an_answer_in_between_starts_the_count_again() {
    let mut pool = Bench::new(RULES, 3);
    for now in 1..20 {
        pool.errors(0, 4);
        assert_eq!(pool.look(2 * now), []);
        pool.tallies[0].requests += 1;
        assert_eq!(pool.look(2 * now + 1), []);
    }
}

#[test]
fn who_fails_again_soon_stays_out_longer_up_to_a_bound() {
    let mut pool = Bench::new(RULES, 3);
    let (mut now, mut lengths) = (0, Vec::new());
    for _ in 0..5 {
        pool.errors(2, 5);
        let verdicts = pool.look(now);
        let [Verdict::Ejected { length, .. }] = verdicts[..] else { panic!("{verdicts:?}") };
        lengths.push(length.as_secs());
        now += length.as_secs();
        assert_eq!(pool.look(now), [Verdict::Returned { server: 2 }]);
    }
    assert_eq!(lengths, [10, 20, 40, 60, 60]);
    // Twice as long without one: forgotten.
    pool.errors(2, 5);
    assert_eq!(pool.look(now + 120), [ejected(2, 5, 10)]);
}

#[test]
fn the_share_to_keep_is_kept() {
    for (servers, keep, most) in [(1, 50, 0), (2, 50, 1), (3, 50, 1), (4, 50, 2), (4, 100, 0), (4, 1, 3)] {
        let mut pool = Bench::new(Rules { keep, ..RULES }, servers);
        (0..servers).for_each(|server| pool.errors(server, 9));
        assert_eq!(pool.look(1).len(), most, "{servers} servers, {keep} %");
        assert_eq!(pool.look(2), [], "no more later");
    }
    // Servers that are down by their checks are missing already.
    let mut pool = Bench::new(RULES, 4);
    pool.tallies[0].healthy = false;
    pool.tallies[1].healthy = false;
    pool.errors(2, 9);
    assert_eq!(pool.look(1), []);
}

#[test]
fn checks_that_bring_a_server_back_are_believed() {
    let mut pool = Bench::new(RULES, 3);
    pool.errors(0, 5);
    assert_eq!(pool.look(1), [ejected(0, 5, 10)]);
    pool.tallies[0].healthy = false;
    assert_eq!(pool.look(2), []);
    pool.tallies[0].healthy = true;
    assert_eq!(pool.look(3), [Verdict::Returned { server: 0 }]);
}
