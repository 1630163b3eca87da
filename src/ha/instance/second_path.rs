//! What a second path of adverts means to a router: who is believed there, and what it tells of both paths.

use super::Instance;
use crate::event::Event;
use crate::ha::paths::Which;
use crate::link::PeerStatus;
use crate::net::clock;
use crate::vrrp::timing::active_down_interval;
use crate::vrrp::{Accepted, Received, Refusal, Role, Time};

impl Instance {
    /// Whether an advert of this VRID that came over UDP is one that this router believes.
    pub(crate) fn believes_heartbeat(&mut self, accepted: &Accepted<'_>) -> Result<(), Refusal> {
        let heartbeat = self.heartbeat.as_mut().ok_or(Refusal::UnknownVrid)?;
        heartbeat.believes(&self.router, accepted)
    }

    /// Notes on which path a believed advert came.
    pub(crate) fn heard_on(&mut self, which: Which, now: Time, advert: &Received, events: &mut Vec<Event>) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        let priority = self.machine.priority();
        let down = active_down_interval(self.router.version, priority, advert.interval);
        let spans = (advert.interval.span(), down);
        heartbeat.paths.heard((now, clock::wall_ms()), which, spans, &self.router.name, events);
    }

    /// Whether a resignation on the other path has overtaken a believed advert, so that it says nothing any more.
    pub(crate) fn is_overtaken(&mut self, which: Which, now: Time, advert: &Received) -> bool {
        // Heartbeats are adverts of the nodes' IPv4 addresses; the other family's have no second path.
        let Some(heartbeat) = self.heartbeat.as_mut().filter(|_| advert.source.is_ipv4()) else {
            return false;
        };
        let signed = match which {
            Which::Main => self.auth.as_ref().and_then(|auth| auth.latest(advert.source)),
            Which::Heartbeat => heartbeat.latest(advert.source),
        };
        let down = active_down_interval(self.router.version, self.machine.priority(), advert.interval);
        heartbeat.order.is_overtaken(now, advert, signed, down)
    }

    /// Notes who was heard over UDP. How he speaks on the main path is heard there alone.
    pub(crate) fn heard_over_udp(&mut self, advert: &Received, name: Option<String>) {
        let known = self.peer.as_ref().filter(|peer| peer.name == name);
        let (address, dialect) =
            known.map_or((advert.source, advert.dialect), |peer| (peer.address, peer.dialect));
        self.peer = Some(PeerStatus {
            address,
            name,
            priority: advert.priority,
            interval: advert.interval,
            dialect,
            heard_ms: clock::wall_ms(),
        });
    }

    /// The role may have changed: only a Backup watches its paths.
    pub(crate) fn watch_paths(&mut self) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        heartbeat.paths.watch(clock::wall_ms(), self.machine.role() == Role::Backup);
    }

    /// Whether an advert that came over UDP may not decide between equal priorities.
    pub(crate) fn leaves_it_to_the_main_path(&self, advert: &Received) -> bool {
        let source = self.link.and_then(|link| link.sources().next());
        let heartbeat = self.heartbeat.as_ref();
        heartbeat.is_some_and(|heartbeat| heartbeat.leaves_it(advert, self.machine.priority(), source))
    }
}
