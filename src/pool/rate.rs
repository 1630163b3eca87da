//! How fast something may come: the generic cell rate algorithm (ITU-T I.371), which is a token bucket that remembers
//! one moment instead of a number of tokens and a moment.

use std::time::Duration;

/// So many in a period, spread evenly, and so many at once after a time of silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least 1.
    pub count: u32,
    /// In what time.
    pub period: Duration,
    /// How many at once, at least 1.
    pub burst: u32,
}

/// What one source owes: the moment until which what it has had is paid for, in nanoseconds. Microseconds would be off
/// by a tenth at 300,000 a second. Who owes nothing is who never came, so a past moment may be forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Debt(u64);

impl Rate {
    /// Between two that come evenly.
    fn interval(self) -> u64 {
        nanos(self.period) / u64::from(self.count.max(1))
    }

    /// What `debt` becomes if one more is let in at `now`; else how long it has to wait.
    pub(super) fn admit(self, debt: Debt, now: Duration) -> Result<Debt, Duration> {
        let (now, interval) = (nanos(now), self.interval());
        let owed = debt.0.max(now).saturating_add(interval);
        let most = now.saturating_add(interval.saturating_mul(u64::from(self.burst.max(1))));
        if owed <= most { Ok(Debt(owed)) } else { Err(Duration::from_nanos(owed - most)) }
    }
}

/// Up to 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_at_once_and_then_one_each_interval() {
        let rate = Rate { count: 10, period: A_SECOND, burst: 3 };
        let start = Duration::from_secs(50);
        let mut debt = Debt::default();
        for _ in 0..3 {
            debt = rate.admit(debt, start).expect("the burst");
        }
        let wait = rate.admit(debt, start).expect_err("one more");
        assert_eq!(wait, Duration::from_millis(100));
        assert!(rate.admit(debt, start + wait - Duration::from_nanos(1)).is_err(), "not a moment earlier");
        let debt = rate.admit(debt, start + wait).expect("the wait is what it takes");
        assert_eq!(rate.admit(debt, start + wait), Err(wait));
    }

    #[test]
    fn silence_is_rewarded_by_a_burst_and_no_more() {
        let rate = Rate { count: 1, period: Duration::from_secs(60), burst: 2 };
        let mut debt = Debt::default();
        for hour in [0, 1, 100] {
            let now = Duration::from_secs(3600 * hour);
            debt = rate.admit(debt, now).and_then(|debt| rate.admit(debt, now)).expect("a burst of two");
            assert!(rate.admit(debt, now).is_err());
        }
    }

    #[test]
    fn nothing_overflows() {
        let rate = Rate { count: 1, period: Duration::MAX, burst: u32::MAX };
        assert!(rate.admit(Debt::default(), Duration::MAX).is_ok());
        assert!(Rate { count: 0, burst: 0, ..rate }.admit(Debt::default(), Duration::ZERO).is_ok());
    }
}
