//! The agent's one loop over packets, the timer and the network's changes. One thread, no queue, no channel.
//!
//! [`Ha::ready`] waits and may be dropped; [`Ha::turn`] acts and must be driven to its end. Packets win over the
//! timer: whatever woke us, the socket is drained first, so that a node that was stopped for a while believes what
//! its peers said before it believes its own clock.

use std::collections::HashMap;
use std::io;

use tokio::select;

use crate::config::Config;
use crate::event::Event;
use crate::link::{LagStatus, RouterStatus};
use crate::net::clock::{self, Alarm};
use crate::net::netlink::{Interface, Watch};
use crate::vrrp::auth::Auth;
use crate::vrrp::{Effect, Input, Role, Time, Vrid};

use super::agenda::Agenda;
use super::conflict::Sight;
use super::instance::Instance;
use super::lag::Lag;
use super::lookout::Lookout;
use super::offers::Offers;
use super::pace::{Kind, Pacer, Packet};
use super::perform::Hands;
use super::place;
use super::recorder::{Dump, Recorder};
use super::refusing::Refusing;
use super::scout::Found;
use super::track::{DataPlane, Link};
use super::vip;
use super::vmac;
use super::ways;

mod heartbeats;
mod intake;
mod survey;
mod suspicion;

/// Packets that one turn takes at most: a flood cannot keep the timer from being served.
const BATCH: usize = 256;
/// Routers that one turn serves at most: between two turns packets are taken, and they win over a timer.
const SLICE: usize = 16;

/// What woke the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There may be packets.
    Packets,
    /// The alarm rang.
    Timer,
    /// An interface or an address has changed.
    Network,
}

/// All virtual routers of this node, and the adapters they act through.
pub struct Ha {
    config: Config,
    node: usize,
    instances: Vec<Instance>,
    /// The routers of a VRID: one an interface.
    by_vrid: HashMap<Vrid, Vec<usize>>,
    offers: Offers,
    hands: Hands,
    pacer: Pacer,
    watch: Watch,
    alarm: Alarm,
    interfaces: Vec<Interface>,
    /// The interfaces when the kernel's settings were last looked at.
    surveyed: Vec<survey::Card>,
    plane: DataPlane,
    refusing: Refusing,
    agenda: Agenda,
    lookout: Lookout,
    /// When the alarm was to ring, until it has been served.
    due: Option<Time>,
    lag: Lag,
    recorder: Recorder,
    events: Vec<Event>,
}

impl Ha {
    /// Opens the sockets, takes addresses off that an earlier run left behind, and begins to listen. Nothing is
    /// claimed before the first [`Ha::turn`]. `auths` has one for each router of the config that authenticates.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW or CAP_NET_ADMIN, and what else the kernel says.
    pub async fn open(
        config: Config,
        node: usize,
        auths: Vec<Option<Auth>>,
        plane: DataPlane,
    ) -> io::Result<Self> {
        debug_assert_eq!(config.routers.len(), auths.len());
        let instances = config.routers.iter().zip(auths);
        let instances: Vec<_> =
            instances.map(|(router, auth)| Instance::new(&config, node, router, auth)).collect();
        let mut by_vrid: HashMap<_, Vec<_>> = HashMap::new();
        for (position, router) in config.routers.iter().enumerate() {
            by_vrid.entry(router.vrid).or_default().push(position);
        }
        let mut ha = Self {
            by_vrid,
            recorder: Recorder::new(instances.iter().map(Instance::recorded).collect()),
            instances,
            offers: Offers::new(&config, node),
            hands: Hands::open(&config, node)?,
            pacer: Pacer::default(),
            // Subscribed before the first look, so that no change falls between.
            watch: Watch::open(config.routers.iter().any(|router| !router.routes.is_empty()))?,
            alarm: Alarm::new()?,
            interfaces: Vec::new(),
            surveyed: Vec::new(),
            plane,
            refusing: Refusing::default(),
            agenda: Agenda::new(config.routers.len()),
            lookout: Lookout::new(clock::now()),
            due: None,
            lag: Lag::default(),
            events: Vec::new(),
            config,
            node,
        };
        ha.interfaces = ha.hands.netlink.interfaces()?;
        ways::remove_stale(&ha.hands.routes).await?;
        vip::remove_stale(&ha.hands.netlink, Some(&ha.config), &ha.interfaces).await?;
        vmac::remove_stale(&ha.hands.netlink, &ha.config.routers, &ha.interfaces).await?;
        ha.look().await?;
        ha.rearm()?;
        Ok(ha)
    }

    /// Waits until there is something to do. May be dropped and called again.
    ///
    /// # Errors
    /// The reactor or the netlink connection is gone: the agent cannot go on.
    pub async fn ready(&mut self) -> io::Result<Wake> {
        select! {
            biased;
            ready = self.hands.wires.readable() => ready.map(|()| Wake::Packets),
            claimed = self.hands.claims.readable() => claimed.map(|()| Wake::Packets),
            rung = self.alarm.rings() => rung.map(|()| Wake::Timer),
            changed = self.watch.changed() => changed.map(|()| Wake::Network),
            // Last: anyone can send UDP, and that must hide nothing else.
            ready = self.hands.heartbeats.readable() => ready.map(|()| Wake::Packets),
        }
    }

