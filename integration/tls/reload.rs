//! Certificates that are replaced while clients come and go.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustls::ClientConfig;

use crate::front;
use crate::origin;
use crate::paper::{Authority, place};
use crate::process::World;
use crate::rig::{LAST, Proxy, ask, believing, config, connect, pair, s_client, site};

/// Handshakes without end, each in full, each with a request.
fn stream_of_handshakes(
    address: std::net::SocketAddr,
    authority: PathBuf,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut lost = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            // A config of its own remembers no session.
            let config: Arc<ClientConfig> = believing(&authority);
            match ask(address, &config, LAST) {
                Ok(answer) if answer.contains("200 OK") => {}
                other => lost.push(format!("{other:?}")),
            }
            done.fetch_add(1, Ordering::SeqCst);
        }
        lost
    })
}

#[test]
fn a_new_pair_is_taken_without_a_lost_handshake_and_a_bad_one_is_not() {
    let world = World::new();
    let authority = Authority::new("root");
    let root = authority.file(world.dir(), "root.pem");
    let files = authority.sign(&["a.example.com", "first"]).put(world.dir(), "a");
    let front = front(&world, 0);
    let proxy = Proxy::start(&world, &config(&site("web", front, &pair(&files, ""), origin::plain(), "")));
    let (stop, done) = (Arc::default(), Arc::default());
    let clients: Vec<_> = (0..2)
        .map(|_| stream_of_handshakes(front, root.clone(), Arc::clone(&stop), Arc::clone(&done)))
        .collect();
    // One that was there before and stays.
    let before = connect(front, &believing(&root), "a.example.com");

    authority.sign(&["a.example.com", "second"]).put(world.dir(), "a");
    renewed(&proxy);
    let shown = s_client(front, &["-servername", "a.example.com"]);
    let serial =
        |said: &str| said.lines().skip_while(|line| !line.contains("BEGIN CERT")).nth(4).map(str::to_owned);
    let second = serial(&shown);

    // The key of another one: what was there goes on.
    authority.sign(&["a.example.com"]).put(world.dir(), "other");
    std::fs::copy(world.dir().join("other.key"), &files.1).expect("the directory is ours");
    let said = proxy.says("new files of its TLS are not used, the old ones are");
    assert!(said.contains("a.key: its key does not belong to the certificate of"), "{said}");
    assert_eq!(serial(&s_client(front, &["-servername", "a.example.com"])), second);

    authority.sign(&["a.example.com", "third"]).put(world.dir(), "a");
    renewed(&proxy);
    assert_ne!(serial(&s_client(front, &["-servername", "a.example.com"])), second);

    stop.store(true, Ordering::SeqCst);
    let lost: Vec<_> = clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
    let done = done.load(Ordering::SeqCst);
    assert!(lost.is_empty(), "{} of {done} handshakes were lost: {lost:?}", lost.len());
    assert!(done > 20, "only {done} handshakes while the files changed three times");
    drop(before);
}

/// Waits until the proxy has taken what was put in place.
fn renewed(proxy: &Proxy) {
    proxy.says("the files of its TLS have changed and are in use");
}

#[test]
fn ticket_keys_are_turned_while_sessions_go_on() {
    let world = World::new();
    let authority = Authority::new("root");
    let files = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let front = front(&world, 0);
    let [first, second] = ["11", "22"].map(|byte| byte.repeat(48));
    let keys = place(&world.dir().join("tickets"), &first);
    let text = site("web", front, &pair(&files, ""), origin::plain(), "");
    let proxy = Proxy::start(&world, &config(&format!("{text}[tls]\nticket_keys = {keys:?}")));
    let session = |name: &str| world.dir().join(name).display().to_string();
    let begin = |file: &str| assert!(s_client(front, &["-sess_out", file]).contains("New, TLSv1.3"));
    let resumes = |file: &str| {
        let said = s_client(front, &["-sess_in", file]);
        assert!(said.contains("200 OK"), "{said}");
        said.contains("Reused, TLSv1.3")
    };
    let (old, new) = (session("old"), session("new"));
    begin(&old);

    place(&keys, &format!("{second}\n{first}"));
    renewed(&proxy);
    begin(&new);
    assert!(resumes(&old) && resumes(&new));

    place(&keys, "no key");
    let said = proxy.says("new files of its TLS are not used, the old ones are");
    assert!(said.contains("tickets: line 1 is no key"), "{said}");
    assert!(resumes(&old) && resumes(&new));

    place(&keys, &second);
    renewed(&proxy);
    assert!(!resumes(&old), "nobody has its key any more");
    assert!(resumes(&new));
}

#[test]
fn who_is_no_longer_vouched_for_resumes_nothing() {
    let world = World::new();
    let (authority, before, after) =
        (Authority::new("root"), Authority::new("before"), Authority::new("after"));
    let files = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let ca = before.file(world.dir(), "clients.pem");
    let (joe, eve) =
        (before.sign(&["joe"]).put(world.dir(), "joe"), after.sign(&["eve"]).put(world.dir(), "eve"));
    let front = front(&world, 0);
    let asking = format!(", client_ca = {ca:?}");
    let text = site("web", front, &pair(&files, &asking), origin::plain(), "");
    let proxy = Proxy::start(&world, &config(&text));
    let session = world.dir().join("session").display().to_string();
    let asks = |(certificate, key): &(PathBuf, PathBuf), more: &[&str]| {
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        s_client(front, &[&["-cert", &certificate, "-key", &key], more].concat())
    };
    let serves = |said: &str| said.contains("200 OK");
    assert!(serves(&asks(&joe, &["-sess_out", &session])) && !serves(&asks(&eve, &[])));
    assert!(asks(&joe, &["-sess_in", &session]).contains("Reused, TLSv1.3"));

    after.file(world.dir(), "clients.pem");
    renewed(&proxy);
    assert!(serves(&asks(&eve, &[])) && !serves(&asks(&joe, &[])));
    assert!(!serves(&asks(&joe, &["-sess_in", &session])), "its session was begun under other terms");
}
