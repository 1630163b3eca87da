//! The proxy process: started, watched through a pidfd, started again with back-off.
//!
//! It gets the very text of the config that this agent checked, on its standard input: a file that is being edited
//! cannot make the two disagree.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::event::Event;
use crate::ha::DataPlane;
use crate::link::{ProxyStatus, Report};
use crate::net::clock;
use crate::net::parent;
use crate::net::pidfd::PidFd;
use crate::net::program::describe;
use crate::vrrp::{Span, Time};

use super::backoff::Backoff;
use super::maintenance::Maintenance;

/// How the proxy is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) config_text: String,
    pub(crate) node: String,
    pub(crate) runtime_dir: PathBuf,
    /// How long it may take to finish when it is asked to stop.
    pub(crate) grace: Duration,
}

/// The proxy process and its history.
#[derive(Debug)]
pub(crate) struct Keeper {
    launch: Launch,
    state: State,
    backoff: Backoff,
    deaths: u64,
    since_ms: u64,
    report: Option<Report>,
    /// What an operator has closed; it outlives the process.
    pub(crate) maintenance: Maintenance,
}

#[derive(Debug)]
enum State {
    Running { child: Child, pidfd: PidFd, started: Time },
    Waiting { until: Instant, why: String },
}

impl Keeper {
    /// Nothing runs yet; the first start is due at once.
    pub(crate) fn new(launch: Launch, maintenance: Maintenance) -> Self {
        Self {
            launch,
            state: State::Waiting { until: Instant::now(), why: "has not been started yet".to_owned() },
            backoff: Backoff::new(),
            deaths: 0,
            since_ms: clock::wall_ms(),
            report: None,
            maintenance,
        }
    }

    /// Waits until the proxy has died or is due to be started. May be dropped and called again.
    pub(crate) async fn changed(&self) -> io::Result<()> {
        match &self.state {
            State::Running { pidfd, .. } => pidfd.ended().await,
            State::Waiting { until, .. } => {
                sleep_until(*until).await;
                Ok(())
            }
        }
    }

    /// Acts on what [`Keeper::changed`] waited for, and says how the data plane is from now on.
    pub(crate) fn step(&mut self) -> io::Result<(DataPlane, Event)> {
        self.report = None;
        self.since_ms = clock::wall_ms();
        match &mut self.state {
            State::Running { child, started, .. } => {
                let (pid, status) = (child.id(), child.wait()?);
                let ran = clock::now().since(*started);
                Ok(self.died(pid, &describe(status), ran))
            }
            State::Waiting { .. } => self.start(),
        }
    }

    /// Process id while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.state {
            State::Running { child, .. } => Some(child.id()),
            State::Waiting { .. } => None,
        }
    }

    /// What it said last.
    pub(crate) fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Takes a report in; says whether it is the first in which every listener is open.
    pub(crate) fn reported(&mut self, report: Report) -> bool {
        let first = report.listening && !self.report.as_ref().is_some_and(|before| before.listening);
        self.report = Some(report);
        first
    }

    pub(crate) fn status(&self) -> ProxyStatus {
        let state = match (&self.state, &self.report) {
            (State::Waiting { why, .. }, _) => why.clone(),
            (State::Running { .. }, Some(report)) if report.listening => "serving".to_owned(),
            (State::Running { .. }, _) => "starting".to_owned(),
        };
        ProxyStatus {
            pid: self.pid(),
            since_ms: self.since_ms,
            deaths: self.deaths,
            state,
            report: self.report.clone(),
            maintenance: self.maintenance.closed(),
        }
    }

    /// Asks it to stop, and ends it when the grace period is over.
    pub(crate) async fn stop(&mut self) -> io::Result<()> {
        let State::Running { child, pidfd, .. } = &mut self.state else {
            return Ok(());
        };
        let _already_ended = pidfd.terminate();
        if timeout(self.launch.grace + Duration::from_secs(1), pidfd.ended()).await.is_err() {
            tracing::warn!("the proxy did not stop within its grace period and is killed");
            let _already_ended = pidfd.kill();
        }
        child.wait().map(|_| ())
    }

    fn start(&mut self) -> io::Result<(DataPlane, Event)> {
        match self.spawn() {
            Ok((child, pidfd)) => {
                let pid = child.id();
                self.state = State::Running { child, pidfd, started: clock::now() };
                Ok((DataPlane::Starting, Event::ProxyStarted { pid }))
            }
            Err(error) => Ok(self.died(0, &format!("could not be started: {error}"), Span::ZERO)),
        }
    }

    fn died(&mut self, pid: u32, how: &str, ran: Span) -> (DataPlane, Event) {
        self.deaths += 1;
        let wait = self.backoff.after(ran);
        let restart_ms = wait.as_micros() / 1_000;
        let why = format!("{how}; it is started again in {restart_ms} ms");
        self.state = State::Waiting { until: Instant::now() + wait.as_duration(), why: why.clone() };
        (DataPlane::Down(why), Event::ProxyDied { pid, how: how.to_owned(), restart_ms })
    }

    /// `/proc/self/exe` is the binary that runs, even when the file was replaced by an upgrade.
    fn spawn(&self) -> io::Result<(Child, PidFd)> {
        let closed = self.maintenance.closed();
        let mut child = Command::new("/proc/self/exe")
            .arg0("vipd")
            .args(["proxy", "--config", "-", "--node", &self.launch.node, "--runtime-dir"])
            .arg(&self.launch.runtime_dir)
            .args(closed.iter().flat_map(|name| ["--maintenance", name]))
            .env_remove("NOTIFY_SOCKET")
            .env(parent::VARIABLE, std::process::id().to_string())
            .stdin(Stdio::piped())
            .spawn()?;
        let pidfd = PidFd::open(child.id())?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(self.launch.config_text.as_bytes())?;
        }
        Ok((child, pidfd))
    }
}
