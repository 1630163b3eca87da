//! When the addresses are announced: at once, four times more within the same half second because a switch may
//! lose one, once after five seconds because a port may still have been learning (spanning tree, LACP), and then
//! every so often, because a cache may have been taught something else when nobody was looking.

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

/// How often an Active announces its addresses although nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The longest time from one refresh to the next. Each comes up to a quarter of it early, so that routers which
    /// took over together do not announce together for ever.
    pub every: Span,
    /// What tells routers apart in that: their VRID. The same router is early by the same amounts each time.
    pub salt: u8,
}

impl Refresh {
    /// The time before refresh number `round`.
    fn pause(self, round: u64) -> Span {
        let early = self.every.as_micros() / 4;
        if early == 0 {
            return self.every;
        }
        self.every - Span::from_micros(scattered(u64::from(self.salt) << 32 ^ round) % early)
    }
}

/// The finalizer of SplitMix64: neighbouring numbers in, numbers far from one another out.
const fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The announcements that follow the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcements {
    next: Option<Time>,
    done: usize,
    refresh: Option<Refresh>,
}

impl Announcements {
    /// The first one is made at `now`, by the caller.
    pub(crate) fn begin(now: Time, refresh: Option<Refresh>) -> Self {
        Self { next: Some(now + PAUSES[0]), done: 0, refresh }
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
        let refresh = || self.refresh.map(|refresh| refresh.pause(self.done as u64));
        self.next = PAUSES.get(self.done).copied().or_else(refresh).map(|pause| now + pause);
        true
    }
}
