//! When the kernel is asked what there really is: after events, and every few seconds without one. Pure.
//!
//! Events come in bursts, and claiming our own addresses causes some: the first is followed at once, the rest
//! together a moment later. The sweep mends what no event told of.

use crate::vrrp::{Span, Time};

/// From one look to the next that an event asks for. Well below the 50 ms within which a removed address is back.
const PAUSE: Span = Span::from_millis(20);
/// From one look to the next when nothing happens.
const SWEEP: Span = Span::from_millis(3_000);

/// When to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lookout {
    looked: Time,
    changed: bool,
    sweeps: u64,
}

impl Lookout {
    /// The first look was at `now`.
    pub(super) const fn new(now: Time) -> Self {
        Self { looked: now, changed: false, sweeps: 0 }
    }

    /// Something has changed.
    pub(super) const fn changed(&mut self) {
        self.changed = true;
    }

    /// When to look next.
    pub(super) fn deadline(&self) -> Time {
        self.looked + if self.changed { PAUSE } else { SWEEP }
    }

    /// Whether it is time to look. To be followed by [`Lookout::looked`]; what changes while we look is a reason to
    /// look again.
    pub(super) fn due(&mut self, now: Time) -> bool {
        let due = now >= self.deadline();
        if due {
            self.sweeps += u64::from(!self.changed);
            self.changed = false;
        }
        due
    }

    /// The look came to its end at `now`.
    pub(super) const fn looked(&mut self, now: Time) {
        self.looked = now;
    }

    /// Looks that no event asked for.
    pub(super) const fn sweeps(&self) -> u64 {
        self.sweeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn without_an_event_it_looks_every_few_seconds() {
        let mut lookout = Lookout::new(at(0));
        assert_eq!(lookout.deadline(), at(3_000));
        assert!(!lookout.due(at(2_999)));
        assert!(lookout.due(at(3_000)));
        lookout.looked(at(3_001));
        assert_eq!((lookout.deadline(), lookout.sweeps()), (at(6_001), 1));
    }

    #[test]
    fn an_event_is_followed_at_once_and_a_burst_of_them_by_one_look_more() {
        let mut lookout = Lookout::new(at(0));
        lookout.changed();
        assert!(lookout.due(at(500)));
        lookout.looked(at(502));
        for ms in 503..522 {
            lookout.changed();
            assert!(!lookout.due(at(ms)));
        }
        assert_eq!(lookout.deadline(), at(522));
        assert!(lookout.due(at(522)));
        lookout.looked(at(524));
        assert_eq!((lookout.deadline(), lookout.sweeps()), (at(3_524), 0));
    }

    #[test]
    fn what_changes_during_a_look_asks_for_another() {
        let mut lookout = Lookout::new(at(0));
        lookout.changed();
        assert!(lookout.due(at(100)));
        lookout.changed();
        lookout.looked(at(105));
        assert_eq!(lookout.deadline(), at(125));
    }
}
