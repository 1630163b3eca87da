//! What is expected of the pair, and how many requests may fail where. It judges and measures nothing itself.

use std::time::Duration;

use super::world::BACKUP;
use crate::lab::{Pace, Tally};
use crate::vrrp::timing::{active_down_interval, skew_time};
use crate::vrrp::{Centis, Span, Version};

/// Requests that may break where nothing is lost: those that were on their way while the address moved.
const FEW: usize = 25;

/// What may become of the client's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// So many may fail.
    Fail(usize),
    /// Nothing is lost: nothing happens to the address, a node gives it away in good order, or a server dies that others
    /// stand in for. A few may break, and a machine that is busy with other things may make some late; a takeover after
    /// silence, or a server that is asked in vain, costs more than a quarter.
    Orderly,
}

impl Bound {
    /// What is too much of `tally`, in words.
    pub(super) fn exceeded_by(self, tally: &Tally) -> Option<String> {
        let (failed, late) = (tally.failed, tally.late());
        match self {
            Self::Fail(most) if failed > most => {
                Some(format!("{failed} requests failed, at most {most} may"))
            }
            Self::Orderly if failed - late > FEW => {
                Some(format!("{} requests broke, at most {FEW} may", failed - late))
            }
            Self::Orderly if late * 4 > tally.requests => {
                Some(format!("{late} of {} requests were answered too late or never", tally.requests))
            }
            Self::Fail(_) | Self::Orderly => None,
        }
    }
}

/// What is expected, which depends on how often the Active advertises.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long anything may take that must happen.
    pub(super) patience: Duration,
    /// A takeover after priority 0: Skew_Time of lb2 and as much again.
    pub(super) resigned: Bound,
    /// A takeover after silence: Active_Down_Interval of lb2 and half of it again.
    pub(super) silent: Bound,
}

impl Limits {
    pub(super) fn at(interval: Centis) -> Self {
        let requests = |span: Span| {
            let every = Pace::default().every.as_micros();
            usize::try_from(u128::from(span.as_micros()) / every).unwrap_or(usize::MAX)
        };
        let silent = requests(active_down_interval(Version::V3, BACKUP, interval));
        Self {
            patience: Duration::from_secs(10) + interval.span().as_duration() * 8,
            resigned: Bound::Fail(2 * requests(skew_time(Version::V3, BACKUP, interval)) + 30),
            silent: Bound::Fail(silent * 3 / 2 + 30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(requests: usize, broken: usize, late: usize) -> Tally {
        let reasons = [("connection reset".to_owned(), broken), ("timed out".to_owned(), late)].into();
        Tally { requests, failed: broken + late, reasons, ..Tally::default() }
    }

    #[test]
    fn a_late_quarter_is_a_busy_machine_and_more_is_a_loss() {
        for (all, exceeded) in [
            (tally(200, 0, 0), false),
            (tally(200, 25, 0), false),
            (tally(200, 26, 0), true),
            (tally(200, 25, 50), false),
            (tally(200, 0, 51), true),
        ] {
            assert_eq!(Bound::Orderly.exceeded_by(&all).is_some(), exceeded, "{all:?}");
        }
    }

    #[test]
    fn where_some_are_lost_all_that_fail_count() {
        let words = Bound::Fail(90).exceeded_by(&tally(300, 1, 90));
        assert_eq!(words.as_deref(), Some("91 requests failed, at most 90 may"));
        assert_eq!(Bound::Fail(91).exceeded_by(&tally(300, 1, 90)), None);
    }
}
