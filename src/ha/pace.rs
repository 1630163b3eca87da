//! Announcements at a rate that the network can take: what a node that took many addresses over would otherwise send
//! in one go, a switch or a full send queue drops. Pure.
//!
//! The first announcement of a takeover does not come here: nothing may delay it. Routers take turns, one packet
//! each, so that none waits for another that has many addresses.

use std::collections::VecDeque;

use crate::vrrp::{Span, Time};

/// Packets that may go out at once after a rest.
const BURST: u64 = 32;
/// What a packet costs: 32 of them a millisecond, which as smallest frames are 21 Mbit/s.
const COST: Span = Span::from_micros(1_000 / BURST);

/// A router whose addresses are being announced.
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

/// The announcements that wait.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    jobs: VecDeque<Job>,
    /// When everything that was sent will have been paid for.
    paid: Time,
}

impl Pacer {
    /// Every address of the router goes out once from now on. One that is under way begins its round anew where it
    /// is, so that its last addresses get their turn as well.
    pub(crate) fn push(&mut self, router: usize, addresses: usize) {
        match self.jobs.iter_mut().find(|job| job.router == router) {
            Some(job) => job.left = job.addresses,
            None if addresses > 0 => {
                self.jobs.push_back(Job { router, next: 0, left: addresses, addresses });
            }
            None => {}
        }
    }

    /// Nothing of this router goes out any more.
    pub(crate) fn cancel(&mut self, router: usize) {
        self.jobs.retain(|job| job.router != router);
    }

    /// The next packet that may go out at `now`: a router and the position of its address.
    pub(crate) fn take(&mut self, now: Time) -> Option<(usize, usize)> {
        if self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        let mut job = self.jobs.pop_front()?;
        let packet = (job.router, job.next);
        job.next = (job.next + 1) % job.addresses;
        job.left -= 1;
        if job.left > 0 {
            self.jobs.push_back(job);
        }
        self.paid = self.paid.max(now) + COST;
        Some(packet)
    }

    /// When the next packet may go out; `None` when none waits.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let credit = COST.times(BURST - 1).as_micros();
        let at = Time::from_micros(self.paid.as_micros().saturating_sub(credit));
        (!self.jobs.is_empty()).then_some(at)
    }
}

#[cfg(test)]
mod tests;
