//! Round robin: strict, smooth, and the same for all cores.

use super::*;

#[test]
fn equal_servers_take_turns() {
    assert_eq!(picks(&rotation(&[1, 1, 1]), 7), "abcabca");
    assert_eq!(picks(&rotation(&[256, 256]), 4), "abab");
}

#[test]
fn weights_are_smooth_as_nginx_has_them() {
    assert_eq!(picks(&rotation(&[5, 1, 1]), 14), "aabacaaaabacaa");
    assert_eq!(picks(&rotation(&[2, 4]), 6), "babbab");
}

#[test]
fn every_round_is_exact_for_any_weights() {
    for (x, y, z) in [(1, 2, 3), (3, 5, 7), (256, 1, 255), (10, 20, 30)] {
        let rotation = rotation(&[x, y, z]);
        let round = picks(&rotation, usize::from(x + y + z));
        let count = |name| round.matches(name).count();
        assert_eq!([count("a"), count("b"), count("c")], [x, y, z].map(usize::from));
    }
}

#[test]
fn nobody_is_eligible() {
    assert_eq!(picks(&rotation(&[]), 1), "-");
    assert!(Snapshot::new(vec![rotation(&[])]).pool(0).servers().is_empty());
}

#[test]
fn the_turn_survives_a_new_snapshot() {
    let turn = Arc::new(Turn::new());
    let before = Rotation::new(servers(&[1, 1, 1]), Rule::default(), Arc::clone(&turn));
    assert_eq!(picks(&before, 2), "ab");
    let after = Rotation::new(servers(&[1, 1, 1]), Rule::default(), turn);
    assert_eq!(picks(&after, 2), "ca");
}

#[test]
fn cores_share_one_turn() {
    let turn = Arc::new(Turn::new());
    let core = |_| Rotation::new(servers(&[1, 2, 1]), Rule::default(), Arc::clone(&turn));
    let cores: Vec<_> = (0..4).map(core).collect();
    let order: String = cores.iter().cycle().take(12).map(|core| picks(core, 1)).collect();
    assert_eq!(order, picks(&rotation(&[1, 2, 1]), 12));
}

#[test]
fn ten_thousand_servers_of_any_weights_take_little_memory_and_are_still_exact() {
    let equal = rotation(&[256; 10_000]);
    assert_eq!(equal.schedule_bytes(), 0);
    assert!(counts(&equal, 20_000, &mut Dice(1)).values().all(|count| *count == 2));

    let mut dice = Dice::seeded(7);
    let weights: Vec<u16> =
        (0..10_000).map(|_| u16::try_from(dice.roll() % 256 + 1).expect("small")).collect();
    let mixed = rotation(&weights);
    assert!(mixed.schedule_bytes() <= 80_000, "{} bytes", mixed.schedule_bytes());
    let round = weights.iter().map(|weight| usize::from(*weight)).sum();
    let counts = counts(&mixed, round, &mut dice);
    let exact = |(at, weight): (usize, &u16)| counts[&ServerId(at)] == usize::from(*weight);
    assert!(weights.iter().enumerate().all(exact), "a round gives everyone its weight");
}

#[test]
fn the_turns_of_a_large_pool_are_even() {
    // Server 0 has a third of the weight: a third of any stretch of requests is its own.
    let mut weights = [3; 2_000];
    weights[0] = 2_999;
    let large = rotation(&weights);
    for stretch in 0..20 {
        let mine = counts(&large, 300, &mut Dice(1)).get(&ServerId(0)).copied().unwrap_or(0);
        assert!((98..=102).contains(&mine), "{mine} of 300 in stretch {stretch}");
    }
}
