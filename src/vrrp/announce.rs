//! When the addresses are announced: at once, four times more within the same half second because a switch may
//! lose one, and once after five seconds because a port may still have been learning (spanning tree, LACP).

use serde::{Deserialize, Serialize};

use super::{Span, Time};

/// From one announcement to the next.
const PAUSES: [Span; 5] = [
    Span::from_millis(100),
    Span::from_millis(100),
    Span::from_millis(100),
    Span::from_millis(100),
    Span::from_millis(4_600),
];

/// The announcements that follow the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcements {
    next: Option<Time>,
    done: usize,
}

impl Announcements {
    /// The first one is made at `now`, by the caller.
    pub(crate) fn begin(now: Time) -> Self {
        Self { next: PAUSES.first().map(|pause| now + *pause), done: 0 }
    }

    /// When the next one is due; `None` when all are made.
    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.next
    }

    /// Whether none is due within the shortest pause: what bounds the rate when a conflict asks for more.
    pub(crate) fn quiet(&self, now: Time) -> bool {
        self.next.is_none_or(|next| next > now + PAUSES[0])
    }

    /// Whether one is due; it counts as made. After a pause one stands for all that were missed.
    pub(crate) fn due(&mut self, now: Time) -> bool {
        let Some(_) = self.next.filter(|next| now >= *next) else {
            return false;
        };
        self.done += 1;
        self.next = PAUSES.get(self.done).map(|pause| now + *pause);
        true
    }
}
