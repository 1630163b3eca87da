//! The agent process: wiring, `agent.sock`, and the proxy as its child.
//!
//! Small, boring, privileged, never busy: one thread, which must never parse a request of a user or wait for the
//! proxy, or for a script of a tracker or a hook.

mod backoff;
mod child;
mod desk;
mod flight;
mod handover;
mod hooks;
mod maintenance;
mod release;
mod server;
mod tuning;
mod watchdog;

use std::fmt;
use std::io;
use std::path::PathBuf;

use caps::{CapSet, Capability};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::ha::{DataPlane, Ha, Scouts};
use crate::link::AgentStatus;
use crate::net::{clock, realtime};
use crate::vrrp::auth::Auth;

use child::{Keeper, Launch};
use desk::{Desk, Signals};
use flight::Archive;
use hooks::Hooks;
use maintenance::Maintenance;
use watchdog::Watchdog;

pub use crate::ha::Advice;
pub use flight::Flight;
pub use release::{Released, release};
pub use tuning::tuning;

/// Threads that start scripts and read files for trackers; others wait for one of them.
const BLOCKING_THREADS: usize = 16;
/// A name service's plug-ins run on it too; it may be locked in memory.
const BLOCKING_STACK: usize = 512 << 10;

/// Questions that may wait for the desk.
const QUESTIONS: usize = 64;

/// What `vipd run` is given.
#[derive(Clone, Debug)]
pub struct Options {
    /// The checked config.
    pub config: Config,
    /// The text it was read from; the proxy gets the same.
    pub config_text: String,
    /// Which node this is: an index into [`Config::nodes`].
    pub node: usize,
    /// What signs and verifies adverts: one for each router of the config that authenticates.
    pub auths: Vec<Option<Auth>>,
    /// Where `agent.sock` goes.
    pub runtime_dir: PathBuf,
    /// Where the flight recorder keeps its dumps; `None`: nowhere.
    pub state_dir: Option<PathBuf>,
}

/// Why the agent could not start or go on.
#[derive(Debug)]
pub enum Error {
    /// The process lacks a capability; names it.
    Privilege(String),
    /// Anything else, in words.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privilege(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// [`Error::Privilege`] before anything was touched; [`Error::Failed`] when the kernel refuses something that the
/// agent cannot do without.
pub fn run(options: Options) -> Result<(), Error> {
    require(&[Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW])?;
    let privileges = take_precedence();
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(options, privileges));
    // A script whose file system hangs must not keep us.
    runtime.shutdown_background();
    ended
}

/// Real time and locked memory, as far as the kernel grants them; the agent works without.
fn take_precedence() -> AgentStatus {
    let refused = |what: &str, result: Result<(), realtime::Refused>| {
        let why = result.err()?.to_string();
        tracing::warn!("{what}: {why}");
        Some(why)
    };
    AgentStatus {
        not_realtime: refused("the agent does not run in real time", realtime::schedule()),
        not_locked: refused("the agent's memory is not locked", realtime::lock_memory()),
        ..AgentStatus::default()
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(BLOCKING_STACK)
        .build()
        .map_err(|error| Error::Failed(format!("no event loop: {error}")))
}

async fn serve(options: Options, privileges: AgentStatus) -> Result<(), Error> {
    let Options { config, config_text, node, auths, runtime_dir, state_dir } = options;
    let name = config.nodes[node].name.clone();
    let (desk, asked) = mpsc::channel(QUESTIONS);
    let socket = server::serve(&runtime_dir, desk).map_err(|error| socket_error(&runtime_dir, &error))?;
    let launch = Launch { config_text, node: name.clone(), runtime_dir, grace: config.proxy.grace };
    let proxy = (!config.frontends.is_empty()).then(|| Keeper::new(launch, Maintenance::new(&config, node)));
    let plane = if proxy.is_some() { DataPlane::Starting } else { DataPlane::NotNeeded };
    let failed = |error: io::Error| Error::Failed(format!("the agent cannot go on: {error}"));
    let scouts = Scouts::send_out(&config, node);
    let mut desk = Desk {
        hooks: Hooks::new(&config, node),
        scouts,
        node: name,
        started_ms: clock::wall_ms(),
        privileges,
        ha: Ha::open(config, node, auths, plane).await.map_err(failed)?,
        proxy,
        asked,
        signals: Signals::listen().map_err(failed)?,
        watchers: Vec::new(),
        handovers: Vec::new(),
        archive: state_dir.map(|dir| Archive::open(dir.join("flight"))).transpose().map_err(failed)?,
        watchdog: Watchdog::from_environment(),
    };
    let _no_manager = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let ended = desk.run().await.map_err(failed);
    drop(socket);
    ended
}

fn socket_error(dir: &std::path::Path, error: &io::Error) -> Error {
    let path = dir.join("agent.sock");
    if error.kind() == io::ErrorKind::AddrInUse {
        Error::Failed(format!("another vipd answers on {}: stop it first", path.display()))
    } else {
        Error::Failed(format!("{} cannot be opened: {error}", path.display()))
    }
}

/// Says at once which capabilities are missing, instead of failing halfway.
fn require(needed: &[Capability]) -> Result<(), Error> {
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    let missing: Vec<_> =
        needed.iter().filter(|capability| !held.contains(capability)).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Privilege(format!(
        "missing {}: run it as root, or as the systemd unit does, with these as ambient capabilities",
        missing.join(" and ")
    )))
}
