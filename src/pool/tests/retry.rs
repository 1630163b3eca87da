//! Who gets a request next when a server has failed it.

use super::*;

#[test]
fn a_tried_server_is_passed_over_until_none_is_left() {
    for method in METHODS {
        let (rotation, mut dice) = (balanced(method, &[1, 1, 1]), Dice(3));
        let draw = dice.draw();
        let mut tried = Tried::default();
        let mut order = Vec::new();
        while let Some(server) = rotation.pick(draw, &tried) {
            order.push(server.name.clone());
            tried.add(server.id);
        }
        assert!(!tried.is_empty());
        if method == Method::RoundRobin {
            assert_eq!(order, ["a", "b", "c"]);
        }
        order.sort();
        assert_eq!(order, ["a", "b", "c"], "{method:?}");
    }
}

#[test]
fn a_heavy_server_that_fails_does_not_hide_a_light_one() {
    for method in METHODS {
        let mut weights = [1; 300];
        weights[0] = 4_096;
        let rotation = balanced(method, &weights);
        let mut tried = Tried::default();
        tried.add(ServerId(0));
        let (mut dice, mut others) = (Dice(4), BTreeMap::new());
        for _ in 0..3_000 {
            let server = rotation.pick(dice.draw(), &tried).expect("299 are left");
            assert_ne!(server.id, ServerId(0), "{method:?}");
            *others.entry(server.id).or_insert(0) += 1;
        }
        assert!(others.len() > 150, "{method:?}: only {} of 299 share its requests", others.len());
    }
}

#[test]
fn a_request_gives_up_after_sixteen_servers() {
    for method in METHODS {
        let (rotation, draw) = (balanced(method, &[1; 10_000]), Dice(5).draw());
        let mut tried = Tried::default();
        let mut count = 0;
        while let Some(server) = rotation.pick(draw, &tried) {
            assert!(!tried.contains(server.id), "{method:?}: tried twice");
            tried.add(server.id);
            count += 1;
        }
        assert_eq!((count, tried.is_full()), (Tried::MOST, true));
    }
}

#[test]
fn the_requests_of_a_dead_server_do_not_all_go_to_its_neighbour() {
    let hashed = balanced(Method::Hash, &[1; 10]);
    let (mut dice, mut others) = (Dice::seeded(6), BTreeMap::new());
    for _ in 0..10_000 {
        let draw = dice.draw();
        let first = hashed.pick(draw, &Tried::default()).expect("someone");
        if first.id == ServerId(0) {
            let mut tried = Tried::default();
            tried.add(first.id);
            let next = hashed.pick(draw, &tried).expect("someone else");
            assert_eq!(next.id, hashed.pick(draw, &tried).expect("the same").id, "a retry is no lottery");
            *others.entry(next.id).or_insert(0) += 1;
        }
    }
    assert_eq!(others.len(), 9);
    assert!(others.values().all(|count| (60..=170).contains(count)), "{others:?}");
}
