//! A `vipd proxy` without an agent, and what it says in its log.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::process::{Vipd, World};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running proxy and its log; killed when dropped.
pub(crate) struct Proxy {
    child: Child,
    log: Receiver<String>,
}

impl Proxy {
    /// One that listens.
    pub(crate) fn start(world: &World, config: &str) -> Self {
        let proxy = Self::spawn(world, config);
        proxy.says("the proxy listens");
        proxy
    }

    pub(crate) fn spawn(world: &World, config: &str) -> Self {
        Self::spawn_by(Vipd::command(world), config)
    }

    /// One that is started in another way.
    pub(crate) fn spawn_by(mut command: Command, config: &str) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary was built");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(config.as_bytes()).expect("it reads its config");
        let (say, log) = channel();
        let stderr = child.stderr.take().expect("it is piped");
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                // Nobody listens any more: the pipe is read on all the same.
                let _ = say.send(line);
            }
        });
        Self { child, log }
    }

    /// Waits until it logs `text`; the line.
    pub(crate) fn says(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it never says: {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("it was started").code()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
