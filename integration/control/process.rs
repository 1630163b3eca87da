//! A `vipd proxy` process, the agent that it reports to, and the loopback address and directory they meet in.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use vipd::link::{Reply, Report, Request, frame};
use vipd::net::clock;

use crate::app::own_address;

/// What a test has to itself: an address and a directory, both gone with it.
pub(crate) struct World {
    address: Ipv4Addr,
    dir: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        static WORLDS: AtomicU8 = AtomicU8::new(0);
        let nth = WORLDS.fetch_add(1, Ordering::SeqCst);
        let dir = std::env::temp_dir().join(format!("vipd-test-{}-{nth}", std::process::id()));
        fs::create_dir_all(&dir).expect("a temporary directory can be made");
        // The proxy may run as another user.
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).expect("it is ours");
        Self { address: own_address(nth), dir }
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the proxy listens: on a port that needs a right, when we have it to give.
    pub(crate) fn front(&self) -> SocketAddr {
        let port = if geteuid().is_root() { 80 } else { 8080 };
        (self.address, port).into()
    }

    /// One request to the proxy.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        crate::http::get(self.front(), path)
    }

    /// An agent that listens where the proxy looks for it.
    pub(crate) fn agent(&self) -> Agent {
        let path = self.dir.join("agent.sock");
        let listener = UnixListener::bind(&path).expect("the directory is ours");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("it is ours");
        let (sender, said) = channel();
        let latest = Arc::<Mutex<Option<UnixStream>>>::default();
        let proxy = Arc::clone(&latest);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("it listens");
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = stream.try_clone().ok();
                if listen(stream, &sender).is_none() {
                    return;
                }
            }
        });
        Agent { said, proxy }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What an agent hears.
pub(crate) enum Said {
    Report(Report),
    Closed,
}

/// An agent that listens, and says what it is told to.
pub(crate) struct Agent {
    said: Receiver<Said>,
    /// The connection that came last.
    proxy: Arc<Mutex<Option<UnixStream>>>,
}

impl Agent {
    /// Says something to the proxy.
    fn say(&self, reply: &Reply) {
        let mut proxy = self.proxy.lock().unwrap_or_else(PoisonError::into_inner);
        let proxy = proxy.as_mut().expect("the proxy has connected");
        proxy.write_all(&frame::encode(reply)).expect("it listens");
    }

    /// What it hears next.
    pub(crate) fn next(&self) -> Said {
        self.said.recv_timeout(PATIENCE).expect("the proxy speaks in time")
    }
}

/// Longer than anything takes on a busy machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Passes on what one connection says; `None` when nobody wants to hear it any more.
fn listen(stream: UnixStream, said: &Sender<Said>) -> Option<()> {
    for line in BufReader::new(stream).split(b'\n') {
        let Ok(line) = line else { break };
        let Request::Report(report) = frame::decode(&line).expect("a message of ours") else {
            panic!("the proxy only reports, but said {}", String::from_utf8_lossy(&line));
        };
        said.send(Said::Report(report)).ok()?;
    }
    said.send(Said::Closed).ok()
}

/// A running `vipd proxy`; killed when dropped.
pub(crate) struct Vipd {
    child: Child,
    agent: Option<Agent>,
}

impl Vipd {
    /// The command line that the agent uses; the config comes on standard input.
    pub(crate) fn command(world: &World) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
        command.args(["proxy", "--config", "-", "--node", "lb1", "--runtime-dir"]).arg(world.dir());
        command
    }

    /// A proxy with an agent that was there before it.
    pub(crate) fn start(world: &World, config: &str) -> Self {
        let agent = world.agent();
        let mut vipd = Self::start_alone(world, config);
        vipd.agent = Some(agent);
        vipd
    }

    /// A proxy that is started with frontends in maintenance.
    pub(crate) fn start_closed(world: &World, config: &str, frontends: &[&str]) -> Self {
        let agent = world.agent();
        let mut command = Self::command(world);
        command.args(frontends.iter().flat_map(|name| ["--maintenance", name]));
        let mut vipd = Self::run(command, config);
        vipd.agent = Some(agent);
        vipd
    }

    /// A proxy without an agent.
    pub(crate) fn start_alone(world: &World, config: &str) -> Self {
        Self::run(Self::command(world), config)
    }

    fn run(mut command: Command, config: &str) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary was built");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(config.as_bytes()).expect("it reads its config");
        Self { child, agent: None }
    }

    /// The agent says that these frontends are in maintenance, and no others.
    pub(crate) fn close(&self, frontends: &[&str]) {
        let frontends = frontends.iter().map(ToString::to_string).collect();
        self.agent.as_ref().expect("it has an agent").say(&Reply::Close { frontends });
    }

    /// An agent comes.
    pub(crate) fn meet(&mut self, agent: Agent) {
        self.agent = Some(agent);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the agent hears next.
    pub(crate) fn next_report(&self) -> Report {
        match self.agent.as_ref().expect("it has an agent").next() {
            Said::Report(report) => report,
            Said::Closed => panic!("the proxy closed its connection to the agent"),
        }
    }

    /// The first report from now on that is as wanted.
    pub(crate) fn report_with(&self, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
        let mut heard = Vec::new();
        let begun = clock::now();
        while clock::now().since(begun).as_duration() < PATIENCE {
            let report = self.next_report();
            if wanted(&report) {
                return report;
            }
            heard.push(report);
        }
        panic!("no report with {what}, but {heard:#?}")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, signal).expect("it runs");
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("it was started").code()
    }
}

impl Drop for Vipd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
