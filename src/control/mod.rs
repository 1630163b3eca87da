//! The proxy process: wiring, and the single writer of the pools' snapshot.
//!
//! ```text
//! check::run ──Seen──► desk ──► snapshot ──► cores (proxy)
//!  (control thread)     │                      │ counters
//!                       └──► report ◄──────────┘
//!                              └──► client ◄──► agent.sock
//! ```
//!
//! The main thread is the control thread: one current-thread runtime for the checks, the desk and the way to the
//! agent. The cores have threads of their own and share nothing with it but the snapshot and the counters. Two
//! queues: observations (bounded, the checks wait when the desk is behind) and the latest report (one place). The agent
//! says which frontends are in maintenance (the latest word, one place).
//!
//! `tls` reads certificates and keys, and looks after their files.
//!
//! This room must never touch an address of the node or decide what the node is fit for: that is the agent's.

mod client;
mod desk;
mod publish;
mod scarce;
mod task;
mod tls;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Builder;

use crate::config::{Config, Frontend, Maintenance};
use crate::net::privilege::{self, Identity};
use crate::net::{clock, parent, text_file};
use crate::proxy::{self, Page};

/// What the proxy process needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The checked config.
    pub config: Config,
    /// Which of [`Config::nodes`] we are.
    pub node: usize,
    /// Where the agent listens: `agent.sock` in this directory.
    pub runtime_dir: PathBuf,
    /// The frontends that are in maintenance from the first request on, until the agent says otherwise.
    pub maintenance: Vec<String>,
}

/// Why the proxy process could not start or go on.
#[derive(Debug)]
pub enum Error {
    /// A privilege could not be given up. It does not serve strangers with rights it should not have.
    Privilege(privilege::Error),
    /// A frontend's address could not be listened on, or a core could not be started.
    Start(io::Error),
    /// A file of TLS cannot be used.
    Tls(io::Error),
    /// The kernel refused what every process may have: a runtime, a signal handler.
    Kernel(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privilege(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Kernel(error) => write!(f, "cannot start the control thread: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// Runs the proxy process until it is asked to stop (SIGTERM, SIGINT, or the death of the agent that started it) and
/// has drained. Must be called while the process has one thread only: credentials belong to a thread.
///
/// # Errors
/// When it cannot start. Once it listens, only a signal ends it.
pub fn run(options: Options) -> Result<(), Error> {
    let Options { config, node, runtime_dir, maintenance } = options;
    // Before the rights are gone: keys are root's.
    let (store, tls) = tls::Store::open(&config).map_err(Error::Tls)?;
    let pages = config.frontends.iter().map(page).collect();
    if !step_down(&config)? {
        tracing::warn!("the agent that started this proxy is gone; nothing to do");
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Kernel)?;
    runtime.block_on(async {
        let signals = task::Signals::new().map_err(Error::Kernel)?;
        let mut desk = desk::Desk::new(&config, clock::now(), clock::wall_ms());
        // What follows from it is what everything begins with.
        desk.close(&maintenance);
        let publisher = publish::Publisher::new(&config, &desk);
        let proxy =
            proxy::start_with(settings(&config, pages), publisher.snapshot(), &tls).map_err(Error::Start)?;
        store.try_again();
        let node = config.nodes.get(node).map_or("?", |node| node.name.as_str());
        tracing::info!("{node}: the proxy listens on every address of every frontend");
        task::run(
            &config,
            task::Parts { desk, publisher, proxy, signals, store },
            runtime_dir.join(AGENT_SOCK),
        )
        .await;
        Ok(())
    })
}

const AGENT_SOCK: &str = "agent.sock";

/// Gives up every right that serving does not need, and ties our life to the agent's. Says whether the agent is
/// still there.
fn step_down(config: &Config) -> Result<bool, Error> {
    let started_by = parent::started_by();
    let user = &config.proxy.user;
    match privilege::shed(user).map_err(Error::Privilege)? {
        Identity::Changed | Identity::Unprivileged => {}
        Identity::NoSuchUser => {
            tracing::warn!("the proxy stays root: there is no user `{user}`; create it or set proxy.user");
        }
        Identity::Refused(errno) => {
            tracing::warn!("the proxy stays root: the kernel refuses to make it `{user}`: {}", errno.desc());
        }
    }
    // After the change of user, which makes the kernel forget it.
    parent::end_with(started_by).map_err(Error::Kernel)
}

/// The maintenance page of a frontend, if it has one. A page that cannot be read is no reason not to serve: clients get a
/// plain sentence for it, and `vipd check` says what is wrong.
fn page(frontend: &Frontend) -> Option<Arc<Page>> {
    let maintenance = frontend.maintenance.as_ref()?;
    let page = match text_file::read(&maintenance.page, Maintenance::LARGEST) {
        Ok(text) => Page::new(maintenance, &text),
        Err(error) => {
            let name = &frontend.name;
            tracing::error!("frontend {name} has a plain sentence for its maintenance page: {error}");
            Page::default()
        }
    };
    Some(Arc::new(page))
}

/// The data plane's share of the config.
fn settings(config: &Config, pages: Vec<Option<Arc<Page>>>) -> proxy::Settings {
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    proxy::Settings {
        frontends: config.frontends.clone(),
        pages,
        limits: config.limits.clone(),
        threads: config.proxy.threads.unwrap_or_else(processors),
        servers: config.pools.iter().map(|pool| pool.servers.len()).sum(),
    }
}
