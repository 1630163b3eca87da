//! How many requests a client may take back.
//!
//! A request that is taken back at once costs the client nothing and a server a request (rapid reset, CVE-2023-44487).
//! People take back what they asked for when they leave a page: all of it at once, and then they ask for more.

/// What may be taken back at once: twice what can be asked at a time.
const MOST: u32 = 256;
/// What is regained in a second.
const EACH_SECOND: u64 = 32;
/// Ticks in a second.
const SECOND: u64 = 10;

/// One client's account. Time is in ticks of the core.
#[derive(Debug)]
pub(super) struct Calm {
    left: u32,
    /// Until when it has regained.
    since: u64,
}

impl Calm {
    pub(super) fn new(now: u64) -> Self {
        Self { left: MOST, since: now }
    }

    /// A request was answered to its end.
    pub(super) fn answered(&mut self) {
        self.left = (self.left + 1).min(MOST);
    }

    /// A request was taken back.
    pub(super) fn taken_back(&mut self, now: u64) {
        let seconds = now.saturating_sub(self.since) / SECOND;
        self.since += seconds * SECOND;
        let regained = u32::try_from(seconds.saturating_mul(EACH_SECOND)).unwrap_or(MOST);
        self.left = self.left.saturating_add(regained).min(MOST).saturating_sub(1);
    }

    /// Whether the client has to be told to calm down.
    pub(super) fn is_lost(&self) -> bool {
        self.left == 0
    }
}
