//! A load-balancer node: the real `vipd run` on a host, and its `agent.sock`.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::Instant;

use super::process::send;
use super::{Error, Journal, Lab, Process};
use crate::event::Stamped;
use crate::link::{Reply, Request, RouterStatus, Status, frame};
use crate::vrrp::Role;

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The `vipd` binary.
    pub binary: PathBuf,
    /// The config file, the same for every node.
    pub config: PathBuf,
}

/// A running node, named after its host. Dropping it kills the agent.
#[derive(Debug)]
pub struct Node {
    name: String,
    process: Process,
    runtime_dir: PathBuf,
    events: Journal<Stamped>,
}

/// How long a node may take from its start to READY=1.
const START: Duration = Duration::from_secs(20);
/// How long the agent may take to answer a request.
const ANSWER: Duration = Duration::from_secs(5);
/// Counters change without an event: how often [`Node::wait_for`] looks again when nothing happens.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Node {
    /// Starts `vipd run` as the node `name` on the host of the same name, and waits until it is ready (READY=1).
    ///
    /// # Errors
    /// When it cannot be started, ends instead, or does not get ready; with the end of its log.
    pub fn start(lab: &Lab, name: &str, setup: &Setup) -> Result<Self, Error> {
        Self::start_with(lab, name, setup, |_| {})
    }

    /// The same, and shows each event to `tap` as well, on a thread of the node's own.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(
        lab: &Lab,
        name: &str,
        setup: &Setup,
        tap: impl Fn(&Stamped) + Send + 'static,
    ) -> Result<Self, Error> {
        let dir = lab.dir().join(name);
        let runtime_dir = dir.join("run");
        let failed = |what: &str| format!("{what} for node {name}");
        std::fs::create_dir_all(&runtime_dir).map_err(Error::at(failed("making the runtime directory")))?;
        let ready =
            ReadySocket::bind(&dir.join("notify.sock")).map_err(Error::at(failed("listening for READY")))?;
        let mut command = Command::new(&setup.binary);
        command.arg("run").arg("--config").arg(&setup.config).args(["--node", name]);
        command.arg("--runtime-dir").arg(&runtime_dir).env("NOTIFY_SOCKET", &ready.path);
        command.env("STATE_DIRECTORY", dir.join("state"));
        let process = Process::start(lab.host(name), &mut command, &dir.join("vipd.log"))?;
        let node = Self { name: name.to_owned(), process, runtime_dir, events: Journal::new() };
        if let Err(why) = ready.wait(&node.process) {
            return Err(Error::new(format!("{why}\n{}", node.explain())));
        }
        node.follow(tap)?;
        Ok(node)
    }

    /// Its name in the config and in the lab.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The agent's process.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The agent's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The directory with its `agent.sock`, as `--runtime-dir` takes it.
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// Everything that happened on this node since it was ready.
    pub const fn events(&self) -> &Journal<Stamped> {
        &self.events
    }

    /// How it stands.
    ///
    /// # Errors
    /// When the agent does not answer.
    pub fn status(&self) -> Result<Status, Error> {
        match self.ask(&Request::Status)? {
            Reply::Status(status) => Ok(*status),
            other @ (Reply::Event(_)
            | Reply::Dump { .. }
            | Reply::Done { .. }
            | Reply::Maintenance(_)
            | Reply::Close { .. }
            | Reply::Refused { .. }
            | Reply::Forbidden { .. }) => {
                Err(Error::new(format!("{} answered Status with {other:?}", self.name)))
            }
        }
    }

    /// Lets the other node take over (or, with `undo`, competes again); what was done, in the agent's words.
    ///
    /// # Errors
    /// When the agent does not answer or refuses; its reason is in the words.
    pub fn handover(&self, undo: bool) -> Result<String, Error> {
        match self.ask(&Request::Handover { router: None, undo })? {
            Reply::Done { message } => Ok(message),
            Reply::Refused { why } | Reply::Forbidden { why } => {
                Err(Error::new(format!("{} refused the handover: {why}", self.name)))
            }
            other @ (Reply::Event(_)
            | Reply::Dump { .. }
            | Reply::Status(_)
            | Reply::Maintenance(_)
            | Reply::Close { .. }) => {
                Err(Error::new(format!("{} answered Handover with {other:?}", self.name)))
            }
        }
    }

    /// Its status once that is as `wanted`, looked at after each event.
    ///
    /// # Errors
    /// When it was not so `within` this time; with `what` was waited for, the last status and the end of the log.
    pub fn wait_for(
        &self,
        what: &str,
        within: Duration,
        mut wanted: impl FnMut(&Status) -> bool,
    ) -> Result<Status, Error> {
        let deadline = Instant::now() + within;
        let mut mark = self.events.mark();
        loop {
            let status = self.status()?;
            if wanted(&status) {
                return Ok(status);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let name = &self.name;
                let status = serde_json::to_string(&status).unwrap_or_default();
                let log = self.explain();
                return Err(Error::new(format!("{name}: no {what} within {within:?}\n{status}\n{log}")));
            }
            self.events.wait(mark, left.min(LOOK_AGAIN), |new| (!new.is_empty()).then_some(()));
            mark = self.events.mark();
        }
    }

    /// Its status once every router has `role` on it.
    ///
    /// # Errors
    /// As [`Node::wait_for`].
    pub fn wait_for_role(&self, role: Role, within: Duration) -> Result<Status, Error> {
        let has_role = |router: &RouterStatus| router.role == role;
        self.wait_for(&format!("role {role}"), within, |status| status.routers.iter().all(has_role))
    }

    /// The process id of its proxy while that runs.
    ///
    /// # Errors
    /// When the agent does not answer.
    pub fn proxy_pid(&self) -> Result<Option<u32>, Error> {
        Ok(self.status()?.proxy.and_then(|proxy| proxy.pid))
    }

    /// Kills its proxy (SIGKILL); the agent is to notice by itself.
    ///
    /// # Errors
    /// When there is no proxy, or the kernel refuses.
    pub fn kill_proxy(&self) -> Result<(), Error> {
        let none = || Error::new(format!("{} has no proxy to kill", self.name));
        let pid = self.proxy_pid()?.ok_or_else(none)?;
        send(pid, Signal::SIGKILL).map_err(Error::at(format_args!("killing the proxy of {}", self.name)))
    }

    /// Sends `signal` to the agent.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.process.signal(signal)
    }

    /// Kills the agent (SIGKILL); its proxy is to notice by itself.
    ///
    /// # Errors
    /// When its end cannot be awaited.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.process.kill()
    }

    /// The end of its log, for the words of a failure.
    pub fn explain(&self) -> String {
        format!("the end of {}'s log:\n{}", self.name, self.process.log_tail(40))
    }

    /// One request, one answer.
    fn ask(&self, request: &Request) -> Result<Reply, Error> {
        let failed = || format!("asking the agent of {}", self.name);
        let mut lines = self.connect(request, Some(ANSWER)).map_err(Error::at(failed()))?;
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(Error::at(failed()))?;
        frame::decode(&line).map_err(Error::at(failed()))
    }

    fn connect(&self, request: &Request, timeout: Option<Duration>) -> io::Result<BufReader<UnixStream>> {
        let mut socket = UnixStream::connect(self.runtime_dir.join("agent.sock"))?;
        socket.set_read_timeout(timeout)?;
        socket.write_all(&frame::encode(request))?;
        Ok(BufReader::new(socket))
    }

    /// Copies the agent's events to the journal until the agent ends.
    fn follow(&self, tap: impl Fn(&Stamped) + Send + 'static) -> Result<(), Error> {
        let failed = || format!("watching the agent of {}", self.name);
        let lines = self.connect(&Request::Watch, None).map_err(Error::at(failed()))?;
        let events = self.events.clone();
        let follow = move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                if let Ok(Reply::Event(event)) = frame::decode(&line) {
                    tap(&event);
                    events.push(event);
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("{} events", self.name)).spawn(follow);
        thread.map(drop).map_err(Error::at(failed()))
    }
}

/// Where the agent says READY=1, as it does to systemd (sd_notify(3)).
struct ReadySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl ReadySocket {
    fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Ok(Self { socket: UnixDatagram::bind(path)?, path: path.to_owned() })
    }

    /// Returns when `process` has said that it is ready; otherwise says why it has not.
    fn wait(&self, process: &Process) -> Result<(), String> {
        let deadline = Instant::now() + START;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let mut ready =
                [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(process.pidfd(), PollFlags::IN)];
            match poll(&mut ready, Some(&left)) {
                Ok(0) => return Err(format!("{} was not ready within {START:?}", process.name())),
                Ok(_) if !ready[0].revents().is_empty() => {
                    let mut message = [0; 4096];
                    let length = self.socket.recv(&mut message).map_err(|error| error.to_string())?;
                    if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                        return Ok(());
                    }
                }
                Ok(_) => return Err(format!("{} ended instead of getting ready", process.name())),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
