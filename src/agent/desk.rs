//! The agent's desk: the one place where packets, the proxy's life, clients' questions and signals meet.
//!
//! One task. It waits for whatever comes first, acts, and tells watchers what happened.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio::{join, select};

use crate::event::{Event, Stamped};
use crate::ha::{DataPlane, Found, Ha, Scouts, Wake};
use crate::link::{AgentStatus, Reply, Report, Request, RouterStatus, Status};
use crate::net::{clock, manager};
use crate::vrrp::Role;

use super::child::Keeper;
use super::flight::{Archive, Flight};
use super::handover::Handover;
use super::hooks::{Hooks, Ran};
use super::server::{Asked, Caller};
use super::watchdog::Watchdog;

/// Routers that the line for the service manager lists by name.
const LISTED: usize = 8;

/// What the desk works with.
pub(crate) struct Desk {
    pub(crate) node: String,
    pub(crate) started_ms: u64,
    pub(crate) privileges: AgentStatus,
    pub(crate) ha: Ha,
    pub(crate) proxy: Option<Keeper>,
    pub(crate) scouts: Scouts,
    pub(crate) hooks: Hooks,
    pub(crate) asked: mpsc::Receiver<Asked>,
    pub(crate) signals: Signals,
    pub(crate) watchers: Vec<mpsc::Sender<Reply>>,
    pub(crate) handovers: Vec<Handover>,
    pub(crate) archive: Option<Archive>,
    pub(crate) watchdog: Watchdog,
}

/// The signals that the agent listens to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Whether to stop. A hangup is no reason to: it is what a service manager sends for a reload.
    async fn stop(&mut self) -> bool {
        select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hangup.recv() => false,
        }
    }
}

enum Happened {
    Ha(Wake),
    Proxy,
    Found(Found),
    Hooked(Ran),
    Asked(Asked),
    Stop(bool),
    Deadline,
}

impl Desk {
    /// Works until a signal stops it.
    pub(crate) async fn run(&mut self) -> io::Result<()> {
        self.tell();
        loop {
            match self.next().await? {
                Happened::Ha(wake) => self.ha.turn(wake).await?,
                Happened::Proxy => self.proxy_changed().await?,
                Happened::Found(found) => self.ha.set_tracker(found).await?,
                Happened::Hooked(ran) => {
                    let ended = self.hooks.note(ran, &self.ha.status());
                    ended.into_iter().for_each(|event| self.say(event));
                }
                Happened::Asked(asked) => self.answer(asked).await?,
                Happened::Stop(true) => return self.stop().await,
                Happened::Stop(false) => {
                    tracing::warn!("SIGHUP: this version does not reload its config, restart it instead");
                }
                Happened::Deadline => {}
            }
            self.settle_handovers().await?;
            self.settle_maintenance();
            self.tell();
            self.watchdog.speak();
        }
    }

    async fn next(&mut self) -> io::Result<Happened> {
        let maintenance = self.proxy.as_ref().and_then(|proxy| proxy.maintenance.deadline());
        let deadline = self.handovers.iter().map(|handover| handover.deadline).chain(maintenance).min();
        select! {
            wake = self.ha.ready() => wake.map(Happened::Ha),
            changed = proxy_change(self.proxy.as_ref()) => changed.map(|()| Happened::Proxy),
            found = self.scouts.next() => Ok(Happened::Found(found)),
            ran = self.hooks.ran() => Ok(Happened::Hooked(ran)),
            Some(asked) = self.asked.recv() => Ok(Happened::Asked(asked)),
            stop = self.signals.stop() => Ok(Happened::Stop(stop)),
            () = until(deadline) => Ok(Happened::Deadline),
            () = self.watchdog.due() => Ok(Happened::Deadline),
        }
    }

    async fn proxy_changed(&mut self) -> io::Result<()> {
        let Some(proxy) = &mut self.proxy else { return Ok(()) };
        let (plane, event) = proxy.step()?;
        self.ha.set_data_plane(plane).await?;
        self.say(event);
        Ok(())
    }

