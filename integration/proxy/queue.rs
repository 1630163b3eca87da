//! Servers with a limit: who waits, in which order, and what those get who wait in vain.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use vipd::config::{Frontend, Mode};
use vipd::pool::{Load, Queue, Rotation, Rule, Server, ServerId, Snapshot, Token, Turn};

use crate::rig::*;

pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Limited {
    pub(crate) rig: Rig,
    pub(crate) queue: Arc<Queue>,
}

pub(crate) fn limited(
    most: u32,
    length: usize,
    patience: Duration,
    front: Frontend,
    app: &Origin,
) -> Limited {
    let queue = Queue::new(length, patience);
    let load = Load::limited(ServerId(0), most, Arc::clone(&queue));
    let server = Server { load, ..Server::new(ServerId(0), "app1", app.address, 1) };
    let pool = Rotation::new(vec![server], Rule::default(), Arc::new(Turn::new()));
    Limited { rig: rig_of(Snapshot::new([pool]), front, limits(), 2), queue }
}

impl Limited {
    pub(crate) fn waits_for(&self, waiting: usize) {
        while self.queue.waiting() != waiting {
            thread::yield_now();
        }
    }
}

/// A server that answers a request with its path when it is told to.
pub(crate) fn slow() -> (Origin, mpsc::Sender<()>, Arc<Mutex<Vec<String>>>) {
    let (go, told) = mpsc::channel::<()>();
    let (told, seen) = (Mutex::new(told), Arc::new(Mutex::new(Vec::new())));
    let order = Arc::clone(&seen);
    let app = origin(move |mut wire, _| {
        while let Some(head) = wire.head() {
            let path = head.split(' ').nth(1).expect("a request").to_owned();
            order.lock().expect("nobody panics").push(path.clone());
            let _ = told.lock().expect("nobody panics").recv();
            wire.say(&ok(&path));
        }
    });
    (app, go, seen)
}

#[test]
fn requests_wait_for_a_place_in_the_order_in_which_they_came() {
    let (app, go, seen) = slow();
    let front = limited(1, 100, LONG, web(), &app);
    // Over both cores: the kernel spreads them.
    let mut clients = Vec::new();
    for nth in 0..20 {
        let mut client = front.rig.client();
        client.say(&format!("GET /{nth} HTTP/1.1\r\nHost: h\r\n\r\n"));
        clients.push(client);
        if nth > 0 {
            front.waits_for(nth);
        } else {
            while seen.lock().expect("nobody panics").is_empty() {
                thread::yield_now();
            }
        }
    }
    (0..20).for_each(|_| go.send(()).expect("it listens"));
    for (nth, client) in clients.iter_mut().enumerate() {
        let (head, body) = client.message();
        assert!(head.starts_with("HTTP/1.1 200 ") && body == format!("/{nth}"), "{head}{body}");
    }
    let expected: Vec<_> = (0..20).map(|nth| format!("/{nth}")).collect();
    assert_eq!(*seen.lock().expect("nobody panics"), expected);
}

#[test]
fn who_finds_the_queue_full_is_told_so_and_may_ask_again() {
    let (app, go, seen) = slow();
    let front = limited(1, 1, LONG, web(), &app);
    let (mut first, mut second, mut third) = (front.rig.client(), front.rig.client(), front.rig.client());
    first.say(GET);
    while seen.lock().expect("nobody panics").is_empty() {
        thread::yield_now();
    }
    second.say(GET);
    front.waits_for(1);
    third.say(GET);
    let (head, body) = third.message();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("enough requests wait"), "{head}{body}");
    assert_eq!(field(&head, "retry-after"), Some("1"));
    assert_eq!(field(&head, "connection"), Some("keep-alive"));
    (0..3).for_each(|_| go.send(()).expect("it listens"));
    assert!(first.message().0.starts_with("HTTP/1.1 200 "));
    assert!(second.message().0.starts_with("HTTP/1.1 200 "));
    third.say(GET);
    assert!(third.message().0.starts_with("HTTP/1.1 200 "), "on the same connection");
}

