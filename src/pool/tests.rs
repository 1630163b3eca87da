//! The rotation: strict, smooth, and the same for all cores.

use std::sync::Arc;

use super::{Rotation, Server, ServerId, Snapshot, Tried, Turn};

fn servers(weights: &[u16]) -> Vec<Server> {
    let server = |(at, weight): (usize, &u16)| Server {
        id: ServerId(at),
        name: String::from(char::from(b'a' + u8::try_from(at).expect("few servers"))),
        address: ([127, 0, 0, 1], 8080).into(),
        weight: *weight,
    };
    weights.iter().enumerate().map(server).collect()
}

fn rotation(weights: &[u16]) -> Rotation {
    Rotation::new(servers(weights), Arc::new(Turn::new()))
}

fn picks(rotation: &Rotation, count: usize) -> String {
    let tried = Tried::default();
    (0..count).map(|_| rotation.pick(&tried).map_or("-", |server| server.name.as_str())).collect()
}

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
fn a_tried_server_is_passed_over_until_none_is_left() {
    let rotation = rotation(&[1, 1, 1]);
    let mut tried = Tried::default();
    let mut order = String::new();
    while let Some(server) = rotation.pick(&tried) {
        order += &server.name;
        tried.add(server.id);
    }
    assert_eq!(order, "abc");
    assert!(!tried.is_empty());
}

#[test]
fn the_turn_survives_a_new_snapshot() {
    let turn = Arc::new(Turn::new());
    let before = Rotation::new(servers(&[1, 1, 1]), Arc::clone(&turn));
    assert_eq!(picks(&before, 2), "ab");
    let after = Rotation::new(servers(&[1, 1, 1]), turn);
    assert_eq!(picks(&after, 2), "ca");
}

#[test]
fn cores_share_one_turn() {
    let turn = Arc::new(Turn::new());
    let cores: Vec<_> = (0..4).map(|_| Rotation::new(servers(&[1, 2, 1]), Arc::clone(&turn))).collect();
    let order: String = cores.iter().cycle().take(12).map(|core| picks(core, 1)).collect();
    assert_eq!(order, picks(&rotation(&[1, 2, 1]), 12));
}
