//! Announcements and probes at a rate that the network can take: what a node that took many addresses over would
//! otherwise send in one go, a switch or a full send queue drops. Pure.
//!
//! The first announcement of a takeover does not come here: nothing may delay it. Routers take turns, one packet
//! each, so that none waits for another that has many addresses. Probes wait until nothing is to be announced.

use std::collections::VecDeque;

use crate::vrrp::{Span, Time};

/// Packets that may go out at once after a rest.
const BURST: u64 = 32;
/// What a packet costs: 32 of them a millisecond, which as smallest frames are 21 Mbit/s.
const COST: Span = Span::from_micros(1_000 / BURST);

/// What goes out for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is announced.
    Announce,
    /// The network is asked who has it.
    Probe,
}

/// A packet that may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packet {
    pub(crate) router: usize,
    /// The position of the address in the router.
    pub(crate) address: usize,
}

/// A router for whose addresses packets of a kind go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    router: usize,
    /// The address that comes next.
    next: usize,
    /// How many still have to go out.
    left: usize,
    /// How many addresses the router has.
    addresses: usize,
}

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    announcements: VecDeque<Job>,
    probes: VecDeque<Job>,
    /// When everything that was sent will have been paid for.
    paid: Time,
}

impl Pacer {
    /// One packet for every address of the router goes out from now on. A round of that kind that is under way begins
    /// anew where it is, so that the last addresses get their turn as well.
    pub(crate) fn push(&mut self, kind: Kind, router: usize, addresses: usize) {
        let jobs = match kind {
            Kind::Announce => &mut self.announcements,
            Kind::Probe => &mut self.probes,
        };
        match jobs.iter_mut().find(|job| job.router == router) {
            Some(job) => job.left = job.addresses,
            None if addresses > 0 => jobs.push_back(Job { router, next: 0, left: addresses, addresses }),
            None => {}
        }
    }

    /// Nothing of this router goes out any more.
    pub(crate) fn cancel(&mut self, router: usize) {
        self.announcements.retain(|job| job.router != router);
        self.probes.retain(|job| job.router != router);
    }

    /// The next packet that may go out at `now`.
    pub(crate) fn take(&mut self, now: Time) -> Option<(Kind, Packet)> {
        if self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        let (kind, jobs) = match self.announcements.is_empty() {
            false => (Kind::Announce, &mut self.announcements),
            true => (Kind::Probe, &mut self.probes),
        };
        let mut job = jobs.pop_front()?;
        let packet = Packet { router: job.router, address: job.next };
        job.next = (job.next + 1) % job.addresses;
        job.left -= 1;
        if job.left > 0 {
            jobs.push_back(job);
        }
        self.paid = self.paid.max(now) + COST;
        Some((kind, packet))
    }

    /// When the next packet may go out; `None` when none waits.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let credit = COST.times(BURST - 1).as_micros();
        let at = Time::from_micros(self.paid.as_micros().saturating_sub(credit));
        (!self.announcements.is_empty() || !self.probes.is_empty()).then_some(at)
    }
}

#[cfg(test)]
mod tests;
