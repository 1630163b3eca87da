//! When which server is checked: one schedule for all servers of all pools.
//!
//! It must never have two checks of one server under way. The engine drives it and performs what it says.
//!
//! The first checks all start at once (a fraction of a millisecond apart), because nobody gets a request before. The
//! second check of each server comes early by its own fraction of the interval; from then on each server keeps its
//! own place, so that checks do not bunch. Around it each check moves by up to a sixteenth of the interval, so that
//! those of two nodes do not stay in step, nor with what a server does every minute. Early, never late: the promise
//! that a dead server is out within `fall × interval + timeout` needs checks that are never further apart than the
//! interval. Only a server that is down for good may wait longer.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::Check;
use crate::pool::Trend;
use crate::vrrp::{Span, Time};

/// How often a server is checked and how long one check may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// From the start of one check to the start of the next.
    pub interval: Span,
    /// How long one check may take. When it is longer than the interval, a check that uses it up delays the next.
    pub timeout: Span,
    /// The interval while the checks in a row would change the server's standing but are not enough yet.
    pub fast: Span,
    /// What the interval doubles up to while the server stays down.
    pub down: Span,
}

impl Rhythm {
    /// The rhythm of a check, to the microsecond.
    pub fn new(check: &Check) -> Self {
        let interval = span(check.interval);
        let fast = check.fast_interval.map_or(interval, span).min(interval);
        let down = check.down_interval.map_or(interval, span).max(interval);
        Self { interval, timeout: span(check.timeout), fast, down }
    }
}

/// What the schedule is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The deadline may have come.
    Timer,
    /// The check of this server ended, and this is what it and those before it say.
    Finished(usize, Trend),
}

/// A check to start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which server: its place in the list that the schedule was made of.
    pub server: usize,
    /// When the check must have ended.
    pub deadline: Time,
}

/// The schedule of all checks.
#[derive(Debug)]
pub struct Schedule {
    servers: Vec<Place>,
    /// Servers without a check under way, by the moment of their next.
    waiting: BTreeSet<(Time, usize)>,
}

#[derive(Debug)]
struct Place {
    rhythm: Rhythm,
    /// When the latest check was to start.
    from: Time,
    /// The server's own place, that the next check is due a little after.
    place: Time,
    /// When the next check is due. While one is under way it lies in the future or has been missed.
    due: Time,
    /// Checks since the start.
    checks: u64,
    /// Of these, the latest in a row that found the server down for good.
    down: u32,
}

impl Schedule {
    /// The first check of every server is due now, the n-th server's n × 100 µs later.
    pub fn new(now: Time, rhythms: &[Rhythm]) -> Self {
        let first = |(nth, rhythm): (usize, &Rhythm)| {
            let due = now + FIRST_APART.times(nth as u64).min(rhythm.interval);
            Place { rhythm: *rhythm, from: due, place: due, due, checks: 0, down: 0 }
        };
        let servers: Vec<_> = rhythms.iter().enumerate().map(first).collect();
        let waiting = servers.iter().enumerate().map(|(server, place)| (place.due, server)).collect();
        Self { servers, waiting }
    }

    /// Takes `input` in and appends the checks that start now.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Start>) {
        if let Input::Finished(server, trend) = input {
            self.servers[server].learn(trend);
            self.waiting.insert((self.servers[server].due, server));
        }
        while let Some(&(due, server)) = self.waiting.first().filter(|(due, _)| *due <= now) {
            self.waiting.remove(&(due, server));
            out.push(self.servers[server].start(now, server));
        }
    }

    /// When to call back with [`Input::Timer`]; `None` while every server is being checked.
    pub fn deadline(&self) -> Option<Time> {
        self.waiting.first().map(|(due, _)| *due)
    }
}

impl Place {
    fn start(&mut self, now: Time, server: usize) -> Start {
        // A start that is a little late keeps its place in the interval and ends in time; otherwise every late timer
        // would move all later checks, and `fall` of them in a row would take longer than promised. After a longer
        // pause (a stopped process, a check longer than the interval) the check gets its whole timeout.
        let late = now.since(self.due);
        let late = late.times(LATE_PART) > self.rhythm.timeout;
        let Rhythm { interval, timeout, .. } = self.rhythm;
        let (from, place) = if late { (now, now) } else { (self.due, self.place) };
        let jitter = Span::from_micros(interval.as_micros() / JITTER_PART);
        let period = interval - jitter;
        let early = if self.checks == 0 { part(period, server as u64) } else { Span::ZERO };
        self.checks += 1;
        self.from = from;
        self.place = place + (period - early);
        // The second check's place is its server's own, to the microsecond.
        let moved =
            if self.checks == 1 { Span::ZERO } else { part(jitter, mixed(server as u64, self.checks)) };
        self.due = self.place + moved;
        Start { server, deadline: from + timeout }
    }

    /// Moves the next check: nearer while the standing may change, further away while the server stays down.
    fn learn(&mut self, trend: Trend) {
        let Rhythm { interval, fast, down, .. } = self.rhythm;
        self.down = if trend == Trend::Down { self.down.saturating_add(1) } else { 0 };
        match trend {
            Trend::Steady => {}
            Trend::Changing => {
                self.due = self.due.min(self.from + fast);
                self.place = self.place.min(self.due);
            }
            Trend::Down => {
                let doublings = (self.down - 1).min(MAX_DOUBLINGS);
                let longer = interval.times(1 << doublings).min(down) - interval;
                self.due = self.due + longer;
                self.place = self.place + longer;
            }
        }
    }
}

/// Each check moves by up to this part of its interval: a sixteenth.
const JITTER_PART: u64 = 16;

/// No interval needs more to become a day.
const MAX_DOUBLINGS: u32 = 30;

/// Between the first checks of two servers, so that a thousand of them are not one burst.
const FIRST_APART: Span = Span::from_micros(100);

/// A start is late when it is later than this part of the timeout: an eighth.
const LATE_PART: u64 = 8;

/// The `nth` part of `interval`, below all of it: multiples of the golden ratio, which spread evenly however many
/// there are.
fn part(interval: Span, nth: u64) -> Span {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let fraction = u128::from(nth.wrapping_mul(GOLDEN));
    let micros = (u128::from(interval.as_micros()) * fraction) >> 64;
    Span::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A number for each check of each server that shows no pattern (the finish of splitmix64).
fn mixed(server: u64, check: u64) -> u64 {
    let mut mixed = (server << 32) ^ check;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn span(duration: Duration) -> Span {
    Span::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
