//! Hold-down: a node that keeps losing the Active role by faults of its own may not keep taking it back. Pure.
//!
//! Each loss adds a penalty, which halves in every half-life (as route flap damping does, RFC 2439 §4). Above a bound
//! the node is held down, until so little is left that it may be trusted again.

use crate::vrrp::{Span, Time};

/// What one loss costs.
const LOSS: u64 = 1_000;
/// From here on the node is held down: the third loss within some 25 s at the default half-life.
const HOLD: u64 = 2_500;
/// Below this it competes again.
const TRUST: u64 = 1_250;
/// Never more, so that nobody is held down for more than two half-lives.
const MOST: u64 = 5_000;

/// How often a node lost the role lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flaps {
    /// Zero: never held down.
    half_life: Span,
    /// What it was at `since`.
    penalty: u64,
    since: Time,
    held: bool,
}

impl Flaps {
    /// Nothing was lost yet. A half-life of zero holds nobody down.
    pub(crate) const fn new(half_life: Span) -> Self {
        Self { half_life, penalty: 0, since: Time::ZERO, held: false }
    }

    /// The Active role was lost by a fault.
    pub(crate) fn lost(&mut self, now: Time) {
        let held = self.held_until(now).is_some();
        self.penalty = (self.penalty_at(now) + LOSS).min(MOST);
        self.since = now;
        self.held = held || self.penalty >= HOLD;
    }

    /// Until when the node is held down, if it is.
    pub(crate) fn held_until(&self, now: Time) -> Option<Time> {
        let until = self.since + self.decay_to(TRUST);
        (self.held && now < until).then_some(until)
    }

    /// Halves once a half-life, in between on a straight line: a little more than the exact curve.
    fn penalty_at(&self, now: Time) -> u64 {
        let half_life = self.half_life.as_micros();
        if half_life == 0 {
            return 0;
        }
        let passed = now.since(self.since).as_micros();
        let halvings = u32::try_from(passed / half_life).unwrap_or(u32::MAX);
        let penalty = self.penalty.checked_shr(halvings).unwrap_or(0);
        let part = penalty / 2;
        penalty - mul_div(part, passed % half_life, half_life)
    }

    /// How long after `since` the penalty is down at `target`.
    fn decay_to(&self, target: u64) -> Span {
        let half_life = self.half_life.as_micros();
        let mut penalty = self.penalty;
        let mut micros = 0;
        while penalty > target && penalty / 2 >= target {
            penalty /= 2;
            micros += half_life;
        }
        if penalty > target {
            micros += mul_div(half_life, penalty - target, penalty - penalty / 2);
        }
        Span::from_micros(micros)
    }
}

/// `a * b / c` without overflow.
fn mul_div(a: u64, b: u64, c: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) / u128::from(c.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_LIFE: Span = Span::from_millis(60_000);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_millis(seconds * 1_000)
    }

    fn lost(seconds: &[u64]) -> Flaps {
        let mut flaps = Flaps::new(HALF_LIFE);
        for second in seconds {
            assert_eq!(flaps.held_until(at(*second)), None, "before the loss at {second} s");
            flaps.lost(at(*second));
        }
        flaps
    }

    #[test]
    fn a_node_that_fails_now_and_then_is_not_held_down() {
        let every_minute: Vec<_> = (100..).step_by(60).take(100).collect();
        assert_eq!(lost(&every_minute).held_until(at(100 + 99 * 60)), None);
        assert_eq!(lost(&[100, 101]).held_until(at(101)), None, "twice in a row is no flapping");
    }

    #[test]
    fn the_third_loss_in_a_row_holds_it_down_until_the_penalty_has_decayed() {
        let flaps = lost(&[100, 105, 110]);
        let until = flaps.held_until(at(110)).expect("held down");
        assert!(at(110 + 60) < until && until < at(110 + 90), "{until:?}");
        let just_before = Time::from_micros(until.as_micros() - 1);
        assert_eq!(flaps.held_until(just_before), Some(until));
        assert_eq!(flaps.held_until(until), None);
    }

    #[test]
    fn whoever_was_let_go_is_held_down_again_by_two_more_losses() {
        let mut flaps = lost(&[100, 100, 100]);
        let until = flaps.held_until(at(100)).expect("held down");
        assert_eq!(flaps.held_until(until), None);
        flaps.lost(until);
        assert_eq!(flaps.held_until(until), None);
        flaps.lost(until);
        assert!(flaps.held_until(until).is_some());
    }

    #[test]
    fn nobody_is_held_down_for_more_than_two_half_lives() {
        let mut flaps = Flaps::new(HALF_LIFE);
        for _ in 0..1_000 {
            flaps.lost(at(100));
        }
        assert_eq!(flaps.held_until(at(100)), Some(at(100 + 2 * 60)));
        assert_eq!(flaps.held_until(at(u64::MAX / 2_000_000)), None, "after a very long time either");
    }

    #[test]
    fn the_penalty_halves_in_a_half_life() {
        let flaps = Flaps { half_life: HALF_LIFE, penalty: 4_000, since: at(100), held: false };
        let left: Vec<_> = [100, 130, 160, 220, 100_000].map(|s| flaps.penalty_at(at(s))).into();
        assert_eq!(left, [4_000, 3_000, 2_000, 1_000, 0]);
        assert_eq!(flaps.decay_to(1_000), Span::from_millis(120_000));
        assert_eq!(flaps.decay_to(3_000), Span::from_millis(30_000));
        assert_eq!(flaps.decay_to(4_000), Span::from_millis(0));
    }

    #[test]
    fn without_a_half_life_nobody_is_held_down() {
        let mut flaps = Flaps::new(Span::ZERO);
        (0..100).for_each(|_| flaps.lost(at(1)));
        assert_eq!(flaps.held_until(at(1)), None);
    }
}