    async fn answer(&mut self, asked: Asked) -> io::Result<()> {
        let Asked { request, from, reply, turn: _turn } = asked;
        let answer = match request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Watch => {
                let status = Reply::Status(Box::new(self.status()));
                if reply.try_send(status).is_ok() {
                    self.watchers.push(reply);
                }
                return Ok(());
            }
            Request::Report(report) => return self.reported(report, from, &reply).await,
            Request::Handover { .. } | Request::Release | Request::Maintenance { .. } | Request::Dump
                if !may_command(from) =>
            {
                Reply::Forbidden { why: "only root may do that: try again with sudo".to_owned() }
            }
            Request::Release => self.release().await?,
            Request::Dump => {
                send_dump(self.flight(), reply);
                return Ok(());
            }
            Request::Maintenance { frontends, on } => match self.maintain(&frontends, on, &reply) {
                Ok(()) => return Ok(()),
                Err(why) => Reply::Refused { why },
            },
            Request::Handover { router, undo } => match self.pick(router.as_deref()) {
                Err(why) => Reply::Refused { why },
                Ok(routers) if undo => self.undo(&routers).await?,
                Ok(routers) => match self.hand_over(&routers, &reply).await? {
                    Ok(()) => return Ok(()),
                    Err(why) => Reply::Refused { why },
                },
            },
        };
        // A client that has gone, or asked more than it reads, gets nothing.
        let _gone = reply.try_send(answer);
        Ok(())
    }

    /// Only our own proxy's word counts.
    async fn reported(
        &mut self,
        report: Report,
        from: Caller,
        reply: &mpsc::Sender<Reply>,
    ) -> io::Result<()> {
        let Some(proxy) = &mut self.proxy else { return Ok(()) };
        let pid = proxy.pid();
        let Some(pid) = pid.filter(|pid| from.pid.is_some_and(|from| u32::try_from(from) == Ok(*pid))) else {
            tracing::warn!("a report from process {:?}, which is not our proxy, is ignored", from.pid);
            return Ok(());
        };
        let ready = proxy.reported(report.clone());
        proxy.maintenance.heard(&report, reply);
        self.ha.set_data_plane(DataPlane::Reporting(report, clock::now())).await?;
        if ready {
            self.say(Event::ProxyReady { pid });
        }
        Ok(())
    }

    async fn release(&mut self) -> io::Result<Reply> {
        for router in 0..self.ha.roles().count() {
            self.ha.release(router).await?;
        }
        let message = "addresses released; `vipd handover --undo` competes again".to_owned();
        Ok(Reply::Done { message })
    }

    /// Gives up in the order that keeps users served: first the address, then the listeners.
    async fn stop(&mut self) -> io::Result<()> {
        let _not_heard = manager::tell(&sd_notify::NotifyState::Stopping);
        self.ha.stop().await;
        self.tell();
        let routers = self.ha.status();
        let proxy = async {
            match &mut self.proxy {
                Some(proxy) => proxy.stop().await,
                None => Ok(()),
            }
        };
        let hooks = self.hooks.finish(&routers);
        let (stopped, ()) = self.watchdog.during(async { join!(proxy, hooks) }).await;
        stopped
    }

    fn status(&self) -> Status {
        Status {
            node: self.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_ms: self.started_ms,
            agent: AgentStatus {
                sampling: self.ha.sampling(),
                lag: self.ha.lag(),
                ..self.privileges.clone()
            },
            routers: self.routers(),
            proxy: self.proxy.as_ref().map(Keeper::status),
            sweeps: self.ha.sweeps(),
            refused: self.ha.refused(),
        }
    }

    fn routers(&self) -> Vec<RouterStatus> {
        let mut routers = self.ha.status();
        for (position, router) in routers.iter_mut().enumerate() {
            router.hook = self.hooks.latest(position);
        }
        routers
    }

    /// Tells the log, the watchers, the hooks and the service manager what the routers went through.
    fn tell(&mut self) {
        let events = self.ha.take_events();
        let moved = events.iter().any(|event| matches!(event, Event::Moved { .. }));
        if moved {
            self.tell_hooks(&events);
        }
        for event in events {
            self.say(event);
        }
        if moved {
            if let Some(archive) = &self.archive {
                archive.keep(self.flight());
            }
            let line = self.roles();
            let _not_heard = manager::tell(&sd_notify::NotifyState::Status(&line));
        }
    }

    fn flight(&self) -> Flight {
        Flight {
            node: self.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: clock::wall_ms(),
            dump: self.ha.dump(),
        }
    }

    fn tell_hooks(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Moved { router, from, to, why } = event
                && let Some(position) = self.ha.roles().position(|(name, _)| name == router)
            {
                self.hooks.moved(position, &self.ha.status_of(position), *from, *to, why);
            }
        }
    }

    /// The roles in one line.
    fn roles(&self) -> String {
        let total = self.ha.roles().count();
        if total > LISTED {
            let active = self.ha.roles().filter(|(_, role)| *role == Role::Active).count();
            return format!("Active for {active} of {total} routers");
        }
        self.ha.roles().map(|(name, role)| format!("{name} {role}")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn say(&mut self, event: Event) {
        event.log();
        let stamped = Stamped { at_ms: clock::wall_ms(), node: self.node.clone(), event };
        self.watchers.retain(|watcher| watcher.try_send(Reply::Event(stamped.clone())).is_ok());
    }

    /// The routers that a command means.
    fn pick(&self, name: Option<&str>) -> Result<Vec<usize>, String> {
        let routers = self.ha.status();
        let Some(name) = name else { return Ok((0..routers.len()).collect()) };
        match routers.iter().position(|router| router.name == name) {
            Some(position) => Ok(vec![position]),
            None => {
                let names: Vec<_> = routers.iter().map(|router| router.name.as_str()).collect();
                Err(format!("there is no router {name:?} here, only {}", names.join(", ")))
            }
        }
    }

    pub(super) fn is_active(&self, router: usize) -> bool {
        self.ha.roles().nth(router).is_some_and(|(_, role)| role == Role::Active)
    }
}

/// Off the loop: it takes milliseconds to write half a megabyte of JSON.
fn send_dump(flight: Flight, reply: mpsc::Sender<Reply>) {
    tokio::task::spawn_blocking(move || {
        let json = serde_json::to_string(&flight).unwrap_or_default();
        let _gone = reply.try_send(Reply::Dump { json });
    });
}

/// Root, or the user that the agent itself runs as.
fn may_command(from: Caller) -> bool {
    from.uid == 0 || from.uid == nix::unistd::geteuid().as_raw()
}

async fn proxy_change(proxy: Option<&Keeper>) -> io::Result<()> {
    match proxy {
        Some(proxy) => proxy.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
