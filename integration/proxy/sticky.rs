//! Clients that stay with their server, and backups, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use vipd::pool::{Method, Rotation, Rule, Server, ServerId, Snapshot, Token, Turn};

use crate::rig::*;

/// A pool whose clients stay by the cookie VIPD; servers are called by their place, with their backup mark.
fn sticky(servers: &[(SocketAddr, bool)]) -> Snapshot {
    let server = |(at, (address, backup)): (usize, &(SocketAddr, bool))| {
        let name = format!("app{at}");
        let token = Token::of("app", &name);
        Server { backup: *backup, token, ..Server::new(ServerId(at), name, *address, 1) }
    };
    let servers = servers.iter().enumerate().map(server).collect();
    let rule = Rule { method: Method::RoundRobin, sticky: Some("VIPD".into()), ..Rule::default() };
    Snapshot::new([Rotation::new(servers, rule, Arc::new(Turn::new()))])
}

/// Asks with these cookies: the head of the answer, and its body, which is the server's name and what it was sent.
fn ask(rig: &Rig, cookies: &str) -> (String, String) {
    let mut client = rig.client();
    client.say(&format!("GET / HTTP/1.1\r\nHost: h\r\n{cookies}\r\n"));
    client.message()
}

/// The cookie that a response sets, without its attributes.
fn told(head: &str) -> Option<&str> {
    field(head, "set-cookie").and_then(|value| value.split(';').next())
}

#[test]
fn a_client_gets_a_cookie_once_and_stays_with_its_server() {
    let sites = [site("a"), site("b"), site("c")];
    let rig = rig_of(sticky(&sites.each_ref().map(|site| (site.address, false))), web(), limits(), 2);
    for expected in ["a", "b", "c"] {
        let (head, body) = ask(&rig, "");
        assert!(body.starts_with(expected), "{body}");
        let set = field(&head, "set-cookie").expect("it is told");
        assert!(set.ends_with("; Path=/; HttpOnly"), "{set}");
        assert_eq!(field(&head, "cache-control"), Some("private"));
        let cookie = told(&head).expect("it is told");
        assert!(!cookie.contains("app"), "{cookie} names no server");
        for _ in 0..4 {
            let (head, body) = ask(&rig, &format!("Cookie: x=1; {cookie}\r\n"));
            assert!(body.starts_with(expected), "{body}");
            assert_eq!(field(&head, "set-cookie"), None, "nothing is new");
            assert!(
                body.contains("Cookie: x=1\r\n") && !body.contains("VIPD"),
                "the server does not see it: {body}"
            );
        }
    }
}

#[test]
fn a_client_moves_on_when_its_server_is_gone_and_is_told_so() {
    let (a, b) = (site("a"), site("b"));
    let rig = rig_of(sticky(&[(a.address, false), (b.address, false)]), web(), limits(), 1);
    let (head, _) = ask(&rig, "");
    let first = told(&head).expect("a cookie").to_owned();
    let down = nobody();
    for snapshot in [
        // Not eligible any more, and not answering any more.
        sticky(&[(a.address, false), (b.address, false)][..1]),
        sticky(&[(down.address, false), (b.address, false)]),
    ] {
        let only_other = snapshot.pool(0).servers().len() == 1;
        rig.pools.store(snapshot.into());
        let cookie = if only_other { format!("VIPD={}", "0".repeat(16)) } else { first.clone() };
        let (head, body) = ask(&rig, &format!("Cookie: {cookie}\r\n"));
        assert!(body.starts_with(if only_other { "a" } else { "b" }), "{body}");
        let new = told(&head).expect("it is told");
        assert_ne!(new, cookie);
    }
    for nonsense in ["VIPD=", "VIPD=zzz", "VIPD=\"; VIPD=1", "VIPD"] {
        let (head, body) = ask(&rig, &format!("Cookie: {nonsense}\r\n"));
        assert!(head.starts_with("HTTP/1.1 200 ") && told(&head).is_some(), "{head}{body}");
    }
}

#[test]
fn an_interim_response_and_a_refusal_set_no_cookie() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let early = parrot(answer);
    let rig = rig_of(sticky(&[(early.address, false)]), web(), limits(), 1);
    let mut client = rig.client();
    client.say(GET);
    let (interim, last) = (client.head().expect("103"), client.head().expect("204"));
    assert_eq!((told(&interim), told(&last).is_some()), (None, true));
    rig.pools.store(sticky(&[]).into());
    client.say(GET);
    let (head, _) = client.message();
    assert!(head.starts_with("HTTP/1.1 503 ") && told(&head).is_none());
}

#[test]
fn a_backup_serves_only_when_the_others_do_not() {
    let (main, spare) = (site("main"), site("spare"));
    let rig = rig_of(sticky(&[(spare.address, true), (main.address, false)]), web(), limits(), 2);
    for _ in 0..6 {
        assert!(ask(&rig, "").1.starts_with("main"));
    }
    // The checks have not seen it yet.
    let down = nobody();
    rig.pools.store(sticky(&[(spare.address, true), (down.address, false)]).into());
    assert!(ask(&rig, "").1.starts_with("spare"));
    // Now they have.
    rig.pools.store(sticky(&[(spare.address, true)]).into());
    let (head, body) = ask(&rig, "");
    assert!(body.starts_with("spare"));
    // A session that the backup began is not torn when the others are back.
    rig.pools.store(sticky(&[(spare.address, true), (main.address, false)]).into());
    let cookie = told(&head).expect("a cookie");
    assert!(ask(&rig, &format!("Cookie: {cookie}\r\n")).1.starts_with("spare"));
    assert!(ask(&rig, "").1.starts_with("main"));
}
