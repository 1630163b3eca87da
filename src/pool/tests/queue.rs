//! Waiting for a place.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::super::*;

fn queue(most: usize) -> Arc<Queue> {
    Queue::new(most, Duration::from_secs(1))
}

fn limited(most: u32, names: &[&str], queue: &Arc<Queue>) -> Vec<Server> {
    let server = |(at, name): (usize, &&str)| {
        let load = Load::limited(ServerId(at), most, Arc::clone(queue));
        Server { load, ..Server::new(ServerId(at), *name, ([10, 0, 0, 1], 80).into(), 1) }
    };
    names.iter().enumerate().map(server).collect()
}

fn rotation(servers: &[Server], rule: Rule) -> Rotation {
    Rotation::new(servers.to_vec(), rule, Arc::default())
}

fn take(rotation: &Rotation) -> Option<InFlight> {
    match rotation.take(Draw::default(), &Tried::default()) {
        Taken::Place(_, place) => Some(place),
        Taken::Busy(_) | Taken::Nobody => None,
    }
}

fn poll(waiting: &Waiting) -> Poll<Woken> {
    waiting.poll(&Context::from_waker(Waker::noop()))
}

fn place(waiting: &Waiting) -> Option<(ServerId, InFlight)> {
    match poll(waiting) {
        Poll::Ready(Woken::Place(server, place)) => Some((server, place)),
        Poll::Ready(Woken::Look) | Poll::Pending => None,
    }
}

#[test]
fn a_full_pool_is_busy_and_a_free_place_goes_to_who_came_first() {
    let queue = queue(10);
    let servers = limited(1, &["a", "b"], &queue);
    let pool = rotation(&servers, Rule::default());
    let (one, other) = (take(&pool).expect("a place"), take(&pool).expect("another"));
    assert!(matches!(pool.take(Draw::default(), &Tried::default()), Taken::Busy(None)));
    let first = queue.join(None, Tried::default()).expect("room");
    let second = queue.join(None, Tried::default()).expect("room");
    drop(one);
    assert!(take(&pool).is_none(), "who comes now is not faster than who waits");
    assert!(place(&second).is_none());
    let (_, held) = place(&first).expect("it was the first");
    assert_eq!(queue.waiting(), 1);
    drop((other, held));
    let (_, last) = place(&second).expect("one of the two");
    assert_eq!((queue.waiting(), servers[0].load.in_flight() + servers[1].load.in_flight()), (0, 1));
    drop(last);
}

#[test]
fn who_gives_up_passes_its_place_on() {
    let queue = queue(10);
    let pool = rotation(&limited(1, &["a"], &queue), Rule::default());
    let only = take(&pool).expect("a place");
    let first = queue.join(None, Tried::default()).expect("room");
    let second = queue.join(None, Tried::default()).expect("room");
    drop(only);
    drop(first);
    drop(place(&second).expect("it was passed on"));
    assert!(take(&pool).is_some(), "and is free again when nobody wants it");
}

#[test]
fn the_queue_is_bounded_and_so_is_the_server() {
    let queue = queue(1);
    let pool = rotation(&limited(2, &["a"], &queue), Rule::default());
    let places = [take(&pool), take(&pool)];
    assert!(places.iter().all(Option::is_some) && take(&pool).is_none());
    let waiting = queue.join(None, Tried::default()).expect("room");
    assert!(queue.join(None, Tried::default()).is_none());
    drop(waiting);
    assert!(queue.join(None, Tried::default()).is_some());
}

#[test]
fn a_client_waits_for_the_server_it_holds_and_nobody_for_one_that_failed_it() {
    let queue = queue(10);
    let servers = limited(1, &["a", "b"], &queue);
    let pool = rotation(&servers, Rule { sticky: Some("S".into()), ..Rule::default() });
    let draw = Draw { held: Some(servers[1].token), ..Draw::default() };
    let Taken::Place(held, b) = pool.take(draw, &Tried::default()) else { panic!("it is free") };
    assert_eq!(held.id, ServerId(1));
    assert!(matches!(pool.take(draw, &Tried::default()), Taken::Busy(Some(ServerId(1)))));
    let a = take(&pool).expect("the other one is free");
    let mut tried = Tried::default();
    tried.add(ServerId(0));
    let elsewhere = queue.join(None, tried).expect("room");
    let faithful = queue.join(Some(ServerId(1)), Tried::default()).expect("room");
    drop(a);
    assert!(place(&elsewhere).is_none() && place(&faithful).is_none());
    drop(b);
    let (server, b) = place(&elsewhere).expect("the first whom it suits");
    assert_eq!(server, ServerId(1));
    drop(b);
    assert_eq!(place(&faithful).map(|(server, _)| server), Some(ServerId(1)));
}

#[test]
fn who_must_wait_for_another_server_keeps_its_turn_in_a_full_queue() {
    let queue = queue(2);
    let servers = limited(1, &["a", "b"], &queue);
    let [a, b] = [0, 1].map(|at: usize| servers[at].load.try_enter().expect("it is free"));
    let first = queue.join(Some(ServerId(1)), Tried::default()).expect("room");
    let second = queue.join(None, Tried::default()).expect("room");
    assert!(queue.join(None, Tried::default()).is_none());
    first.turn_to(None, &Tried::default());
    assert_eq!(queue.waiting(), 2);
    drop(a);
    // What it is given meanwhile it keeps.
    first.turn_to(None, &Tried::default());
    assert!(place(&second).is_none());
    let (server, of_no_use) = place(&first).expect("it came first");
    assert_eq!((server, queue.waiting()), (ServerId(0), 1));
    // As when that server has left the rotation.
    first.turn_to(None, &Tried::default());
    assert_eq!(queue.waiting(), 2);
    drop(b);
    assert!(place(&second).is_none());
    assert_eq!(place(&first).map(|(server, _)| server), Some(ServerId(1)), "it has its turn back");
    assert_eq!(place(&second).map(|(server, _)| server), Some(ServerId(1)));
    drop((first, second, of_no_use));
    assert_eq!((queue.waiting(), servers[0].load.in_flight() + servers[1].load.in_flight()), (0, 0));
}

#[test]
fn no_place_is_given_at_a_server_that_left_and_who_waits_looks_at_those_that_came() {
    let queue = queue(10);
    let servers = limited(1, &["a", "b"], &queue);
    let before = rotation(&servers[..1], Rule::default());
    let a = take(&before).expect("a place");
    let waiting = queue.join(None, Tried::default()).expect("room");
    let now = rotation(&servers[1..], Rule::default());
    now.succeed(&before);
    assert!(matches!(poll(&waiting), Poll::Ready(Woken::Look)));
    drop(a);
    assert!(poll(&waiting).is_pending(), "that server has left");
    let b = take(&now).expect("the one that came");
    drop(b);
    assert_eq!(place(&waiting).map(|(server, _)| server), Some(ServerId(1)));
}

#[test]
fn a_full_server_does_not_bring_a_backup_in() {
    let queue = queue(10);
    let mut servers = limited(1, &["a", "b"], &queue);
    servers[1].backup = true;
    let pool = rotation(&servers, Rule::default());
    let place = take(&pool);
    assert!(place.is_some() && take(&pool).is_none());
}
