//! Round robin: whose turn it is, over all cores, without a lock.
//!
//! A pick is one step of a counter that all cores share. What a step means is laid down when the snapshot is made:
//!
//! * equal weights: one place after the other;
//! * small pools: Nginx's smooth weighted round robin, played once for a whole round and kept. Weights 5, 1, 1 give
//!   a a b a c a a;
//! * where that would be too much work or memory (10,000 servers of weight 256 have a round of 2.56 million turns):
//!   the turns of a round are points on a line on which each server has as many as its weight, visited in steps of
//!   the golden section. Every round is just as exact, a server's turns are as even as a step can make them, and a
//!   pick costs a search of the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::shares::Shares;

/// Turns times servers that are worth playing through when a snapshot is made: a few milliseconds.
const PLAYED: usize = 1 << 20;

/// A pool's place in its schedule, shared by all cores. It survives the snapshots, so that a server that comes or
/// goes does not send the next request back to the first one.
#[derive(Debug, Default)]
// On a cache line of its own: every core writes it at every request.
#[repr(align(64))]
pub struct Turn(AtomicUsize);

impl Turn {
    /// The beginning of a schedule.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next turn.
    pub(super) fn next(&self) -> usize {
        // Relaxed: the counter orders nothing but itself.
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// One round of turns of some servers, by their places.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// All weights are equal.
    Plain(usize),
    /// Played through.
    Smooth(Arc<[u16]>),
    /// Points of the line, visited in steps of `stride`, which has no divisor in common with the line's length.
    Spread { shares: Shares, stride: u64 },
}

impl Order {
    /// The order of servers with these weights, none of them 0.
    pub(super) fn new(weights: &[u16]) -> Self {
        let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, u64::from(*weight))).max(1);
        let turns = |weight: &u16| usize::try_from(u64::from(*weight) / divisor).unwrap_or(1);
        let round: usize = weights.iter().map(turns).sum();
        if round == weights.len() {
            return Self::Plain(round);
        }
        if round.saturating_mul(weights.len()) <= PLAYED {
            let weights: Vec<_> = weights.iter().map(turns).collect();
            return Self::Smooth(smooth(&weights).into());
        }
        let shares = Shares::new(weights);
        Self::Spread { stride: stride(shares.total()), shares }
    }

    /// How many turns a round has.
    fn round(&self) -> usize {
        match self {
            Self::Plain(count) => *count,
            Self::Smooth(schedule) => schedule.len(),
            Self::Spread { shares, .. } => usize::try_from(shares.total()).unwrap_or(usize::MAX),
        }
    }

    /// Who has the turn; there must be someone.
    pub(super) fn place(&self, turn: usize) -> usize {
        let turn = turn % self.round();
        match self {
            Self::Plain(_) => turn,
            Self::Smooth(schedule) => usize::from(schedule[turn]),
            Self::Spread { shares, stride } => {
                // A round is at most 65,536 servers of 4,096: no overflow.
                shares.place(u64::try_from(turn).unwrap_or(0) * stride % shares.total())
            }
        }
    }

    /// Bytes that it takes beyond itself.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Smooth(schedule) => size_of_val(&schedule[..]),
            Self::Spread { shares, .. } => shares.bytes(),
        }
    }
}

/// One round of smooth weighted round robin, as Nginx plays it: each turn everyone gains its weight, the richest is
/// served and pays the sum of all weights.
fn smooth(weights: &[usize]) -> Vec<u16> {
    let weights: Vec<_> = weights.iter().map(|weight| i64::try_from(*weight).unwrap_or(1)).collect();
    let sum: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut schedule = Vec::new();
    for _ in 0..sum {
        let mut richest = 0;
        for place in 0..weights.len() {
            credit[place] += weights[place];
            if credit[place] > credit[richest] {
                richest = place;
            }
        }
        credit[richest] -= sum;
        schedule.extend(u16::try_from(richest));
    }
    schedule
}

/// The number nearest to the golden section of `length` that has no divisor in common with it: steps of it visit
/// every point once a round, and stay as even as can be on the way.
fn stride(length: u64) -> u64 {
    let golden = length * 618_034 / 1_000_000;
    (golden.max(1)..).find(|stride| gcd(*stride, length) == 1).unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
