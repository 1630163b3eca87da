//! When packets that are refused become a flood, and when it is over. Pure.
//!
//! In calm every packet is read, and every refusal is counted by its reason. In a flood the kernel samples what cannot
//! be ours ([`crate::net::vrrp_filter`]), and each sampled packet counts for many: the counts go on, as estimates, and
//! the adverts of the peers find room in the socket's queue.

use crate::vrrp::{Span, Time};

/// More refusals than this within [`WINDOW`] are a flood. Three hundred foreign routers at the usual second are none.
const FLOOD: u64 = 1_000;
const WINDOW: Span = Span::from_millis(1_000);
/// Fewer than this many, as estimated, within [`CALM_WINDOW`] are none any more.
const CALM: u64 = 5_000;
const CALM_WINDOW: Span = Span::from_millis(10_000);

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Sample from now on.
    Begins,
    /// Read everything again.
    Ends,
}

/// Counts refusals over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flood {
    on: bool,
    since: Time,
    refused: u64,
}

impl Flood {
    /// Whether it is on.
    pub(super) const fn is_on(self) -> bool {
        self.on
    }

    /// Takes in that `times` packets were refused.
    pub(super) const fn refused(&mut self, times: u64) {
        self.refused = self.refused.saturating_add(times);
    }

    /// What has changed by `now`. Asked often; no timer of its own is needed.
    pub(super) fn check(&mut self, now: Time) -> Option<Change> {
        let over = now.since(self.since) >= if self.on { CALM_WINDOW } else { WINDOW };
        let change = match self.on {
            false if self.refused > FLOOD => Some(Change::Begins),
            true if over && self.refused < CALM => Some(Change::Ends),
            false | true => None,
        };
        if change.is_some() || over {
            *self = Self { on: self.on ^ change.is_some(), since: now, refused: 0 };
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    #[test]
    fn it_begins_within_a_second_and_ends_after_ten_calm_ones() {
        let mut flood = Flood::default();
        assert_eq!(flood.check(at(60_000)), None);
        flood.refused(FLOOD);
        assert_eq!(flood.check(at(60_500)), None, "not more than the limit");
        flood.refused(1);
        assert_eq!(flood.check(at(60_600)), Some(Change::Begins));
        assert!(flood.is_on());
        flood.refused(CALM);
        assert_eq!(flood.check(at(70_600)), None, "ten seconds, and still as many");
        flood.refused(CALM - 1);
        assert_eq!(flood.check(at(80_599)), None, "not ten seconds yet");
        assert_eq!(flood.check(at(80_600)), Some(Change::Ends));
        assert!(!flood.is_on());
    }

    #[test]
    fn a_steady_trickle_is_never_a_flood() {
        let mut flood = Flood::default();
        for second in 0..100 {
            flood.refused(FLOOD);
            assert_eq!(flood.check(at(60_000 + second * 1_000)), None, "second {second}");
        }
    }
}
