//! One virtual router on this node: its machine, what it depends on, and what `status` tells of it.

use std::net::IpAddr;

use crate::config::{Config, Node, Router, Transport};
use crate::event::Event;
use crate::link::{AddressStatus, AuthStatus, PeerStatus, RouterStatus};
use crate::net::clock;
use crate::net::netlink::Interface;
use crate::vrrp::auth::Auth;
use crate::vrrp::{
    Accepted, AddressSet, Dialect, Expected, Family, Machine, Params, Priority, Received, Refresh, Refusal,
    Role, Span, Time, Why,
};

use super::conflict::{Conflicts, Ours, Sender};
use super::heartbeat::Heartbeat;
use super::place::{Place, Seat, places};
use super::recorder::Recorded;
use super::track::{DataPlane, Finding, Link, Track, Trackers, Verdict, adjusted};
use super::vmac::{Vmac, vmacs};
use super::ways::{Way, ways};
use super::wires::Outlet;

mod second_path;

/// When an address that the kernel refused is tried again.
const RETRY: Span = Span::from_millis(1_000);

/// Peers whose dialect is remembered; strangers cannot make the list grow.
const DIALECTS: usize = 16;

/// Unicast: the addresses of the other nodes. `None`: multicast.
pub(crate) fn peers(config: &Config, node: usize, router: &Router) -> Option<Vec<IpAddr>> {
    let others = config.nodes.iter().enumerate().filter(|(position, _)| *position != node);
    (router.transport == Transport::Unicast).then(|| others.map(|(_, node)| node.address).collect())
}

fn auth_status(auth: &Auth) -> AuthStatus {
    let (policy, seen) = (auth.policy(), auth.seen());
    AuthStatus {
        mode: policy.mode,
        active: policy.active,
        window: policy.window,
        verified: seen.verified,
        unsigned: seen.unsigned,
        ahead_seconds: seen.ahead_seconds,
    }
}

/// What a router's own adverts say.
fn ours(router: &Router) -> Ours {
    let addresses = || router.addresses.iter().map(|cidr| cidr.address);
    Ours {
        router: router.name.clone(),
        vrid: router.vrid,
        version: router.version,
        interval: router.advert_interval,
        addresses: [Family::V4, Family::V6].map(|family| AddressSet::of(addresses(), family)),
        verify: router.verify,
    }
}

/// Whether hosts learn the MAC address of the node that serves: with `use_vmac` only for addresses on other interfaces.
fn teaches(router: &Router) -> bool {
    places(router).iter().any(|place| place.vmac.is_none())
}

/// What a verdict means for the machine, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    /// Take no part any more.
    pub(crate) leave: bool,
    /// Take part through this interface, with this priority.
    pub(crate) enter: Option<(Link, Priority)>,
}

/// A router with everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) router: Router,
    pub(crate) machine: Machine,
    pub(crate) track: Track,
    /// Unicast: where adverts go and who may send some. `None`: multicast.
    pub(crate) peers: Option<Vec<IpAddr>>,
    /// Signs and verifies its adverts, when the config says so.
    pub(crate) auth: Option<Auth>,
    /// The second path of its adverts, when the config has one.
    pub(crate) heartbeat: Option<Heartbeat>,
    /// The checksum dialects of IPv4 peers, by source; the one heard last is the last.
    dialects: Vec<(IpAddr, Dialect)>,
    /// What its interface offers; kept through a fault, so that the addresses can still be taken off.
    pub(crate) link: Option<Link>,
    /// When what it depends on has to be weighed again, though nothing else happens.
    pub(crate) weigh_at: Option<Time>,
    /// Its addresses, those that adverts list first.
    pub(crate) places: Vec<Place>,
    /// The links with its virtual MAC addresses, when it has any.
    pub(crate) vmacs: Vec<Vmac>,
    /// Why one of them cannot be had.
    pub(crate) vmac_refused: Option<String>,
    /// Kernel settings that are in its way, as they are told.
    pub(crate) advice: Vec<String>,
    /// Its routes, in the order of the config.
    pub(crate) ways: Vec<Way>,
    pub(crate) peer: Option<PeerStatus>,
    pub(crate) adverts_sent: u64,
    pub(crate) adverts_received: u64,
    pub(crate) restored: u64,
    pub(crate) conflicts: Conflicts,
    /// Its addresses are to be announced again, at the node's pace.
    pub(crate) announces: bool,
    own_priority: Priority,
    reasons: Vec<String>,
    takeovers: u64,
    since_ms: u64,
    why: String,
}

