//! Least connections and the count of requests in hand.

use super::*;

/// Gives out requests that never end; how many each server has.
fn fill(rotation: &Rotation, count: usize, dice: &mut Dice) -> Vec<u32> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(rotation.pick(dice.draw(), &Tried::default()).expect("someone").load.enter());
    }
    rotation.servers().iter().map(|server| server.load.in_flight()).collect()
}

#[test]
fn idle_servers_take_turns() {
    assert_eq!(picks(&balanced(Method::LeastConnections, &[1, 1, 1]), 6), "abcabc");
}

#[test]
fn a_small_pool_is_exact() {
    let rotation = balanced(Method::LeastConnections, &[1; EXACT]);
    assert_eq!(fill(&rotation, 160, &mut Dice(1)), [10; EXACT]);
}

#[test]
fn a_busy_server_gets_nothing_until_the_others_are_as_busy() {
    let rotation = balanced(Method::LeastConnections, &[1, 1]);
    let held: Vec<_> = (0..5).map(|_| rotation.servers()[0].load.enter()).collect();
    assert_eq!(fill(&rotation, 5, &mut Dice(1)), [5, 5]);
    drop(held);
    assert_eq!(rotation.servers()[0].load.in_flight(), 0);
}

#[test]
fn weights_count() {
    let rotation = balanced(Method::LeastConnections, &[1, 3]);
    let counts = fill(&rotation, 400, &mut Dice(1));
    assert!((99..=101).contains(&counts[0]) && (299..=301).contains(&counts[1]), "{counts:?}");
}

#[test]
fn a_large_pool_is_nearly_exact() {
    let mut dice = Dice::seeded(11);
    let counts = fill(&balanced(Method::LeastConnections, &[1; 1_000]), 10_000, &mut dice);
    let (least, most) = (counts.iter().min().copied(), counts.iter().max().copied());
    assert!(least >= Some(8) && most <= Some(12), "{least:?}..{most:?} around 10");

    let weights: Vec<u16> = (0..200).map(|at| at % 4 + 1).collect();
    let counts = fill(&balanced(Method::LeastConnections, &weights), 5_000, &mut dice);
    let busy = counts.iter().zip(&weights).map(|(count, weight)| f64::from(*count) / f64::from(*weight));
    assert!(busy.clone().all(|busy| (7.0..=13.0).contains(&busy)), "{:?}", busy.collect::<Vec<_>>());
}

#[test]
fn what_is_in_hand_is_counted_until_it_ends_however_it_ends() {
    let load = Load::default();
    let (one, two) = (load.enter(), load.clone().enter());
    assert_eq!(load.in_flight(), 2);
    drop(one);
    assert_eq!(load.in_flight(), 1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _in_flight = load.enter();
        std::panic::resume_unwind(Box::new("a bug"));
    }));
    assert!(panicked.is_err());
    assert_eq!(load.in_flight(), 1);
    drop(two);
    assert_eq!(load.in_flight(), 0);
}
