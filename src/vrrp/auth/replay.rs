//! Which adverts were believed already: the highest sequence of each sender, for a bounded number of senders.
//!
//! Asked only after the MAC was found right, so that strangers can neither move a mark nor push one out.

use std::net::IpAddr;

use super::sequence::{Sequence, Utc};
use super::{SENDERS, Window};

/// The marks of one router on one path.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    /// The most recently heard first.
    pub(super) marks: Vec<(IpAddr, Sequence)>,
    /// The highest mark that had to make room: what a sender without a mark has to exceed.
    evicted: Option<Sequence>,
}

impl Replay {
    /// Whether `sequence` is the first of its kind from `sender`, and notes it when it is.
    ///
    /// A mark outside the window protects from nothing that the window does not refuse; it is forgotten, so that a
    /// sender whose clock was set right is heard again.
    pub(super) fn is_new(&mut self, now: Utc, window: Window, sender: IpAddr, sequence: Sequence) -> bool {
        let alive = |mark: &Sequence| now.is_near(mark.seconds(), window);
        self.marks.retain(|(_, mark)| alive(mark));
        self.evicted = self.evicted.filter(alive);
        let position = self.marks.iter().position(|(known, _)| *known == sender);
        let exceeds = position.map_or(self.evicted, |position| Some(self.marks[position].1));
        if exceeds.is_some_and(|mark| !sequence.is_after(mark)) {
            return false;
        }
        match position {
            Some(position) => {
                self.marks.remove(position);
            }
            None if self.marks.len() >= SENDERS => self.evict(),
            None => {}
        }
        self.marks.insert(0, (sender, sequence));
        true
    }

    /// The sender that was silent for longest makes room.
    fn evict(&mut self) {
        let Some((_, mark)) = self.marks.pop() else { return };
        if self.evicted.is_none_or(|highest| mark.is_after(highest)) {
            self.evicted = Some(mark);
        }
    }
}
