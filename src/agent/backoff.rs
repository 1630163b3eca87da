//! How long a proxy that died waits before it is started again: 100 ms, doubled each time, 10 s at most.

use crate::vrrp::Span;

/// The first wait.
const FIRST: Span = Span::from_millis(100);
/// The longest wait.
const LONGEST: Span = Span::from_millis(10_000);
/// A proxy that ran this long was well: the next death begins anew.
const WELL: Span = Span::from_millis(10_000);

/// The waits between starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    next: Span,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after a run of `ran`.
    pub(crate) fn after(&mut self, ran: Span) -> Span {
        let wait = if ran >= WELL { FIRST } else { self.next };
        self.next = wait.times(2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_ten_seconds_and_begins_anew_after_a_good_run() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..9).map(|_| backoff.after(Span::ZERO).as_micros() / 1_000).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(backoff.after(WELL), FIRST);
    }
}