    /// Does what there is to do.
    ///
    /// # Errors
    /// The kernel no longer answers: the agent cannot go on.
    pub async fn turn(&mut self, wake: Wake) -> io::Result<()> {
        self.drain().await;
        self.drain_heartbeats().await;
        if let Some(due) = self.due.take_if(|due| clock::now() >= *due) {
            self.lag.record(clock::now().since(due));
        }
        self.drain_claims().await;
        if wake == Wake::Network {
            self.lookout.changed();
        }
        if self.lookout.due(clock::now()) {
            self.look().await?;
        }
        let now = clock::now();
        for position in self.agenda.due(now, SLICE) {
            self.expire(now, position).await;
        }
        self.announce();
        self.rearm()
    }

    /// Takes in how the proxy is.
    ///
    /// # Errors
    /// As [`Ha::turn`].
    pub async fn set_data_plane(&mut self, plane: DataPlane) -> io::Result<()> {
        self.plane = plane;
        self.evaluate_all().await;
        self.rearm()
    }

    /// Takes in what was seen of one of a router's trackers.
    ///
    /// # Errors
    /// As [`Ha::turn`].
    pub async fn set_tracker(&mut self, found: Found) -> io::Result<()> {
        let Found { router, tracker, finding } = found;
        if self.instances[router].observe(tracker, finding, &mut self.events) {
            self.evaluate(clock::now(), router).await;
            self.rearm()?;
        }
        Ok(())
    }

    /// Lets other nodes go first with a router, or competes again.
    ///
    /// # Errors
    /// As [`Ha::turn`].
    pub async fn stand_back(&mut self, router: usize, standing_back: bool) -> io::Result<()> {
        let track = &mut self.instances[router].track;
        track.standing_back = standing_back;
        track.released &= standing_back;
        // With a virtual MAC address: its link comes back.
        self.lookout.changed();
        self.evaluate(clock::now(), router).await;
        self.rearm()
    }

    /// Takes a router out until [`Ha::stand_back`] with `false`.
    ///
    /// # Errors
    /// As [`Ha::turn`].
    pub async fn release(&mut self, router: usize) -> io::Result<()> {
        self.instances[router].track.released = true;
        self.evaluate(clock::now(), router).await;
        self.rearm()
    }

    /// Gives every router up in an orderly way: priority 0, then the addresses go.
    pub async fn stop(&mut self) {
        for position in 0..self.instances.len() {
            self.feed(clock::now(), position, Input::Shutdown).await;
        }
        vmac::remove(&self.hands.netlink, &self.instances).await;
    }

    /// How the routers stand.
    pub fn status(&self) -> Vec<RouterStatus> {
        self.instances.iter().map(Instance::status).collect()
    }

    /// How one of them stands.
    pub fn status_of(&self, router: usize) -> RouterStatus {
        self.instances[router].status()
    }

    /// The routers' names and roles.
    pub fn roles(&self) -> impl Iterator<Item = (&str, Role)> {
        self.instances.iter().map(|instance| (instance.router.name.as_str(), instance.machine.role()))
    }

    /// How often the kernel was asked what there is without an event that told to.
    pub const fn sweeps(&self) -> u64 {
        self.lookout.sweeps()
    }

    /// Packets refused since the start, by reason.
    pub fn refused(&self) -> Vec<(String, u64)> {
        let mut seen = self.refusing.seen();
        seen.extend(self.hands.heartbeats.refused());
        seen
    }

    /// In a flood of refused packets, how many of them each one that is read stands for.
    pub fn sampling(&self) -> Option<u32> {
        self.refusing.sampling().or(self.hands.heartbeats.sampling())
    }

    /// How late the timer was served since the start.
    pub fn lag(&self) -> LagStatus {
        self.lag.status()
    }

    /// What the flight recorder has.
    pub fn dump(&self) -> Dump {
        self.recorder.dump()
    }

    /// What happened since it was asked last.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Looks at the interfaces and makes what is there what should be there.
    async fn look(&mut self) -> io::Result<()> {
        self.interfaces = self.hands.netlink.interfaces()?;
        if vmac::ensure(&self.hands.netlink, &mut self.instances, &self.interfaces).await {
            self.interfaces = self.hands.netlink.interfaces()?;
        }
        self.offers.look(&self.interfaces);
        self.survey();
        self.evaluate_all().await;
        let there = vip::There::new(&self.interfaces);
        for (position, instance) in self.instances.iter_mut().enumerate() {
            vip::reconcile(&self.hands, instance, &there, &mut self.events).await;
            self.agenda.set(position, instance.deadline());
        }
        self.look_at_routes().await?;
        self.lookout.looked(clock::now());
        Ok(())
    }

