//! Which server gets a request, and who gets it next when that one fails.

use std::collections::BTreeMap;
use std::sync::mpsc;

use crate::rig::*;

const POST: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";

#[test]
fn servers_take_strict_turns_over_all_cores() {
    let sites = [site("a"), site("b"), site("c")];
    let rig = rig_with(&sites.each_ref().map(|site| site.address), limits(), 4);
    let mut counts = BTreeMap::new();
    for _ in 0..30 {
        let mut client = rig.client();
        for _ in 0..10 {
            client.say(GET);
            *counts.entry(client.message().1[..1].to_owned()).or_insert(0) += 1;
        }
    }
    assert_eq!(
        counts,
        [("a", 100), ("b", 100), ("c", 100)].map(|(name, count)| (name.to_owned(), count)).into()
    );
}

#[test]
fn weights_are_smooth() {
    let sites = [(site("a").address, 5), (site("b").address, 1), (site("c").address, 1)];
    let rig = rig_weighted(&sites, limits(), 2);
    let mut client = rig.client();
    let mut order = String::new();
    for _ in 0..14 {
        client.say(GET);
        order += &client.message().1[..1];
    }
    assert_eq!(order, "aabacaaaabacaa");
}

#[test]
fn a_new_snapshot_counts_from_the_next_request() {
    let (a, b) = (site("a"), site("b"));
    let rig = rig_with(&[a.address], limits(), 1);
    let mut client = rig.client();
    // The same identity with another address: the idle connection to the old one is not used for it.
    for (site, name) in [(&a, "a\n"), (&b, "b\n"), (&a, "a\n")] {
        rig.pools.store(snapshot(&[(site.address, 1)]).into());
        client.say(GET);
        assert!(client.message().1.starts_with(name));
    }
    rig.pools.store(snapshot(&[]).into());
    client.say(GET);
    let (head, body) = client.message();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("no healthy server"), "{head}{body}");
    assert_eq!(field(&head, "connection"), Some("keep-alive"));
}

#[test]
fn a_refused_connection_goes_to_the_next_server() {
    let (down, up) = (nobody(), site("b"));
    let rig = rig(&[down.address, up.address]);
    let mut client = rig.client();
    for _ in 0..10 {
        client.say(POST);
        assert!(client.message().1.starts_with("b\n"));
    }
    assert!(rig.server(0).errors >= 4);
    assert_eq!((rig.server(1).requests, rig.frontend().errors), (10, 0));
}

#[test]
fn when_nobody_accepts_it_is_502() {
    let (one, two) = (nobody(), nobody());
    let rig = rig(&[one.address, two.address]);
    let mut client = rig.client();
    for _ in 0..2 {
        client.say(GET);
        let (head, body) = client.message();
        assert!(
            head.starts_with("HTTP/1.1 502 ") && body.contains("app") && body.contains("refused"),
            "{head}{body}"
        );
    }
    assert_eq!([rig.server(0).errors, rig.server(1).errors], [2, 2]);
}

/// A server whose first connection answers one request and closes when it has read the second.
fn stale() -> Origin {
    origin(|mut wire, at| {
        let mut served = 0;
        while let Some(head) = wire.head() {
            wire.body(&head);
            if at == 0 && served == 1 {
                return;
            }
            wire.say(&ok("fine"));
            served += 1;
        }
    })
}

#[test]
fn a_stale_connection_is_replaced_for_what_may_be_sent_twice() {
    let app = stale();
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for _ in 0..3 {
        client.say("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.message().1, "fine");
    }
    assert_eq!(app.connections(), 2);
    assert_eq!((rig.server(0).errors, rig.frontend().errors), (0, 0));
}

#[test]
fn what_must_not_be_sent_twice_is_not() {
    let app = stale();
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    client.say(POST);
    assert_eq!(client.message().1, "fine");
    client.say(POST);
    let (head, body) = client.message();
    assert!(head.starts_with("HTTP/1.1 502 ") && body.contains("app1 closed"), "{head}{body}");
    assert_eq!((app.connections(), rig.server(0).errors), (1, 1));
}

#[test]
fn a_connection_that_the_server_has_closed_is_not_used() {
    let (tell, closed) = mpsc::channel();
    let app = origin(move |mut wire, _| {
        let head = wire.head().expect("a request");
        wire.body(&head);
        wire.say(&ok("fine"));
        drop(wire);
        tell.send(()).expect("the test waits");
    });
    let rig = rig(&[app.address]);
    let mut client = rig.client();
    for at in 1..=3 {
        client.say(POST);
        assert_eq!(client.message().1, "fine");
        closed.recv().expect("the server says so");
        assert_eq!(app.connections(), at);
    }
    assert_eq!(rig.server(0).errors, 0);
}

#[test]
fn a_server_that_hangs_up_is_passed_over_for_what_may_be_sent_twice() {
    let (rude, up) = (origin(|mut wire, _| drop(wire.head())), site("b"));
    let rig = rig(&[rude.address, up.address]);
    let mut client = rig.client();
    for _ in 0..4 {
        client.say(GET);
        assert!(client.message().1.starts_with("b\n"));
    }
    assert!(rig.server(0).errors >= 1);
    let rig = rig_with(&[rude.address], limits(), 1);
    let answer = rig.ask(LAST);
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("app1 closed"), "{answer}");
    assert_eq!((rig.server(0).requests, rig.server(0).errors), (0, 1));
}

#[test]
fn a_body_that_was_streamed_is_not_sent_twice() {
    let rude = origin(|mut wire, _| {
        wire.head();
        wire.bytes(100_000);
    });
    let up = site("b");
    let rig = rig_with(&[rude.address, up.address], limits(), 1);
    let body = "x".repeat(100_000);
    let answer = rig.ask(&format!(
        "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n{body}"
    ));
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(up.connections(), 0);
}
