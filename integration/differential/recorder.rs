//! The server behind all three: records every byte of each connection and answers one request on it.
//!
//! It says `Connection: close`, so that a proxy sends one request a connection and whatever else it sends was not
//! meant as one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::judge::{self, Reading};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nrecorded\n";
/// Longer than any proxy waits for a client.
const PATIENCE: Duration = Duration::from_secs(20);

/// A recording server.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    /// What each connection brought, in the order in which they were accepted.
    records: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let records: Arc<Mutex<Vec<_>>> = Arc::default();
        let all = Arc::clone(&records);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let records = Arc::clone(&all);
                let at = {
                    let mut records = records.lock().expect("nobody panics with it");
                    records.push(Vec::new());
                    records.len() - 1
                };
                thread::spawn(move || record(stream, &records, at));
            }
        });
        Self { address, records }
    }

    /// Everything so far.
    pub(crate) fn records(&self) -> Vec<Vec<u8>> {
        self.records.lock().expect("nobody panics with it").clone()
    }
}

fn record(mut stream: TcpStream, records: &Mutex<Vec<Vec<u8>>>, at: usize) {
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let mut bytes = [0; 4096];
    let mut answered = false;
    // The proxy gives up on what is incomplete, and closes after what was answered.
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        let whole = {
            let mut records = records.lock().expect("nobody panics with it");
            records[at].extend_from_slice(&bytes[..count]);
            judge::read(&records[at], Reading::STRICT).whole > 0
        };
        if whole && !answered {
            answered = true;
            let is_head = records.lock().expect("nobody panics with it")[at].starts_with(b"HEAD ");
            let answer = if is_head { ANSWER.trim_end_matches("recorded\n") } else { ANSWER };
            // A proxy that is gone is no news here.
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
}