#[test]
fn who_waits_for_too_long_is_told_so() {
    let (app, go, seen) = slow();
    let front = limited(1, 1, Duration::from_millis(100), web(), &app);
    let (mut first, mut second) = (front.rig.client(), front.rig.client());
    first.say(GET);
    while seen.lock().expect("nobody panics").is_empty() {
        thread::yield_now();
    }
    second.say(GET);
    let (head, body) = second.message();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("busy for too long"), "{head}{body}");
    assert_eq!(field(&head, "retry-after"), Some("1"));
    go.send(()).expect("it listens");
    assert!(first.message().0.starts_with("HTTP/1.1 200 "));
    assert_eq!(front.queue.waiting(), 0);
}

#[test]
fn a_server_never_has_more_than_it_may() {
    let busy = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counts = Arc::clone(&busy);
    let app = origin(move |mut wire, _| {
        while wire.head().is_some() {
            let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
            counts.1.fetch_max(now, Ordering::SeqCst);
            thread::yield_now();
            counts.0.fetch_sub(1, Ordering::SeqCst);
            wire.say(&ok("a"));
        }
    });
    let front = limited(3, 1000, LONG, web(), &app);
    let address = front.rig.address;
    let clients: Vec<_> = (0..30)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Wire::connect(address);
                for _ in 0..50 {
                    client.say(GET);
                    assert!(client.message().0.starts_with("HTTP/1.1 200 "));
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("every request is answered"));
    let most = busy.1.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most} at once");
    assert_eq!(front.queue.waiting(), 0);
}

#[test]
fn a_tcp_client_waits_until_another_has_left() {
    let app = origin(|mut wire, nth| {
        wire.say(&format!("{nth}"));
        assert_eq!(wire.rest(), "");
    });
    let tcp = Frontend { mode: Mode::Tcp, defer_accept: false, ..web() };
    let front = limited(1, 1, LONG, tcp, &app);
    let mut first = front.rig.client();
    assert_eq!(first.bytes(1), b"0");
    let mut second = front.rig.client();
    front.waits_for(1);
    assert_eq!(front.rig.client().rest(), "", "the queue is full: a reset");
    drop(first);
    assert_eq!(second.bytes(1), b"1");
}

/// A client that asks for `path` and holds the server of that name.
fn faithful(rig: &Rig, server: &str, path: &str) -> Wire {
    let token = Token::of("", server).text();
    let token = String::from_utf8_lossy(&token);
    let mut client = rig.client();
    client.say(&format!("GET {path} HTTP/1.1\r\nHost: h\r\nCookie: VIPD={token}\r\n\r\n"));
    client
}

#[test]
fn a_client_whose_server_leaves_waits_for_another_one_and_keeps_its_place() {
    let apps = [slow(), slow()];
    let queue = Queue::new(1, LONG);
    let server = |(at, (app, ..)): (usize, &(Origin, _, _))| {
        let load = Load::limited(ServerId(at), 1, Arc::clone(&queue));
        Server { load, ..Server::new(ServerId(at), format!("app{}", at + 1), app.address, 1) }
    };
    let servers: Vec<_> = apps.iter().enumerate().map(server).collect();
    let rule = Rule { sticky: Some("VIPD".into()), ..Rule::default() };
    let pool =
        |servers: &[Server]| Arc::new(Rotation::new(servers.to_vec(), rule.clone(), Arc::new(Turn::new())));
    let (both, other) = (pool(&servers), pool(&servers[1..]));
    let rig = rig_of(Snapshot::new([Arc::clone(&both)]), web(), limits(), 1);
    let mut busy = ["app1", "app2"].map(|name| faithful(&rig, name, "/busy"));
    for (.., seen) in &apps {
        while seen.lock().expect("nobody panics").is_empty() {
            thread::yield_now();
        }
    }
    let mut waiting = faithful(&rig, "app1", "/waiting");
    while queue.waiting() != 1 {
        thread::yield_now();
    }
    rig.pools.store(Snapshot::new([Arc::clone(&other)]).into());
    other.succeed(&both);
    // The one core has woken who waits before it hears of this one.
    let mut late = rig.client();
    late.say(GET);
    let (head, body) = late.message();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("enough requests wait"), "{head}{body}");
    for (_, go, _) in &apps {
        (0..2).for_each(|_| go.send(()).expect("it listens"));
    }
    let (head, body) = waiting.message();
    assert!(head.starts_with("HTTP/1.1 200 ") && body == "/waiting", "{head}{body}");
    busy.iter_mut().for_each(|client| assert_eq!(client.message().1, "/busy"));
    assert_eq!((rig.frontend().requests, rig.frontend().errors, rig.server(1).requests), (4, 1, 2));
}
