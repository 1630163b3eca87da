//! How clients come in: before they have said anything or after, and how they leave at once.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::rig::*;

/// Both ways to accept.
fn rigs(app: &Origin) -> [Rig; 2] {
    [false, true].map(|defer| rig_behind(defer, &[(app.address, 1)], limits()))
}

#[test]
fn many_requests_in_the_first_segment() {
    let app = site("a");
    for rig in rigs(&app) {
        let mut client = rig.client();
        let request = |at| format!("POST /{at} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{at:02}");
        client.say(&(0..40).map(request).collect::<String>());
        for at in 0..40 {
            let (_, body) = client.message();
            assert!(body.starts_with(&format!("a\nPOST /{at} ")), "{body}");
        }
        // And once more after a wait, on what is watched by now.
        client.say(LAST);
        assert!(client.rest().starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_head_in_pieces_of_one_byte() {
    let app = site("a");
    for rig in rigs(&app) {
        let mut client = rig.client();
        for byte in LAST.bytes() {
            client.send(&[byte]);
            thread::yield_now();
        }
        assert!(client.rest().starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn clients_that_close_at_once_leave_nothing_behind() {
    let app = site("a");
    for rig in rigs(&app) {
        for at in 0..60 {
            let mut client = rig.client();
            match at % 3 {
                0 => {}
                1 => client.say("GET / HT"),
                _ => client.say(LAST),
            }
        }
        assert!(rig.ask(LAST).starts_with("HTTP/1.1 200 "));
        rig.settles_at(0);
    }
}

#[test]
fn a_response_that_does_not_fit_into_the_kernel_waits_for_its_client() {
    const SIZE: usize = 30 << 20;
    let app = origin(|mut wire, _| {
        wire.head();
        wire.say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        wire.send(&vec![b'x'; SIZE]);
    });
    for rig in rigs(&app) {
        let mut client = rig.client();
        client.say(LAST);
        rig.settles_at(1);
        client.head().expect("a response");
        assert_eq!(client.bytes(SIZE).len(), SIZE);
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn a_silent_client_is_let_in_late_and_bounded_like_any_other() {
    let app = site("a");
    let brief = vipd::config::Limits { idle_timeout: SOON, ..limits() };
    let rig = rig_with(&[app.address], brief, 1);
    // The kernel lets it in after a second; a machine that is busy for so long gets another chance.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let silent = TcpStream::connect(rig.address).expect("someone listens");
        // Whoever connects later and says something is served first.
        let mut client = rig.client();
        client.say(GET);
        client.message();
        let inside = rig.proxy.stats().connections;
        assert_eq!(Wire::new(silent).rest(), "", "the limit on idle connections strikes");
        if inside == 1 {
            break;
        }
        assert!(Instant::now() < end, "silent clients are let in at once");
        client.rest();
        rig.settles_at(0);
    }
}