impl Instance {
    pub(crate) fn new(config: &Config, node: usize, router: &Router, auth: Option<Auth>) -> Self {
        let salt = router.vrid.get();
        let params = Params {
            version: router.version,
            interval: router.advert_interval,
            preempt: router.preempt,
            refresh: router.garp_refresh.map(|every| Refresh { every, salt }),
            farewell: teaches(router),
        };
        let mut track = Track::new(config, router);
        track.trackers = Trackers::new(&router.track, clock::wall_ms());
        Self {
            machine: Machine::new(params, Priority::UNFIT),
            places: places(router),
            vmacs: vmacs(router),
            vmac_refused: None,
            advice: Vec::new(),
            ways: ways(router),
            track,
            peers: peers(config, node, router),
            heartbeat: Heartbeat::new(config, node, router, auth.as_ref()),
            auth,
            dialects: Vec::new(),
            link: None,
            weigh_at: None,
            peer: None,
            adverts_sent: 0,
            adverts_received: 0,
            restored: 0,
            conflicts: Conflicts::new(ours(router)),
            announces: false,
            own_priority: config.nodes[node].priority,
            reasons: Vec::new(),
            takeovers: 0,
            since_ms: clock::wall_ms(),
            why: "the agent was started".to_owned(),
            router: router.clone(),
        }
    }

    /// Takes in through what it takes part from now on.
    pub(crate) fn settle(&mut self, link: Link, seats: Vec<Seat>, interfaces: &[Interface]) {
        self.link = Some(link);
        self.places.iter_mut().zip(seats).for_each(|(place, seat)| place.seat = Some(seat));
        self.ways.iter_mut().for_each(|way| way.find(interfaces));
        self.vmacs.iter_mut().for_each(|vmac| vmac.find(interfaces));
    }

    /// Where its adverts leave: to the group through the link with the virtual MAC address, if it has one (RFC 9568
    /// §7.2), so that switches learn the port. To peers through the interface: who asks for their MAC addresses through
    /// the link would teach them the virtual one for the node's own address.
    pub(crate) fn outlets(&self) -> Vec<Outlet> {
        let Some(link) = self.link else { return Vec::new() };
        let through = |source| {
            let vmac = self.vmacs.iter().find(|vmac| vmac.family == Family::of(source));
            let vmac = vmac.and_then(|vmac| vmac.index).filter(|_| self.peers.is_none());
            Outlet { source, interface: vmac.unwrap_or(link.index) }
        };
        link.sources().map(through).collect()
    }

    /// Looks at those trackers that need nobody to go and look.
    pub(crate) fn look(
        &mut self,
        now: Time,
        interfaces: &[Interface],
        plane: &DataPlane,
        events: &mut Vec<Event>,
    ) {
        let trackers = &mut self.track.trackers;
        events.extend(trackers.look(now, clock::wall_ms(), &self.router.name, interfaces, plane));
    }

    /// Takes in what was seen of a tracker; says whether it stands differently now.
    pub(crate) fn observe(&mut self, tracker: usize, finding: Finding, events: &mut Vec<Event>) -> bool {
        let name = &self.router.name;
        let event = self.track.trackers.observe(clock::wall_ms(), name, tracker, finding);
        let changed = event.is_some();
        events.extend(event);
        changed
    }

    /// When it has to be served next.
    pub(crate) fn deadline(&self) -> Option<Time> {
        [self.machine.deadline(), self.weigh_at, self.conflicts.deadline()].into_iter().flatten().min()
    }

