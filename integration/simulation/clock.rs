//! A node's own clock beside the true time: another start, another rate.

use vipd::vrrp::{Span, Time};

/// The most that a clock may be off, in millionths: 2 %, a thousand times what a quartz does.
pub(crate) const MOST_DRIFT: u64 = 20_000;
const MILLION: u128 = 1_000_000;

/// `local = offset + true × rate`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset: u64,
    /// Local microseconds in a million true ones.
    rate: u64,
}

impl Clock {
    /// `drift` lies in `0..=2 × MOST_DRIFT`: from slowest to fastest.
    pub(crate) const fn new(offset: u64, drift: u64) -> Self {
        Self { offset, rate: 1_000_000 - MOST_DRIFT + drift }
    }

    /// What the node reads.
    pub(crate) fn local(self, now: Time) -> Time {
        let elapsed = u128::from(now.as_micros()) * u128::from(self.rate) / MILLION;
        Time::from_micros(self.offset + u64::try_from(elapsed).expect("a story is short"))
    }

    /// The first true moment at which the node reads `local` or later.
    pub(crate) fn true_time(self, local: Time) -> Time {
        let elapsed = u128::from(local.as_micros().saturating_sub(self.offset));
        let micros = (elapsed * MILLION).div_ceil(u128::from(self.rate));
        Time::from_micros(u64::try_from(micros).expect("a story is short"))
    }

    pub(crate) fn per_million(self) -> u64 {
        self.rate
    }
}

/// How long `span` on the slowest clock truly takes.
pub(crate) fn at_most(span: Span) -> Span {
    let micros = (u128::from(span.as_micros()) * MILLION).div_ceil(MILLION - u128::from(MOST_DRIFT));
    // One more for each rounding of a local reading.
    Span::from_micros(u64::try_from(micros).expect("short") + 2)
}
