//! Certificates that are replaced while clients come and go.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustls::ClientConfig;

use crate::front;
use crate::origin;
use crate::paper::Authority;
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
    proxy.says("the files of its TLS have changed and are in use");
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
    proxy.says("the files of its TLS have changed and are in use");
    assert_ne!(serial(&s_client(front, &["-servername", "a.example.com"])), second);

    stop.store(true, Ordering::SeqCst);
    let lost: Vec<_> = clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
    let done = done.load(Ordering::SeqCst);
    assert!(lost.is_empty(), "{} of {done} handshakes were lost: {lost:?}", lost.len());
    assert!(done > 20, "only {done} handshakes while the files changed three times");
    drop(before);
}