    /// Takes a verdict in: what the machine has to hear, and what a human has to.
    pub(crate) fn obey(&mut self, verdict: Verdict, events: &mut Vec<Event>) -> Orders {
        let takes_part = self.machine.role() != Role::Initialize;
        let router = self.router.name.clone();
        let (link, priority, reasons) = match verdict {
            Verdict::Fault(reasons) => {
                if !takes_part && reasons != self.reasons {
                    events.push(Event::TakesNoPart { router, why: reasons.join("; ") });
                }
                self.reasons = reasons;
                return Orders { leave: takes_part, enter: None };
            }
            Verdict::Unfit(link, reasons) => (link, Priority::UNFIT, reasons),
            Verdict::Adjusted(link, by, reasons) => (link, adjusted(self.own_priority, by), reasons),
            Verdict::Fit(link) => (link, self.own_priority, Vec::new()),
        };
        if priority != self.machine.priority() || reasons != self.reasons {
            let why = if reasons.is_empty() { "fit to serve".to_owned() } else { reasons.join("; ") };
            events.push(Event::Competes { router, priority, why });
        }
        self.reasons = reasons;
        // Another index, MAC or source address: begin again rather than speak with a stale one.
        Orders { leave: takes_part && self.link != Some(link), enter: Some((link, priority)) }
    }

    /// The kernel refused an address: a fault from the next weighing on, until it is tried again.
    pub(crate) fn refuse(&mut self, now: Time, why: String) {
        self.track.refused = Some((why, now + RETRY));
        self.weigh_at = Some(now);
    }

    /// Notes a change of role; the event says it to humans.
    pub(crate) fn moved(&mut self, from: Role, to: Role, why: Why) -> Event {
        self.since_ms = clock::wall_ms();
        self.why = self.sentence(why);
        if to == Role::Active {
            self.takeovers += 1;
        }
        let now = clock::now();
        if from == Role::Active && self.is_own_fault(now, why) {
            self.track.flaps.lost(now);
        }
        Event::Moved { router: self.router.name.clone(), from, to, why: self.why.clone() }
    }

    /// Whether the Active role is lost for a reason that lies on this node and that no operator gave.
    fn is_own_fault(&self, now: Time, why: Why) -> bool {
        match why {
            Why::Fault => !self.track.released,
            // A better one took what this node only kept for want of anyone fit.
            Why::HigherPriority(..) | Why::HigherAddress(_) => {
                let held_down = self.track.flaps.held_until(now).is_some();
                self.machine.priority() == Priority::UNFIT && !self.track.standing_back && !held_down
            }
            Why::Started
            | Why::Owner
            | Why::Stopped
            | Why::Stalled(_)
            | Why::Silence(_)
            | Why::Resigned(_)
            | Why::Preempts(..) => false,
        }
    }

    /// Whether an advert of this VRID is one that this router believes. What costs a hash comes last.
    pub(crate) fn believes(&mut self, accepted: &Accepted<'_>) -> Result<(), Refusal> {
        let own = self.link.and_then(|link| link.source(Family::of(accepted.advert.source)));
        accepted.advert.fits(&Expected {
            own: own.ok_or(Refusal::UnknownVrid)?,
            version: self.router.version,
            interval: self.router.advert_interval,
            password: self.router.password,
            peers: self.peers.as_deref(),
        })?;
        accepted.is_authentic(clock::utc(), self.auth.as_mut())
    }

    /// The checksum dialect for a destination: that of the peer there, for the group that of the peer heard last, and
    /// keepalived's before anyone was heard.
    pub(crate) fn dialect_for(&self, destination: IpAddr) -> Dialect {
        let of_peer = self.dialects.iter().find(|(source, _)| *source == destination);
        of_peer.or(self.dialects.last()).map_or(Dialect::Pseudo, |(_, dialect)| *dialect)
    }

