//! Places of a server between threads, as the cores share them.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vipd::pool::{Draw, InFlight, Load, Queue, Rotation, Rule, Server, ServerId, Taken, Tried, Woken};

fn take(rotation: &Rotation) -> Option<InFlight> {
    match rotation.take(Draw::default(), &Tried::default()) {
        Taken::Place(_, place) => Some(place),
        Taken::Busy(_) | Taken::Nobody => None,
    }
}

/// Threads that come, wait and go: nobody is forgotten, and never are there more inside than may be.
#[test]
fn nobody_is_forgotten_across_threads() {
    const MOST: u32 = 2;
    let queue = Queue::new(1000, Duration::from_secs(1));
    let load = Load::limited(ServerId(0), MOST, Arc::clone(&queue));
    let server = Server { load, ..Server::new(ServerId(0), "a", ([10, 0, 0, 1], 80).into(), 1) };
    let pool = Arc::new(Rotation::new(vec![server], Rule::default(), Arc::default()));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (pool, queue) = (Arc::clone(&pool), Arc::clone(&queue));
            std::thread::spawn(move || (0..500).for_each(|_| come_and_go(&pool, &queue)))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    assert_eq!((queue.waiting(), pool.servers()[0].load.in_flight()), (0, 0));
}

fn come_and_go(pool: &Rotation, queue: &Arc<Queue>) {
    let place = take(pool).unwrap_or_else(|| wait(pool, queue));
    assert!(pool.servers()[0].load.in_flight() <= 2);
    drop(place);
}

/// Sleeps until it is woken: forgotten, it would sleep for good.
fn wait(pool: &Rotation, queue: &Arc<Queue>) -> InFlight {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let waiting = queue.join(None, Tried::default()).expect("room");
    loop {
        if let Some(place) = take(pool) {
            return place;
        }
        match waiting.poll(&Context::from_waker(&waker)) {
            Poll::Ready(Woken::Place(_, place)) => return place,
            Poll::Ready(Woken::Look) => {}
            Poll::Pending => std::thread::park(),
        }
    }
}
