//! Answers that count as errors of the server that gave them, by their status.

/// A set of statuses of the class 5xx (RFC 9110 §15.6). Those of other classes are never a server's error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures(u128);

/// The class.
const FIRST: u16 = 500;
const LAST: u16 = 599;

impl Failures {
    /// No status.
    pub const NONE: Self = Self(0);

    /// The same with the statuses from `low` to `high`; `None` when one of them is of another class, or there is none.
    #[must_use]
    pub fn with(self, low: u16, high: u16) -> Option<Self> {
        let range = FIRST <= low && low <= high && high <= LAST;
        range.then(|| Self((low..=high).fold(self.0, |set, status| set | 1 << (status - FIRST))))
    }

    /// Whether a status is one of them.
    #[must_use]
    pub fn has(self, status: u16) -> bool {
        (FIRST..=LAST).contains(&status) && self.0 >> (status - FIRST) & 1 == 1
    }

    /// The statuses as ranges, as few as can be.
    #[must_use]
    pub fn ranges(self) -> Vec<(u16, u16)> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for status in (FIRST..=LAST).filter(|status| self.has(*status)) {
            match ranges.last_mut() {
                Some((_, high)) if *high + 1 == status => *high = status,
                Some(_) | None => ranges.push((status, status)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let some = Failures::NONE.with(504, 504).and_then(|set| set.with(500, 502)).expect("5xx");
        let has: Vec<_> = (0..=u16::MAX).filter(|status| some.has(*status)).collect();
        assert_eq!(has, [500, 501, 502, 504]);
        assert_eq!(some.ranges(), [(500, 502), (504, 504)]);
        let all = Failures::NONE.with(500, 599).expect("5xx");
        assert_eq!((all.ranges(), all.has(499), all.has(600)), (vec![(500, 599)], false, false));
        assert_eq!(Failures::NONE.ranges(), []);
        for (low, high) in [(499, 500), (599, 600), (504, 502)] {
            assert_eq!(some.with(low, high), None);
        }
    }
}
