//! Two random choices.

use super::*;

#[test]
fn draws_are_spread_by_weight() {
    let (rotation, mut dice) = (balanced(Method::Random, &[1, 2, 7]), Dice::seeded(21));
    let counts = counts(&rotation, 100_000, &mut dice);
    for (at, share) in [(0, 10_000), (1, 20_000), (2, 70_000)] {
        let count = counts[&ServerId(at)];
        assert!(count.abs_diff(share) < 1_000, "{count}, not about {share}");
    }
}

#[test]
fn the_less_busy_of_two_wins() {
    let (rotation, mut dice) = (balanced(Method::Random, &[1, 1]), Dice::seeded(22));
    let _held = rotation.servers()[0].load.enter();
    let counts = counts(&rotation, 10_000, &mut dice);
    // The busy one only when both draws fall on it.
    assert!(counts[&ServerId(0)].abs_diff(2_500) < 250, "{counts:?}");
}

#[test]
fn requests_that_stay_spread_better_than_by_one_draw() {
    let (rotation, mut dice) = (balanced(Method::Random, &[1; 1_000]), Dice::seeded(23));
    let pick = |dice: &mut Dice| rotation.pick(dice.draw(), &Tried::default()).expect("someone").load.enter();
    let _held: Vec<_> = (0..10_000).map(|_| pick(&mut dice)).collect();
    let most = rotation.servers().iter().map(|server| server.load.in_flight()).max();
    // One draw each would give someone more than 20.
    assert!(most <= Some(14), "{most:?}");
}
