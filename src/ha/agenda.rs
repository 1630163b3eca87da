//! Which router has to be served next, and when: found without asking all of them. Pure.

use std::collections::BTreeSet;

use crate::vrrp::Time;

/// One moment a router at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Agenda {
    /// By router.
    at: Vec<Option<Time>>,
    order: BTreeSet<(Time, usize)>,
}

impl Agenda {
    /// For `routers` routers, with nothing to do.
    pub(super) fn new(routers: usize) -> Self {
        Self { at: vec![None; routers], order: BTreeSet::new() }
    }

    /// Serve `router` at this moment, and no longer at the one that was set before.
    pub(super) fn set(&mut self, router: usize, at: Option<Time>) {
        if self.at[router] == at {
            return;
        }
        if let Some(before) = std::mem::replace(&mut self.at[router], at) {
            self.order.remove(&(before, router));
        }
        self.order.extend(at.map(|at| (at, router)));
    }

    /// The earliest moment.
    pub(super) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The routers whose moment has come, the one that has waited longest first, at most `most` of them.
    pub(super) fn due(&self, now: Time, most: usize) -> Vec<usize> {
        self.order.iter().take_while(|(at, _)| *at <= now).take(most).map(|(_, router)| *router).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::Span;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn the_one_that_waited_longest_is_served_first_and_a_bounded_number_at_a_time() {
        let mut agenda = Agenda::new(4);
        assert_eq!((agenda.next(), agenda.due(at(99), 9)), (None, Vec::new()));
        for (router, ms) in [(0, 30), (1, 10), (2, 20), (3, 40)] {
            agenda.set(router, Some(at(ms)));
        }
        assert_eq!(agenda.next(), Some(at(10)));
        assert_eq!(agenda.due(at(30), 9), [1, 2, 0]);
        assert_eq!(agenda.due(at(30), 2), [1, 2]);
    }

    #[test]
    fn a_new_moment_replaces_the_old_one() {
        let mut agenda = Agenda::new(2);
        agenda.set(0, Some(at(10)));
        agenda.set(1, Some(at(10)));
        agenda.set(0, Some(at(50)));
        assert_eq!(agenda.due(at(49), 9), [1]);
        agenda.set(1, None);
        assert_eq!(agenda.next(), Some(at(50)));
        agenda.set(0, None);
        assert_eq!(agenda, Agenda::new(2));
    }
}
