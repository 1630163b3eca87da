//! `vipd maintenance`: which frontends an operator has closed, and how the proxy hears of it.
//!
//! The agent keeps it: a proxy that dies is started with it again, and one that runs hears of a change over the
//! connection that it reports on. It says in its reports what it does, so that the operator is answered when it is done,
//! and told again when it is not. It ends with the agent, on purpose: what a file does not say must not come back after
//! a reboot that nobody remembers it at.
//!
//! Nothing of this is a fault: the node's role depends on its servers as ever.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config::{Config, Mode};
use crate::event::Event;
use crate::link::{FrontendMaintenance, MaintenanceStatus, Reply, Report};

use super::desk::Desk;

/// How long a proxy that reports may take; it takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(3);

/// The frontends of the config, and what is asked of them.
#[derive(Debug)]
pub(crate) struct Maintenance {
    frontends: Vec<Front>,
    others: Vec<String>,
    /// The connection that the proxy reports on.
    proxy: Option<mpsc::Sender<Reply>>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Front {
    name: String,
    tcp: bool,
    closed: bool,
}

/// An operator who is answered when it is done.
#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    frontends: Vec<usize>,
    reply: mpsc::Sender<Reply>,
}

impl Maintenance {
    /// None of them is in maintenance.
    pub(crate) fn new(config: &Config, node: usize) -> Self {
        let front = |frontend: &crate::config::Frontend| Front {
            name: frontend.name.clone(),
            tcp: frontend.mode == Mode::Tcp,
            closed: false,
        };
        let others = config.nodes.iter().enumerate().filter(|(at, _)| *at != node);
        Self {
            frontends: config.frontends.iter().map(front).collect(),
            others: others.map(|(_, other)| other.name.clone()).collect(),
            proxy: None,
            waiting: Vec::new(),
        }
    }

    /// The names of those that are closed.
    pub(crate) fn closed(&self) -> Vec<String> {
        self.frontends.iter().filter(|front| front.closed).map(|front| front.name.clone()).collect()
    }

    /// When the first who waits has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// The proxy has reported on this connection: from now on it is told there, now at once if it does something else.
    pub(crate) fn heard(&mut self, report: &Report, reply: &mpsc::Sender<Reply>) {
        self.proxy = Some(reply.clone());
        if !(0..self.frontends.len()).all(|at| self.is_done(at, report)) {
            self.tell();
        }
    }

    /// Tells the proxy. If it does not read, or is gone, it is told at its next report.
    fn tell(&self) {
        if let Some(proxy) = &self.proxy {
            let _at_the_next_report = proxy.try_send(Reply::Close { frontends: self.closed() });
        }
    }

    fn is_done(&self, at: usize, report: &Report) -> bool {
        let front = &self.frontends[at];
        let said = report.frontends.iter().find(|said| said.name == front.name);
        said.is_some_and(|said| said.maintenance == front.closed)
    }

    /// The frontends of these names, or all; an error that names what there is.
    fn pick(&self, names: &[String]) -> Result<Vec<usize>, String> {
        if names.is_empty() {
            return Ok((0..self.frontends.len()).collect());
        }
        let is_named = |name: &String| self.frontends.iter().any(|front| front.name == *name);
        if let Some(unknown) = names.iter().find(|name| !is_named(name)) {
            let known: Vec<_> = self.frontends.iter().map(|front| front.name.as_str()).collect();
            return Err(format!("there is no frontend {unknown:?} here, only {}", known.join(", ")));
        }
        let front = |at: &usize| names.contains(&self.frontends[*at].name);
        Ok((0..self.frontends.len()).filter(front).collect())
    }

    fn status(&self, node: &str, frontends: &[usize], report: Option<&Report>) -> MaintenanceStatus {
        let of = |at: &usize| {
            let Front { name, tcp, closed } = &self.frontends[*at];
            FrontendMaintenance {
                name: name.clone(),
                tcp: *tcp,
                maintenance: *closed,
                in_effect: report.is_some_and(|report| report.listening && self.is_done(*at, report)),
            }
        };
        MaintenanceStatus {
            node: node.to_owned(),
            frontends: frontends.iter().map(of).collect(),
            others: self.others.clone(),
        }
    }
}

impl Desk {
    /// Carries a command out; whoever gave it is answered when the proxy does so, or cannot.
    pub(super) fn maintain(
        &mut self,
        names: &[String],
        on: bool,
        reply: &mpsc::Sender<Reply>,
    ) -> Result<(), String> {
        let Some(proxy) = &mut self.proxy else {
            return Err("this config has no [[frontend]]: there is nothing to put in maintenance".to_owned());
        };
        let maintenance = &mut proxy.maintenance;
        let frontends = maintenance.pick(names)?;
        let mut changed = Vec::new();
        for at in &frontends {
            let front = &mut maintenance.frontends[*at];
            if std::mem::replace(&mut front.closed, on) != on {
                changed.push(front.name.clone());
            }
        }
        maintenance.tell();
        let deadline = Instant::now() + PATIENCE;
        maintenance.waiting.push(Waiting { deadline, frontends, reply: reply.clone() });
        changed.into_iter().for_each(|frontend| self.say(Event::Maintenance { frontend, begins: on }));
        Ok(())
    }

    /// Answers those whose command is carried out, and those for whom there is nothing to wait for.
    pub(super) fn settle_maintenance(&mut self) {
        let Some(proxy) = &mut self.proxy else { return };
        // After every packet, and nearly always nobody waits.
        let waiting = std::mem::take(&mut proxy.maintenance.waiting);
        let report = proxy.report().filter(|report| report.listening);
        let goes_on = |waiting: &Waiting| {
            let status = proxy.maintenance.status(&self.node, &waiting.frontends, report);
            let done = status.frontends.iter().all(|front| front.in_effect);
            let over = done || report.is_none() || Instant::now() >= waiting.deadline;
            if over {
                let _gone = waiting.reply.try_send(Reply::Maintenance(status));
            }
            !over
        };
        let waiting = waiting.into_iter().filter(goes_on).collect();
        proxy.maintenance.waiting = waiting;
    }
}
