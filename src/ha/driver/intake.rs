//! The driver's ears: packets from the sockets to the routers that they are for, or refused with a reason.

use crate::ha::paths::Which;
use crate::net::clock;
use crate::vrrp::{Accepted, Input, Received, Refusal, Time};

use super::{BATCH, Ha};

/// Larger than any advert; what is longer is cut off and then refused for its length.
pub(super) const PACKET: usize = 2048;

impl Ha {
    /// Reads what has come, and lets it be heard or refused.
    pub(super) async fn drain(&mut self) {
        let now = clock::now();
        let mut buffer = [0; PACKET];
        for _ in 0..BATCH {
            let arrival = match self.hands.wires.receive(&mut buffer) {
                Ok(Some(arrival)) => arrival,
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!("VRRP socket: {error}");
                    continue;
                }
            };
            let heard = match arrival.judge(&buffer) {
                Ok(accepted) => self.weigh_advert(now, arrival.interface, &accepted).await,
                Err(refusal) => Err(refusal),
            };
            if let Err(refusal) = heard {
                self.refusing.refuse(refusal, arrival.stands_for);
            }
        }
        self.refusing.check(now, &mut self.hands.wires, &self.config.routers);
    }

    /// Finds the router that an advert is for, looks for conflicts, and lets the router hear what it believes.
    async fn weigh_advert(
        &mut self,
        now: Time,
        interface: u32,
        accepted: &Accepted<'_>,
    ) -> Result<(), Refusal> {
        let Some(position) = self.speaks_of(interface, &accepted.advert) else {
            let early = self.is_early(interface, &accepted.advert);
            return if early { Ok(()) } else { Err(Refusal::UnknownVrid) };
        };
        self.suspect(now, position, &accepted.advert).await;
        self.instances[position].believes(accepted)?;
        self.hear(now, position, accepted.advert).await;
        Ok(())
    }

    /// The router whose VRID an advert has.
    fn speaks_of(&self, interface: u32, advert: &Received) -> Option<usize> {
        let there = |position: &usize| self.instances[*position].link.is_some_and(|at| at.index == interface);
        self.by_vrid.get(&advert.vrid)?.iter().copied().find(there)
    }

    /// Whether an advert is for a router that has not taken part yet: in Initialize it is nothing (RFC 9568 §6.4.1), and
    /// no mistake of the peer's either.
    fn is_early(&self, interface: u32, advert: &Received) -> bool {
        let Some(card) = self.interfaces.iter().find(|card| card.index == interface) else { return false };
        let waits = |position: &usize| {
            let instance = &self.instances[*position];
            instance.link.is_none() && instance.router.interface == card.name
        };
        self.by_vrid.get(&advert.vrid).is_some_and(|positions| positions.iter().any(waits))
    }

    async fn hear(&mut self, now: Time, position: usize, advert: Received) {
        let node = self.config.nodes.iter().find(|node| node.address == advert.source);
        let instance = &mut self.instances[position];
        instance.heard(&advert, node.map(|node| node.name.clone()));
        instance.heard_on(Which::Main, now, &advert, &mut self.events);
        if !instance.is_overtaken(Which::Main, now, &advert) {
            self.feed(now, position, Input::Advert(advert)).await;
        }
    }
}
