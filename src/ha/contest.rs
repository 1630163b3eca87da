//! Whether anyone else answers for the addresses of an Active: asked after a takeover and every minute from then on
//! unless that is switched off, and heard at any time. Pure.
//!
//! One claim is a reason to announce, and no more: it may have been on its way when the role changed. Who claims again
//! after our announcement is a duplicate. While there is one, the question is asked every second.

use std::net::IpAddr;

use crate::net::arp::Mac;
use crate::net::claim::Claim;
use crate::vrrp::{Span, Time};

/// After a takeover: when everybody has had time to hear it, a second after that, and when ports have left the spanning
/// tree's learning; then as often as caches usually forget.
const PROBES: [Span; 4] =
    [Span::from_millis(300), Span::from_millis(1_000), Span::from_millis(4_500), Span::from_millis(60_000)];
/// From a new claim to the question whether it is meant; an answer takes less than a tenth of it.
const DOUBT: Span = Span::from_millis(200);
/// What a claim must outlive to count: longer than one queue takes to be read, shorter than [`DOUBT`].
const GRACE: Span = Span::from_millis(150);
/// From one question to the next while someone answers.
const CONTESTED: Span = Span::from_millis(1_000);
/// When a claim that was not heard again is forgotten.
const MEMORY: Span = Span::from_millis(3_000);
/// Claims that are remembered; strangers cannot make the list grow.
const CLAIMS: usize = 16;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The router has become Active.
    Began,
    /// It is Active no more.
    Ended,
    /// Someone else claims an address of it.
    Claimed(Claim),
    /// The deadline may have come.
    Timer,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ask the network who has our addresses.
    Probe,
    /// Announce them.
    Defend,
    /// This host goes on claiming this address.
    Duplicate(Claim),
}

/// A claim with its first and its last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    address: IpAddr,
    mac: Mac,
    first: Time,
    last: Time,
}

/// One router's doubts.
#[derive(Debug)]
pub(crate) struct Contest {
    /// Whether the question may be asked: where somebody answers for every address, it says nothing.
    asks: bool,
    active: bool,
    /// When it is asked next.
    probe_at: Option<Time>,
    asked: usize,
    claims: Vec<Known>,
}

impl Contest {
    /// Of a router that is not Active. One that never `asks` only listens.
    pub(crate) const fn new(asks: bool) -> Self {
        Self { asks, active: false, probe_at: None, asked: 0, claims: Vec::new() }
    }

    /// The only door: appends to `out` what is to be done.
    pub(crate) fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Order>) {
        match input {
            Input::Began => {
                let probe_at = self.asks.then(|| now + PROBES[0]);
                *self = Self { active: true, probe_at, ..Self::new(self.asks) };
            }
            Input::Ended => *self = Self::new(self.asks),
            Input::Claimed(claim) => self.claimed(now, claim, out),
            Input::Timer => self.ask(now, out),
        }
    }

    /// When to call back with [`Input::Timer`].
    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.probe_at
    }

    fn claimed(&mut self, now: Time, claim: Claim, out: &mut Vec<Order>) {
        if !self.active {
            return;
        }
        out.push(Order::Defend);
        self.claims.retain(|known| now.since(known.last) < MEMORY);
        let same = |known: &&mut Known| (known.address, known.mac) == (claim.address, claim.mac);
        if let Some(known) = self.claims.iter_mut().find(same) {
            known.last = now;
            if now.since(known.first) >= GRACE {
                out.push(Order::Duplicate(claim));
            }
        } else {
            self.probe_at = self.probe_at.map(|at| at.min(now + DOUBT));
            if self.claims.len() == CLAIMS {
                self.claims.remove(0);
            }
            self.claims.push(Known { address: claim.address, mac: claim.mac, first: now, last: now });
        }
    }

    fn ask(&mut self, now: Time, out: &mut Vec<Order>) {
        if self.probe_at.is_none_or(|at| now < at) {
            return;
        }
        out.push(Order::Probe);
        self.asked += 1;
        let contested = self.claims.iter().any(|known| now.since(known.last) < MEMORY);
        let pause = if contested { CONTESTED } else { PROBES[self.asked.min(PROBES.len() - 1)] };
        self.probe_at = Some(now + pause);
    }
}

#[cfg(test)]
mod tests;
