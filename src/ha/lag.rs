//! How late the loop serves its timer: what a busy machine, a pause or we ourselves cost. Pure.

use crate::link::LagStatus;
use crate::vrrp::Span;

/// Upper bounds of the classes; one more class is for everything above.
const BOUNDS: [Span; 5] = [
    Span::from_micros(100),
    Span::from_millis(1),
    Span::from_millis(10),
    Span::from_millis(100),
    Span::from_millis(1_000),
];

/// A histogram in fixed memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    counts: [u64; BOUNDS.len() + 1],
    longest: Span,
}

impl Lag {
    /// The timer was served this late.
    pub(super) fn record(&mut self, late: Span) {
        let class = BOUNDS.iter().position(|bound| late <= *bound).unwrap_or(BOUNDS.len());
        self.counts[class] += 1;
        self.longest = self.longest.max(late);
    }

    pub(super) fn status(&self) -> LagStatus {
        let bounds = BOUNDS.iter().map(|bound| Some(bound.as_micros())).chain([None]);
        LagStatus { longest_us: self.longest.as_micros(), classes: bounds.zip(self.counts).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_counted_in_classes_and_the_longest_is_kept() {
        let mut lag = Lag::default();
        [0, 100, 101, 9_999, 2_000_000, 50]
            .into_iter()
            .for_each(|micros| lag.record(Span::from_micros(micros)));
        let status = lag.status();
        assert_eq!(status.longest_us, 2_000_000);
        let expected = [(Some(100), 3), (Some(1_000), 1), (Some(10_000), 1), (Some(100_000), 0)];
        assert_eq!(status.classes[..4], expected);
        assert_eq!(status.classes[4..], [(Some(1_000_000), 0), (None, 1)]);
    }
}
