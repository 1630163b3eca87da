//! Hooks: a router's operator is told of its transitions, one at a time and in order. The routers never wait for it.
//!
//! One task a router owns its [`Queue`], which decides, and the program that runs, which it performs on.

mod queue;

use std::io;
use std::process::ExitStatus;

use tokio::select;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::config::{Config, Hook};
use crate::event::Event;
use crate::link::{HookStatus, RouterStatus};
use crate::net::clock;
use crate::net::program::{NotStarted, Order, Program, describe};
use crate::vrrp::{Role, Span, Time};

use queue::{Effect, Input, Queue, Transition};

/// Transitions that may wait for a hook's task, which takes them at once.
const TRANSITIONS: usize = 64;
/// Results that may wait for the desk.
const RESULTS: usize = 64;

/// The hooks of all routers.
#[derive(Debug)]
pub(crate) struct Hooks {
    node: String,
    routers: Vec<Told>,
    results: mpsc::Receiver<Ran>,
    tasks: JoinSet<()>,
}

/// What is known of one router's hook.
#[derive(Debug)]
struct Told {
    /// Transitions since the agent was started, told or not.
    sequence: u64,
    /// `None` when it has no hook.
    hook: Option<mpsc::Sender<Transition>>,
    latest: Option<HookStatus>,
}

/// A run that began or ended.
#[derive(Debug)]
pub(crate) struct Ran {
    router: usize,
    run: HookStatus,
}

impl Hooks {
    /// Starts a task for each router that has a hook. Needs a tokio runtime with I/O.
    pub(crate) fn new(config: &Config, node: usize) -> Self {
        let (results_in, results) = mpsc::channel(RESULTS);
        let mut tasks = JoinSet::new();
        let routers = config.routers.iter().enumerate().map(|(router, owner)| {
            let hook = owner.notify.clone().map(|hook| {
                let (sender, transitions) = mpsc::channel(TRANSITIONS);
                tasks.spawn(Runner::new(hook, router, results_in.clone()).run(transitions));
                sender
            });
            Told { sequence: 0, hook, latest: None }
        });
        let routers = routers.collect();
        Self { node: config.nodes[node].name.clone(), routers, results, tasks }
    }

    /// Takes a router's transition from one role to another.
    pub(crate) fn moved(&mut self, router: usize, status: &RouterStatus, from: Role, to: Role, why: &str) {
        let told = &mut self.routers[router];
        told.sequence += 1;
        let peer = status.peer.as_ref();
        let transition = Transition {
            node: self.node.clone(),
            router: status.name.clone(),
            interface: status.interface.clone(),
            from,
            to,
            reason: why.to_owned(),
            peer: peer.map(|peer| peer.name.clone().unwrap_or_else(|| peer.address.to_string())),
            priority: status.effective_priority,
            sequence: told.sequence,
            superseded: 0,
            time_ms: clock::wall_ms(),
        };
        if let Some(hook) = &told.hook
            && hook.try_send(transition).is_err()
        {
            tracing::error!("{}: its hook is not told of number {}", status.name, told.sequence);
        }
    }

    /// Waits for a run to begin or end, for ever when there are no hooks. May be dropped and called again.
    pub(crate) async fn ran(&mut self) -> Ran {
        match self.results.recv().await {
            Some(ran) => ran,
            None => std::future::pending().await,
        }
    }

    /// Takes in what [`Hooks::ran`] waited for; an event when it has ended.
    pub(crate) fn note(&mut self, ran: Ran, routers: &[RouterStatus]) -> Option<Event> {
        let Ran { router, run } = ran;
        let event = run.took_ms.map(|took_ms| Event::Hooked {
            router: routers[router].name.clone(),
            sequence: run.sequence,
            to: run.to,
            succeeded: run.succeeded,
            how: run.how.clone(),
            took_ms,
        });
        self.routers[router].latest = Some(run);
        event
    }

    /// The latest run of a router's hook.
    pub(crate) fn latest(&self, router: usize) -> Option<HookStatus> {
        self.routers[router].latest.clone()
    }

    /// Takes no more transitions, and waits until every hook has been told of what it was to be told. That ends: each
    /// has its timeout. What happened is logged.
    pub(crate) async fn finish(&mut self, routers: &[RouterStatus]) {
        for told in &mut self.routers {
            told.hook = None;
        }
        loop {
            let ran = select! {
                biased;
                ran = self.results.recv() => ran,
                ended = self.tasks.join_next() => match ended {
                    Some(_) => continue,
                    None => self.results.try_recv().ok(),
                },
            };
            let Some(ran) = ran else { return };
            if let Some(event) = self.note(ran, routers) {
                event.log();
            }
        }
    }
}

