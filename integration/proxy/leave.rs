//! A proxy that stops, and clients that have just come: none that got through is reset.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use crate::rig::*;

/// How many come before it stops, and that many again while it does.
const CLIENTS: usize = 200;

fn connected(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("someone listens");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a socket");
    client
}

/// Everything until the end of the connection, which is no reset.
fn rest(client: &mut TcpStream) -> String {
    let mut said = String::new();
    client.read_to_string(&mut said).expect("an orderly end");
    said
}

#[test]
fn who_has_connected_before_is_served() {
    let app = site("a");
    for defer in [true, false] {
        let rig = rig_behind(defer, &[(app.address, 1)], limits());
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| connected(rig.address)).collect();
        rig.proxy.drain();
        let (silent, speaking) = clients.split_at_mut(CLIENTS / 4);
        // All at once: who says nothing for a second is sent away.
        for client in speaking.iter_mut() {
            client.write_all(GET.as_bytes()).expect("it is not reset");
        }
        for client in speaking {
            let said = rest(client);
            assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
            assert_eq!(field(&said, "connection"), Some("close"), "{said}");
        }
        for client in silent {
            assert_eq!(rest(client), "", "who says nothing is sent away in an orderly way");
        }
    }
}

#[test]
fn who_connects_meanwhile_is_served_or_not_connected_at_all() {
    let app = site("a");
    for defer in [true, false] {
        let rig = rig_behind(defer, &[(app.address, 1)], limits());
        let address = rig.address;
        let comers: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || {
                    // Until nobody listens any more. Who is neither let in nor refused tries again by itself.
                    let mut served = 0;
                    while let Ok(mut client) = TcpStream::connect(address) {
                        client.write_all(LAST.as_bytes()).expect("it is not reset");
                        assert!(rest(&mut client).starts_with("HTTP/1.1 200 "));
                        served += 1;
                        thread::yield_now();
                    }
                    served
                })
            })
            .collect();
        let served = || rig.frontend().requests;
        while served() < u64::try_from(CLIENTS).expect("a small number") {
            thread::yield_now();
        }
        rig.proxy.drain();
        let served: usize = comers.into_iter().map(|comer| comer.join().expect("nobody is reset")).sum();
        assert!(served >= CLIENTS, "{served}");
    }
}

/// A socket that is closed with bytes unread resets the connection, and with it what the client has not read yet.
#[test]
fn requests_that_nobody_reads_any_more_do_not_cost_the_last_response() {
    let ((tell, told), (go, wait)) = (mpsc::channel(), mpsc::channel::<()>());
    let wait = Mutex::new(wait);
    let app = origin(move |mut wire, _| {
        while wire.head().is_some() {
            tell.send(()).expect("the test waits");
            wait.lock().expect("one at a time").recv().expect("the test says when");
            wire.say(&ok("fine"));
        }
    });
    let rig = rig_behind(false, &[(app.address, 1)], limits());
    let mut client = connected(rig.address);
    client.write_all(GET.as_bytes()).expect("it is open");
    told.recv().expect("the server has it");
    client.write_all(GET.repeat(3).as_bytes()).expect("it is open");
    rig.proxy.drain();
    go.send(()).expect("the server waits");
    let said = rest(&mut client);
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("fine"), "{said}");
    assert_eq!(field(&said, "connection"), Some("close"), "{said}");
    // It is not waited for longer than a moment, and reset no more then.
    rig.settles_at(0);
    assert!(client.take_error().expect("it is a socket").is_none(), "it is not reset");
}