    /// Notes who was heard.
    pub(crate) fn heard(&mut self, advert: &Received, name: Option<String>) {
        self.adverts_received += 1;
        if Family::of(advert.source) == Family::V4 {
            self.dialects.retain(|(source, _)| *source != advert.source);
            if self.dialects.len() == DIALECTS {
                self.dialects.remove(0);
            }
            self.dialects.push((advert.source, advert.dialect));
        }
        // A peer that is heard on both wires is shown as it is on the first.
        let first = self.link.and_then(|link| link.sources().next()).map(Family::of);
        let on_first = |address| first.is_none_or(|first| Family::of(address) == first);
        if on_first(advert.source) || !self.peer.as_ref().is_some_and(|peer| on_first(peer.address)) {
            self.peer = Some(PeerStatus {
                address: advert.source,
                name,
                priority: advert.priority,
                interval: advert.interval,
                dialect: advert.dialect,
                heard_ms: clock::wall_ms(),
            });
        }
    }

    /// As the flight recorder begins with it.
    pub(crate) fn recorded(&self) -> Recorded {
        Recorded { name: self.router.name.clone(), machine: self.machine.clone() }
    }

    pub(crate) fn status(&self) -> RouterStatus {
        let now = clock::now();
        RouterStatus {
            name: self.router.name.clone(),
            interface: self.router.interface.clone(),
            vrid: self.router.vrid,
            version: self.router.version,
            role: self.machine.role(),
            since_ms: self.since_ms,
            why: self.why.clone(),
            priority: self.own_priority,
            effective_priority: self.machine.priority(),
            reasons: self.reasons.iter().map(|reason| self.track.with_time(now, reason)).collect(),
            advert_interval: self.router.advert_interval,
            addresses: self.places.iter().map(|place| self.address(place)).collect(),
            routes: self.ways.iter().map(Way::status).collect(),
            vmacs: self.vmacs.iter().map(Vmac::status).collect(),
            advice: self.advice.clone(),
            peer: self.peer.clone(),
            takeovers: self.takeovers,
            adverts_sent: self.adverts_sent,
            adverts_received: self.adverts_received,
            restored: self.restored,
            auth: self.auth.as_ref().map(auth_status),
            trackers: self.track.trackers.status(),
            hook: None,
            alarms: self.conflicts.alarms(),
            paths: self
                .heartbeat
                .as_ref()
                .map_or_else(Vec::new, |heartbeat| heartbeat.status(self.adverts_sent)),
        }
    }

    fn address(&self, place: &Place) -> AddressStatus {
        let elsewhere = place.name != self.router.interface;
        let interface = elsewhere.then(|| place.name.clone());
        AddressStatus { address: place.cidr, held: place.held, interface }
    }

    /// Who sent an advert, and whether that can be told: `nodes` advertise from their own addresses if we do.
    pub(crate) fn sender(&self, source: IpAddr, nodes: &[Node], own: usize) -> Sender {
        match nodes.iter().find(|node| node.address == source) {
            Some(node) => Sender::Node(node.name.clone()),
            None if self.speaks_from(nodes[own].address) && source.is_ipv4() => Sender::Stranger,
            None => Sender::Unknown,
        }
    }

    fn speaks_from(&self, address: IpAddr) -> bool {
        self.link.is_some_and(|link| link.sources().any(|source| source == address))
    }

    fn sentence(&self, why: Why) -> String {
        let peer = |address: IpAddr| match &self.peer {
            Some(PeerStatus { address: heard, name: Some(name), .. }) if *heard == address => {
                format!("{name} ({address})")
            }
            Some(_) | None => address.to_string(),
        };
        match why {
            Why::Started => "takes part from now on".to_owned(),
            Why::Stalled(span) => format!("was away for {span}, and listens before it serves again"),
            Why::Owner => "owns the addresses (priority 255)".to_owned(),
            Why::Stopped => "the agent is stopping".to_owned(),
            Why::Fault => match &self.track.refused {
                Some((refused, _)) => refused.clone(),
                None if self.reasons.is_empty() => "the interface has changed".to_owned(),
                None => self.reasons.join("; "),
            },
            Why::Silence(span) => format!("no advert for {span}"),
            Why::Resigned(by) => format!("{} gave it up", peer(by)),
            Why::Preempts(from, priority) => {
                format!("{} serves with the lower priority {priority}", peer(from))
            }
            Why::HigherPriority(by, priority) => format!("{} has the higher priority {priority}", peer(by)),
            Why::HigherAddress(by) => format!("{} has the same priority and the higher address", peer(by)),
        }
    }
}
