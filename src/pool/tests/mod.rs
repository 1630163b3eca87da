//! What the tests of the choice speak: pools of small names, and who was picked.

mod hash;
mod least;
mod order;
mod queue;
mod ramp;
mod random;
mod retry;
mod tiers;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

/// Servers of these weights, called a, b, c.
fn servers(weights: &[u16]) -> Vec<Server> {
    let server = |(at, weight): (usize, &u16)| {
        let name = match u8::try_from(at) {
            Ok(at) if at < 26 => char::from(b'a' + at).to_string(),
            Ok(_) | Err(_) => format!("app{at}"),
        };
        Server::new(ServerId(at), name, ([127, 0, 0, 1], 8080).into(), *weight)
    };
    weights.iter().enumerate().map(server).collect()
}

fn rule(method: Method) -> Rule {
    Rule { method, ..Rule::default() }
}

fn balanced(method: Method, weights: &[u16]) -> Rotation {
    Rotation::new(servers(weights), rule(method), Arc::new(Turn::new()))
}

/// Round robin.
fn rotation(weights: &[u16]) -> Rotation {
    balanced(Method::RoundRobin, weights)
}

const METHODS: [Method; 4] = [Method::RoundRobin, Method::LeastConnections, Method::Random, Method::Hash];

/// Draws that are the same in every run of the same seed.
struct Dice(u64);

impl Dice {
    /// Says its seed, for a test that fails.
    fn seeded(seed: u64) -> Self {
        println!("seed {seed}");
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        digest::mix(self.0)
    }

    /// A request with a key of its own.
    fn draw(&mut self) -> Draw {
        Draw { random: self.roll(), key: Some(self.roll()), held: None }
    }
}

/// Who gets so many requests, one after the other.
fn picks(rotation: &Rotation, count: usize) -> String {
    let (mut dice, tried) = (Dice(1), Tried::default());
    let mut name = || rotation.pick(dice.draw(), &tried).map_or("-", |server| server.name.as_str());
    (0..count).map(|_| name()).collect()
}

/// How many of so many requests each server gets.
fn counts(rotation: &Rotation, count: usize, dice: &mut Dice) -> BTreeMap<ServerId, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..count {
        let server = rotation.pick(dice.draw(), &Tried::default()).expect("someone is eligible");
        *counts.entry(server.id).or_insert(0) += 1;
    }
    counts
}