    async fn look_at_routes(&mut self) -> io::Result<()> {
        if self.instances.iter().all(|instance| instance.ways.is_empty()) {
            return Ok(());
        }
        let there = self.hands.routes.list().await?;
        for instance in &mut self.instances {
            ways::reconcile(&self.hands.routes, instance, &there, &mut self.events).await;
        }
        Ok(())
    }

    async fn evaluate_all(&mut self) {
        let now = clock::now();
        for position in 0..self.instances.len() {
            self.evaluate(now, position).await;
        }
    }

    /// Weighs what a router depends on, and tells its machine.
    async fn evaluate(&mut self, now: Time, position: usize) {
        let seats = match &self.instances[position].vmac_refused {
            Some(why) => Err(why.clone()),
            None => place::seats(&self.instances[position].places, &self.interfaces),
        };
        let link = self.joined_link(position).and_then(|link| seats.clone().map(|_| link));
        let instance = &mut self.instances[position];
        instance.look(now, &self.interfaces, &self.plane, &mut self.events);
        let verdict = instance.track.verdict(now, link, &self.plane);
        instance.weigh_at = instance.track.deadline(now, &self.plane);
        self.agenda.set(position, instance.deadline());
        let orders = instance.obey(verdict, &mut self.events);
        if orders.leave {
            self.feed(now, position, Input::Fault).await;
        }
        if let Some((link, priority)) = orders.enter {
            let Some(source) = link.sources().next() else { return };
            let instance = &mut self.instances[position];
            instance.settle(link, seats.unwrap_or_default(), &self.interfaces);
            if instance.machine.role() == Role::Initialize {
                self.hands.ask_anew(instance).await;
            }
            self.feed(now, position, Input::Compete(priority)).await;
            self.feed(now, position, Input::Startup { source }).await;
        }
    }

    /// What a router's interface offers, once the group is heard on it.
    fn joined_link(&self, position: usize) -> Result<Link, String> {
        let instance = &self.instances[position];
        let link = self.offers.link(&instance.router)?;
        let takes_part = instance.machine.role() != Role::Initialize;
        if !takes_part || instance.link != Some(link) {
            let name = &instance.router.interface;
            let joined = self.hands.wires.join(link.index);
            joined.map_err(|error| format!("{name}: the VRRP group could not be joined: {error}"))?;
        }
        Ok(link)
    }

    async fn expire(&mut self, now: Time, position: usize) {
        let instance = &mut self.instances[position];
        if instance.weigh_at.is_some_and(|at| now >= at) {
            instance.track.refused.take_if(|(_, retry)| now >= *retry);
            self.evaluate(now, position).await;
        }
        if self.instances[position].conflicts.deadline().is_some_and(|at| now >= at) {
            self.observe(now, position, &Sight::Timer).await;
        }
        if self.instances[position].machine.deadline().is_some_and(|deadline| now >= deadline) {
            self.feed(now, position, Input::Timer).await;
        }
    }

    /// One input through a machine, and its effects. An address that the kernel refuses is a fault.
    async fn feed(&mut self, now: Time, position: usize, input: Input) {
        let instance = &mut self.instances[position];
        let mut effects: Vec<Effect> = Vec::new();
        let mut handle = |instance: &mut Instance, input, effects: &mut Vec<Effect>| {
            instance.machine.handle(now, input, effects);
            self.recorder.note(now, position, input, effects);
        };
        handle(instance, input, &mut effects);
        if let Err(why) = self.hands.perform(instance, &effects, &mut self.events).await {
            instance.refuse(now, why);
            effects.clear();
            handle(instance, Input::Fault, &mut effects);
            let _released = self.hands.perform(instance, &effects, &mut self.events).await;
        }
        instance.watch_paths();
        let role = Sight::Role(instance.machine.role());
        let _nothing = instance.conflicts.handle(now, clock::wall_ms(), &role, &mut self.events);
        debug_assert!(instance.machine.role() != Role::Initialize || instance.machine.deadline().is_none());
        self.agenda.set(position, instance.deadline());
        let asked = std::mem::take(&mut instance.announces);
        if instance.machine.role() != Role::Active {
            self.pacer.cancel(position);
        } else if asked {
            self.pacer.push(Kind::Announce, position, instance.places.len());
        }
    }

    /// Announces and asks what waits, as much as the pace allows.
    fn announce(&mut self) {
        while let Some((kind, Packet { router, address })) = self.pacer.take(clock::now()) {
            let instance = &self.instances[router];
            match kind {
                Kind::Announce => self.hands.announce_one(instance, address),
                Kind::Probe => self.hands.probe_one(instance, address),
            }
        }
    }

    fn rearm(&mut self) -> io::Result<()> {
        let look = self.lookout.deadline();
        self.due = [self.agenda.next(), self.pacer.deadline(), Some(look)].into_iter().flatten().min();
        self.alarm.set(self.due)
    }
}