/// Performs what a queue decides.
struct Runner {
    hook: Hook,
    router: usize,
    queue: Queue,
    hand: Hand,
    results: mpsc::Sender<Ran>,
}

/// The program, if there is one.
enum Hand {
    Empty,
    Starting(JoinHandle<Result<Program, NotStarted>>),
    Running(Program),
}

enum Happened {
    Told(Option<Transition>),
    Started(Result<Program, NotStarted>),
    Ended(io::Result<ExitStatus>),
    Deadline,
}

impl Runner {
    fn new(hook: Hook, router: usize, results: mpsc::Sender<Ran>) -> Self {
        let limit = Span::from_micros(u64::try_from(hook.timeout.as_micros()).unwrap_or(u64::MAX));
        Self { hook, router, queue: Queue::new(limit), hand: Hand::Empty, results }
    }

    /// Until there are no more transitions and the last one has been told.
    async fn run(mut self, mut transitions: mpsc::Receiver<Transition>) {
        let mut open = true;
        while open || !self.queue.is_idle() {
            let happened = select! {
                told = transitions.recv(), if open => Happened::Told(told),
                happened = self.hand.happens() => happened,
                () = until(self.queue.deadline()) => Happened::Deadline,
            };
            let input = match happened {
                Happened::Told(Some(transition)) => Input::Moved(transition),
                Happened::Told(None) => {
                    open = false;
                    continue;
                }
                Happened::Started(Ok(program)) => {
                    self.hand = Hand::Running(program);
                    Input::Started
                }
                Happened::Started(Err(why)) => {
                    self.hand = Hand::Empty;
                    Input::Ended { succeeded: false, how: why.to_string() }
                }
                Happened::Ended(status) => self.ended(status),
                Happened::Deadline => Input::Timer,
            };
            let mut effects = Vec::new();
            self.queue.handle(clock::now(), clock::wall_ms(), input, &mut effects);
            for effect in effects {
                self.perform(effect).await;
            }
        }
    }

    fn ended(&mut self, status: io::Result<ExitStatus>) -> Input {
        let Hand::Running(program) = std::mem::replace(&mut self.hand, Hand::Empty) else {
            return Input::Ended { succeeded: false, how: "was not running".to_owned() };
        };
        let (succeeded, how) = match status {
            Ok(status) => (status.success(), describe(status)),
            Err(error) => (false, format!("could not be watched: {error}")),
        };
        let how = program.first_line().map_or_else(|| how.clone(), |line| format!("{how}: {line}"));
        Input::Ended { succeeded, how }
    }

    async fn perform(&mut self, effect: Effect) {
        match (effect, &self.hand) {
            (Effect::Start(transition), _) => {
                let order = self.order(&transition);
                self.hand = Hand::Starting(tokio::spawn(Program::start(order)));
            }
            (Effect::Terminate, Hand::Running(program)) => program.terminate(),
            (Effect::Kill, Hand::Running(program)) => program.kill(),
            // The queue asks again once it has started.
            (Effect::Terminate | Effect::Kill, Hand::Empty | Hand::Starting(_)) => {}
            (Effect::Tell(run), _) => {
                let _stopping = self.results.send(Ran { router: self.router, run }).await;
            }
        }
    }

    fn order(&self, transition: &Transition) -> Order {
        Order {
            words: self.hook.command.words.clone(),
            user: self.hook.command.user.clone(),
            environment: transition.environment(),
            input: transition.json(),
        }
    }
}

impl Hand {
    async fn happens(&mut self) -> Happened {
        match self {
            Self::Empty => std::future::pending().await,
            Self::Starting(start) => Happened::Started(start.await.unwrap_or_else(|error| {
                Err(NotStarted::Failed(format!("it could not be started: {error}")))
            })),
            Self::Running(program) => Happened::Ended(program.ended().await),
        }
    }
}

/// tokio's clock and ours may differ by a little: asked again then.
async fn until(deadline: Option<Time>) {
    match deadline {
        Some(at) => sleep_until(Instant::now() + at.since(clock::now()).as_duration()).await,
        None => std::future::pending().await,
    }
}
