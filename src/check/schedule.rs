//! When which server is checked: one schedule for all servers of all pools.
//!
//! It must never have two checks of one server under way. The engine drives it and performs what it says.
//!
//! The first checks all start at once (a fraction of a millisecond apart), because nobody gets a request before. The
//! second check of each server comes early by its own fraction of the interval; from then on each server keeps its
//! own place in the interval, start to start, so that checks do not bunch. Early, never late: the promise that a dead
//! server is out within `fall × interval + timeout` needs checks that are never further apart than the interval.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::vrrp::{Span, Time};

/// How often a server is checked and how long one check may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// From the start of one check to the start of the next.
    pub interval: Span,
    /// How long one check may take. When it is longer than the interval, a check that uses it up delays the next.
    pub timeout: Span,
}

impl Rhythm {
    /// The rhythm with lengths of the standard library, to the microsecond.
    pub fn new(interval: Duration, timeout: Duration) -> Self {
        Self { interval: span(interval), timeout: span(timeout) }
    }
}

/// What the schedule is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The deadline may have come.
    Timer,
    /// The check of this server ended, whatever it saw.
    Finished(usize),
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
    /// When the next check is due. While one is under way it lies in the future or has been missed.
    due: Time,
    first: bool,
}

impl Schedule {
    /// The first check of every server is due now, the n-th server's n × 100 µs later.
    pub fn new(now: Time, rhythms: &[Rhythm]) -> Self {
        let first = |(nth, rhythm): (usize, &Rhythm)| {
            let due = now + FIRST_APART.times(nth as u64).min(rhythm.interval);
            Place { rhythm: *rhythm, due, first: true }
        };
        let servers: Vec<_> = rhythms.iter().enumerate().map(first).collect();
        let waiting = servers.iter().enumerate().map(|(server, place)| (place.due, server)).collect();
        Self { servers, waiting }
    }

    /// Takes `input` in and appends the checks that start now.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Start>) {
        if let Input::Finished(server) = input {
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
        let from = if late.times(LATE_PART) > self.rhythm.timeout { now } else { self.due };
        let early = if self.first { part(self.rhythm.interval, server) } else { Span::ZERO };
        self.first = false;
        self.due = from + (self.rhythm.interval - early);
        Start { server, deadline: from + self.rhythm.timeout }
    }
}

/// Between the first checks of two servers, so that a thousand of them are not one burst.
const FIRST_APART: Span = Span::from_micros(100);

/// A start is late when it is later than this part of the timeout: an eighth.
const LATE_PART: u64 = 8;

/// The `nth` server's own part of `interval`, below all of it: multiples of the golden ratio, which spread evenly
/// however many there are.
fn part(interval: Span, nth: usize) -> Span {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let fraction = u128::from((nth as u64).wrapping_mul(GOLDEN));
    let micros = (u128::from(interval.as_micros()) * fraction) >> 64;
    Span::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn span(duration: Duration) -> Span {
    Span::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
