//! Consistent hashing: everyone gets its share, and who comes or goes moves little more than its own.

use super::*;
use crate::pool::maglev::Table;

/// Which server has each place of the table, by name.
fn owners(servers: &[Server]) -> Vec<String> {
    let table = Table::new(servers);
    table.places().iter().map(|place| servers[usize::from(*place)].name.clone()).collect()
}

/// The share of places that have another owner, in 1/10,000.
fn moved(before: &[String], after: &[String]) -> usize {
    let moved = before.iter().zip(after).filter(|(a, b)| a != b).count();
    moved * 10_000 / before.len()
}

#[test]
fn a_server_that_goes_moves_its_own_share_and_hardly_more() {
    for count in [2_u64, 3, 10, 100, 600] {
        let count = usize::try_from(count).expect("small");
        let all = servers(&vec![1; count]);
        let without: Vec<_> = all.iter().filter(|server| server.id.0 != count / 2).cloned().collect();
        let (before, after) = (owners(&all), owners(&without));
        let gone = &all[count / 2].name;
        let own = before.iter().filter(|owner| *owner == gone).count() * 10_000 / before.len();
        let all_moved = moved(&before, &after);
        let others = all_moved - own;
        println!("{count} servers: {own}/10000 its own, {others}/10000 of the others moved as well");
        assert!(own.abs_diff(10_000 / count) <= 1, "{own} is not 1/{count}");
        // A plain modulus would move nearly all of them.
        assert!(others <= 100, "{others}/10000 of the others moved with {count} servers");
    }
}

#[test]
fn a_server_that_comes_back_gets_the_same_clients() {
    let all = servers(&[1, 2, 3]);
    assert_eq!(owners(&all), owners(&all.clone()));
}

#[test]
fn weights_are_shares_of_the_table() {
    let weights = [1, 2, 7, 256];
    let names = owners(&servers(&weights));
    for (name, weight) in ["a", "b", "c", "d"].into_iter().zip(weights) {
        let places = names.iter().filter(|owner| *owner == name).count();
        let share = 65_537 * usize::from(weight) / 266;
        assert!(places.abs_diff(share) <= 2, "{name} has {places}, not {share}");
    }
    let table = Table::new(&servers(&[1; 10_000]));
    let mut counts = vec![0; 10_000];
    table.places().iter().for_each(|place| counts[usize::from(*place)] += 1);
    assert_eq!((counts.iter().min(), counts.iter().max()), (Some(&65), Some(&66)));
}

#[test]
fn the_same_key_gets_the_same_server_and_keys_are_spread() {
    let (rotation, mut dice) = (balanced(Method::Hash, &[1; 5]), Dice::seeded(31));
    for _ in 0..1_000 {
        let draw = dice.draw();
        let who = |random| rotation.pick(Draw { random, ..draw }, &Tried::default()).map(|server| server.id);
        assert_eq!(who(dice.roll()), who(dice.roll()));
    }
    let counts = counts(&rotation, 50_000, &mut dice);
    assert!(counts.values().all(|count| count.abs_diff(10_000) < 500), "{counts:?}");
}

#[test]
fn a_request_without_the_key_takes_its_turn() {
    let rotation = balanced(Method::Hash, &[1, 1, 1]);
    let pick = || rotation.pick(Draw::default(), &Tried::default()).map(|server| server.name.clone());
    assert_eq!([pick(), pick(), pick(), pick()].map(Option::unwrap_or_default), ["a", "b", "c", "a"]);
}

/// Cookies in browsers and the other node depend on these: a change of them is a change that users notice.
#[test]
fn digests_and_tokens_stay_what_they_are() {
    let digests = ["", "a", "12345678", "10.77.0.11", "/a/longer/path"].map(|text| digest(text.as_bytes()));
    assert_eq!(
        digests,
        [
            3_398_473_421_282_849_587,
            4_063_463_555_455_853_185,
            9_244_772_003_483_497_644,
            16_967_521_199_430_788_564,
            2_155_383_302_050_461_409
        ]
    );
    assert_eq!(String::from_utf8_lossy(&Token::of("app", "app1").text()), "b143d582f98a2ab3");
    assert_ne!(Token::of("app", "app1"), Token::of("ap", "papp1"));
}

#[test]
fn short_keys_that_differ_little_are_spread() {
    let mut buckets = [0_usize; 64];
    for number in 0..64_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a4d_0000 + number).octets();
        buckets[usize::try_from(digest(&address) % 64).expect("small")] += 1;
    }
    assert!(buckets.iter().all(|count| count.abs_diff(1_000) < 150), "{buckets:?}");
}
