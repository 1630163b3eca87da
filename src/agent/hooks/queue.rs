//! Which transition a hook is told of next, and when it has taken too long. Pure.
//!
//! One runs, and one may wait: a newer one takes the place of the one that waits, and says how many it replaced. So a
//! hook always hears of the latest transition, in order, never of two at a time, and never of one that is long past.

use serde::Serialize;

use crate::link::HookStatus;
use crate::vrrp::{Priority, Role, Span, Time};

/// Between SIGTERM and SIGKILL.
const GRACE: Span = Span::from_millis(1_000);

/// What a hook is told, as JSON on its standard input and in its environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Transition {
    pub(super) node: String,
    pub(super) router: String,
    pub(super) interface: String,
    pub(super) from: Role,
    pub(super) to: Role,
    /// One sentence.
    pub(super) reason: String,
    /// The name, or the address, of the peer that was heard last.
    pub(super) peer: Option<String>,
    pub(super) priority: Priority,
    /// Counted from 1 since the agent was started; gaps are transitions that were replaced.
    pub(super) sequence: u64,
    /// How many transitions before this one were replaced by it.
    pub(super) superseded: u64,
    /// When, milliseconds since the Unix epoch.
    pub(super) time_ms: u64,
}

impl Transition {
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("VIPD_NODE", self.node.clone()),
            ("VIPD_ROUTER", self.router.clone()),
            ("VIPD_INTERFACE", self.interface.clone()),
            ("VIPD_FROM", self.from.to_string()),
            ("VIPD_TO", self.to.to_string()),
            ("VIPD_REASON", self.reason.clone()),
            ("VIPD_PEER", self.peer.clone().unwrap_or_default()),
            ("VIPD_PRIORITY", self.priority.to_string()),
            ("VIPD_SEQUENCE", self.sequence.to_string()),
            ("VIPD_SUPERSEDED", self.superseded.to_string()),
            ("VIPD_TIME", self.time_ms.to_string()),
        ]
    }

    /// One line.
    pub(super) fn json(&self) -> Vec<u8> {
        crate::link::frame::encode(self)
    }
}

/// What happens to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The router went to another role.
    Moved(Transition),
    /// The program that was asked for runs.
    Started,
    /// It has ended, or could not be started.
    Ended {
        /// With exit code 0.
        succeeded: bool,
        /// A few words.
        how: String,
    },
    /// The deadline may have come.
    Timer,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Run the hook. [`Input::Started`] or [`Input::Ended`] answers.
    Start(Transition),
    /// Ask it to stop.
    Terminate,
    /// End it.
    Kill,
    /// Tell how the run stands.
    Tell(HookStatus),
}

/// One router's hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    limit: Span,
    running: Option<Running>,
    waiting: Option<Transition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Running {
    run: HookStatus,
    began: Time,
    patience: Patience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Until(Time),
    /// It got SIGTERM.
    Asked(Time),
    /// It got SIGKILL.
    Over,
}

impl Queue {
    /// Nothing runs; `limit` is how long a run may take.
    pub(super) const fn new(limit: Span) -> Self {
        Self { limit, running: None, waiting: None }
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_none()
    }

    /// When to call back with [`Input::Timer`].
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.running.as_ref()?.patience {
            Patience::Until(at) | Patience::Asked(at) => Some(at),
            Patience::Over => None,
        }
    }

    /// Takes `input` in and adds what follows to `out`. `wall_ms` is milliseconds since the Unix epoch.
    pub(super) fn handle(&mut self, now: Time, wall_ms: u64, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Moved(transition) => self.wait(transition),
            // It was asked to stop before there was anyone to hear it.
            Input::Started => match self.running.as_ref().map(|running| running.patience) {
                Some(Patience::Asked(_)) => out.push(Effect::Terminate),
                Some(Patience::Over) => out.push(Effect::Kill),
                Some(Patience::Until(_)) | None => {}
            },
            Input::Ended { succeeded, how } => self.end(now, succeeded, how, out),
            Input::Timer => self.lose_patience(now, out),
        }
        self.begin(now, wall_ms, out);
    }

    fn wait(&mut self, mut transition: Transition) {
        if let Some(replaced) = self.waiting.take() {
            transition.superseded = replaced.superseded + 1;
        }
        self.waiting = Some(transition);
    }

    fn begin(&mut self, now: Time, wall_ms: u64, out: &mut Vec<Effect>) {
        if self.running.is_some() {
            return;
        }
        let Some(transition) = self.waiting.take() else { return };
        let run = HookStatus {
            sequence: transition.sequence,
            to: transition.to,
            started_ms: wall_ms,
            took_ms: None,
            succeeded: false,
            how: "running".to_owned(),
        };
        self.running =
            Some(Running { run: run.clone(), began: now, patience: Patience::Until(now + self.limit) });
        out.extend([Effect::Start(transition), Effect::Tell(run)]);
    }

    fn end(&mut self, now: Time, succeeded: bool, how: String, out: &mut Vec<Effect>) {
        let Some(Running { mut run, began, patience }) = self.running.take() else { return };
        let in_time = matches!(patience, Patience::Until(_));
        run.took_ms = Some(now.since(began).as_micros() / 1_000);
        run.succeeded = succeeded && in_time;
        run.how = if in_time { how } else { format!("took too long, {how}") };
        out.push(Effect::Tell(run));
    }

    fn lose_patience(&mut self, now: Time, out: &mut Vec<Effect>) {
        let Some(running) = &mut self.running else { return };
        match running.patience {
            Patience::Until(at) if now >= at => {
                running.patience = Patience::Asked(now + GRACE);
                out.push(Effect::Terminate);
            }
            Patience::Asked(at) if now >= at => {
                running.patience = Patience::Over;
                out.push(Effect::Kill);
            }
            Patience::Until(_) | Patience::Asked(_) | Patience::Over => {}
        }
    }
}

#[cfg(test)]
mod tests;
