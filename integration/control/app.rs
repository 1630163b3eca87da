//! An application server that answers with its name, can be killed and come back, and can hold an answer back.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use crate::process::World;

/// The server: each connection carries one request. `/hold` is answered when it is released.
pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    gate: Arc<Gate>,
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

#[derive(Default)]
struct Gate {
    state: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    holding: usize,
    released: bool,
}

impl App {
    /// A server on a free port of the world's own address.
    pub(crate) fn start(world: &World, name: &'static str) -> Self {
        let listener = TcpListener::bind((world.address(), 0)).expect("the address is ours");
        let address = listener.local_addr().expect("it is bound");
        let mut app = Self { name, address, gate: Arc::default(), running: None };
        app.serve(listener);
        app
    }

    /// From now on connections are refused.
    pub(crate) fn kill(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.store(true, Ordering::SeqCst);
            // Wakes the thread, which waits for a connection.
            let _ = TcpStream::connect(self.address);
            thread.join().expect("the server does not panic");
        }
    }

    /// Listens again, where it was.
    pub(crate) fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).expect("nobody else has this address");
        self.serve(listener);
    }

    /// Waits until a request for `/hold` is held.
    pub(crate) fn wait_until_holding(&self) {
        let held = self.gate.state.lock().expect("no panic");
        drop(self.gate.changed.wait_while(held, |held| held.holding == 0).expect("no panic"));
    }

    /// Lets every held request be answered.
    pub(crate) fn release(&self) {
        self.gate.state.lock().expect("no panic").released = true;
        self.gate.changed.notify_all();
    }

    fn serve(&mut self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, gate, name) = (Arc::clone(&stop), Arc::clone(&self.gate), self.name);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, gate) = (stream.expect("it listens"), Arc::clone(&gate));
                thread::spawn(move || answer(stream, name, &gate));
            }
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.release();
        self.kill();
    }
}

/// The address of a test: nothing else on this machine uses it.
pub(crate) fn own_address(nth: u8) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + nth, high, low)
}

fn answer(stream: TcpStream, name: &str, gate: &Gate) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    if request.starts_with("GET /hold ") {
        let mut held = gate.state.lock().expect("no panic");
        held.holding += 1;
        gate.changed.notify_all();
        drop(gate.changed.wait_while(held, |held| !held.released).expect("no panic"));
    }
    let length = name.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}");
    (&stream).write_all(answer.as_bytes()).ok()
}
