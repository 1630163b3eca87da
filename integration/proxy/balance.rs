//! Which server gets a request by each way of balancing, over real sockets.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use vipd::config::Limits;
use vipd::pool::{Key, Method, Rule, Snapshot};

use crate::rig::*;

fn rule(method: Method, key: Key) -> Rule {
    Rule { method, key, ..Rule::default() }
}

/// A proxy on two cores in front of `sites` with these weights.
fn balanced(sites: &[(&Origin, u16)], rule: Rule) -> Rig {
    let servers: Vec<_> = sites.iter().map(|(site, weight)| (site.address, *weight)).collect();
    rig_of(Snapshot::new([pool(&servers, rule)]), web(), limits(), 2)
}

/// Who answers a request: the first line of its body.
fn who(client: &mut Wire, request: &str) -> String {
    client.say(request);
    client.message().1.lines().next().unwrap_or_default().to_owned()
}

/// How many of so many requests each server answers, over several connections.
fn counts(rig: &Rig, connections: usize, each: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..connections {
        let mut client = rig.client();
        for _ in 0..each {
            *counts.entry(who(&mut client, GET)).or_insert(0) += 1;
        }
    }
    counts
}

#[test]
fn random_is_spread_by_weight() {
    let (a, b) = (site("a"), site("b"));
    let rig = balanced(&[(&a, 1), (&b, 3)], rule(Method::Random, Key::None));
    let counts = counts(&rig, 10, 100);
    // The chance to be outside of this is less than one in a million.
    assert!(counts["a"].abs_diff(250) < 70, "{counts:?}");
}

#[test]
fn least_connections_leaves_a_server_alone_that_is_busy() {
    let (hold, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let slow = origin(move |mut wire, _| {
        while wire.head().is_some() {
            hold.send(()).expect("the test waits");
            // An error: the test is over.
            let _ = released.lock().expect("no panic").recv();
            wire.say(&ok("slow"));
        }
    });
    let quick = site("quick");
    let rig = balanced(&[(&slow, 1), (&quick, 1)], rule(Method::LeastConnections, Key::None));
    let mut first = rig.client();
    first.say(GET);
    held.recv().expect("idle servers take turns: the slow one is the first");
    let in_flight = || rig.pools.load().pool(0).servers()[0].load.in_flight();
    assert_eq!(in_flight(), 1);
    // Two in hand: the last request of the quick one may still be counted when the next one comes on another core.
    let second = rig.pools.load().pool(0).servers()[0].load.enter();
    // On whatever core they come in.
    assert_eq!(counts(&rig, 10, 5), [("quick".to_owned(), 50)].into());
    release.send(()).expect("it waits");
    drop(second);
    assert_eq!(first.message().1, "slow");
    // The count is taken back before the next request of the connection is read.
    first.say(GET);
    drop(release);
    first.message();
    first.say("nonsense\r\n\r\n");
    first.message();
    assert_eq!(in_flight(), 0);
}

#[test]
fn a_client_that_leaves_and_a_server_that_breaks_off_leave_no_count_behind() {
    let cut = once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    let rig = balanced(&[(&cut, 1)], rule(Method::LeastConnections, Key::None));
    for _ in 0..5 {
        rig.ask(GET);
    }
    let (hold, held) = mpsc::channel();
    let deaf = origin(move |mut wire, _| {
        while wire.head().is_some() {
            hold.send(()).expect("the test waits");
        }
    });
    // Whether a client is still there shows when the server has had its time.
    let limits = Limits { response_timeout: Duration::from_millis(100), ..limits() };
    let least = rule(Method::LeastConnections, Key::None);
    let other = rig_of(Snapshot::new([pool(&[(deaf.address, 1)], least)]), web(), limits, 2);
    for _ in 0..5 {
        let mut client = other.client();
        client.say(GET);
        held.recv().expect("the server has got it");
    }
    for rig in [&rig, &other] {
        rig.settles_at(0);
        assert_eq!(rig.pools.load().pool(0).servers()[0].load.in_flight(), 0);
    }
}

#[test]
fn the_same_key_gets_the_same_server_on_every_connection_and_core() {
    let sites = [site("a"), site("b"), site("c"), site("d")];
    let all: Vec<_> = sites.iter().map(|site| (site, 1)).collect();
    let get = |path: &str, fields: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let header = |number: usize| get("/", &format!("x-user: user{number}\r\n"));
    let cookie = |number: usize| get("/", &format!("Cookie: other=1; sid=s{number}\r\n"));
    let path = |number: usize| get(&format!("/item/{number}?q=x"), "");
    let cases: [(Key, &dyn Fn(usize) -> String); 3] =
        [(Key::Header("X-User".into()), &header), (Key::Cookie("sid".into()), &cookie), (Key::Path, &path)];
    for (key, request) in cases {
        let rig = balanced(&all, rule(Method::Hash, key.clone()));
        let ask = |number| who(&mut rig.client(), &request(number));
        let first: Vec<_> = (0..40).map(ask).collect();
        let again: Vec<_> = (0..40).map(ask).collect();
        assert_eq!(first, again, "{key:?}");
        for name in ["a", "b", "c", "d"] {
            assert!(first.iter().any(|who| who == name), "{key:?}: {name} got nothing");
        }
    }
    let rig = balanced(&all, rule(Method::Hash, Key::Path));
    let queries = ["/x", "/x?a", "/x?b=/y"].map(|path| who(&mut rig.client(), &get(path, "")));
    assert!(queries.iter().all(|who| *who == queries[0]), "the query is no part of the path: {queries:?}");
}

#[test]
fn a_client_address_gets_the_same_server_and_without_the_key_it_is_round_robin() {
    let sites = [site("a"), site("b"), site("c")];
    let all: Vec<_> = sites.iter().map(|site| (site, 1)).collect();
    let rig = balanced(&all, rule(Method::Hash, Key::Source));
    assert_eq!(counts(&rig, 5, 3).len(), 1);
    let rig = balanced(&all, rule(Method::Hash, Key::Header("X-User".into())));
    assert_eq!(counts(&rig, 5, 3), ["a", "b", "c"].map(|name| (name.to_owned(), 5)).into());
}

#[test]
fn a_dead_server_costs_its_clients_a_retry_and_the_others_nothing() {
    let (down, up, other) = (nobody(), site("up"), site("other"));
    let servers = [(down.address, 1), (up.address, 1), (other.address, 1)];
    let rule = rule(Method::Hash, Key::Path);
    let rig = rig_of(Snapshot::new([pool(&servers, rule)]), web(), limits(), 2);
    let mut client = rig.client();
    let mut ask = |number| who(&mut client, &format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n"));
    let first: Vec<_> = (0..30).map(&mut ask).collect();
    assert!(first.iter().all(|who| who == "up" || who == "other"), "{first:?}");
    let errors = rig.server(0).errors;
    assert!((3..=20).contains(&errors), "{errors} of 30 tried the dead one first");
    assert_eq!(first, (0..30).map(&mut ask).collect::<Vec<_>>(), "a retry goes to the same server each time");
}
