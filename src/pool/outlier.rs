//! Passive checks: servers that fail one request after the other are left out for a while, without waiting for a
//! check to find out.
//!
//! Pure, and fed with the counters that the cores keep anyway, so that a request costs nothing more. It must never
//! leave out so many servers of a pool that fewer than the share to keep are left, and a server that it leaves out
//! comes back by itself: what fails may be the requests, not the server.

use std::time::Duration;

/// When a server is left out, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Errors in a row, without an answer in between.
    pub errors: u32,
    /// For how long the first time; twice as long each time that follows soon.
    pub eject: Duration,
    /// The longest.
    pub eject_max: Duration,
    /// The share of the pool's servers that stays in rotation, in percent.
    pub keep: u8,
}

/// What is known of a server at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that it has answered since the start.
    pub requests: u64,
    /// Requests that it has not.
    pub errors: u64,
    /// Its checks find it healthy.
    pub healthy: bool,
}

/// A server was left out or came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Left out for so long, after so many errors in a row.
    Ejected {
        /// Its place in the pool.
        server: usize,
        /// How many errors in a row.
        errors: u64,
        /// For how long.
        length: Duration,
    },
    /// In rotation again, as far as its checks allow it.
    Returned {
        /// Its place in the pool.
        server: usize,
    },
}

/// The servers of one pool.
#[derive(Clone, Debug)]
pub struct Outliers {
    rules: Rules,
    servers: Vec<Suspect>,
}

#[derive(Clone, Debug, Default)]
struct Suspect {
    last: Tally,
    errors_in_a_row: u64,
    /// Until when it is left out.
    until: Option<Duration>,
    /// How often it was left out with little time in between.
    ejections: u32,
    /// When the latest ejection is forgotten.
    forgotten: Duration,
}

impl Outliers {
    /// So many servers, none of them left out.
    #[must_use]
    pub fn new(rules: Rules, servers: usize) -> Self {
        Self { rules, servers: vec![Suspect::default(); servers] }
    }

    /// Takes in what is known of every server `now` (the time since any fixed moment), in the order of the pool, and
    /// appends what follows.
    pub fn handle(&mut self, now: Duration, tallies: &[Tally], out: &mut Vec<Verdict>) {
        for (server, (suspect, tally)) in self.servers.iter_mut().zip(tallies).enumerate() {
            if suspect.look(now, *tally) {
                out.push(Verdict::Returned { server });
            }
        }
        let least = (self.servers.len() * usize::from(self.rules.keep)).div_ceil(100);
        let in_rotation = |(suspect, tally): (&Suspect, &Tally)| suspect.until.is_none() && tally.healthy;
        let mut left = self.servers.iter().zip(tallies).filter(|pair| in_rotation(*pair)).count();
        for (server, (suspect, tally)) in self.servers.iter_mut().zip(tallies).enumerate() {
            let fails = suspect.errors_in_a_row >= u64::from(self.rules.errors.max(1));
            if fails && in_rotation((suspect, tally)) && left > least {
                left -= 1;
                let errors = suspect.errors_in_a_row;
                let length = suspect.eject(now, &self.rules);
                out.push(Verdict::Ejected { server, errors, length });
            }
        }
    }

    /// Whether the server at this place is left out.
    #[must_use]
    pub fn is_out(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|suspect| suspect.until.is_some())
    }
}

impl Suspect {
    /// Says whether the server comes back.
    fn look(&mut self, now: Duration, tally: Tally) -> bool {
        let Tally { requests, errors, healthy } = std::mem::replace(&mut self.last, tally);
        if tally.requests > requests || !tally.healthy {
            self.errors_in_a_row = 0;
        } else if self.until.is_none() {
            self.errors_in_a_row += tally.errors.saturating_sub(errors);
        }
        // Checks that have found it dead and then alive again know better.
        let revived = tally.healthy && !healthy;
        let back = self.until.is_some_and(|until| now >= until || revived);
        if back {
            self.until = None;
            self.errors_in_a_row = 0;
        }
        back
    }

    fn eject(&mut self, now: Duration, rules: &Rules) -> Duration {
        if now >= self.forgotten {
            self.ejections = 0;
        }
        let length = rules.eject.saturating_mul(1 << self.ejections.min(20)).min(rules.eject_max);
        self.ejections += 1;
        self.errors_in_a_row = 0;
        self.until = Some(now + length);
        self.forgotten = now + length.saturating_mul(3);
        length
    }
}

#[cfg(test)]
mod tests;
