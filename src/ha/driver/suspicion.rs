//! The driver's second look: who else claims our addresses, and adverts that contradict ours.
//!
//! It only shows `conflict` what was seen and does what that asks for; which router hears an advert is decided next door.

use super::{BATCH, Ha};
use crate::ha::conflict::Sight;
use crate::ha::instance::Instance;
use crate::ha::pace::Kind;
use crate::ha::place::Place;
use crate::net::clock;
use crate::vrrp::{Input, Received, Time};

impl Ha {
    /// Hears who else claims addresses of ours.
    pub(super) async fn drain_claims(&mut self) {
        let now = clock::now();
        for _ in 0..BATCH {
            let (interface, claim) = match self.hands.claims.receive() {
                Ok(Some((interface, Some(claim)))) => (interface, claim),
                Ok(Some((_, None))) => continue,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!("ARP or ND socket: {error}");
                    continue;
                }
            };
            let holds = |instance: &Instance| {
                instance.places.iter().any(|Place { cidr, seat, .. }| {
                    cidr.address == claim.address
                        && seat.is_some_and(|at| {
                            [at.index, at.card.index].contains(&interface)
                                && at.mac.is_some_and(|mac| mac != claim.mac)
                        })
                })
            };
            if let Some(position) = self.instances.iter().position(holds) {
                self.observe(now, position, &Sight::Claim(claim)).await;
            }
        }
    }

    /// Compares an advert of a VRID of ours, whether it will be believed or not, with what it should be.
    pub(super) async fn suspect(&mut self, now: Time, position: usize, advert: &Received) {
        let instance = &self.instances[position];
        let own = instance.link.is_some_and(|link| link.sources().any(|source| source == advert.source));
        if !own {
            let sender = instance.sender(advert.source, &self.config.nodes, self.node);
            self.observe(now, position, &Sight::Advert(advert, sender)).await;
        }
    }

    /// Shows a router's conflicts what happened, and does what they ask for.
    pub(super) async fn observe(&mut self, now: Time, position: usize, sight: &Sight<'_>) {
        let instance = &mut self.instances[position];
        let asks = instance.conflicts.handle(now, clock::wall_ms(), sight, &mut self.events);
        if asks.probe {
            self.pacer.push(Kind::Probe, position, instance.places.len());
        }
        self.agenda.set(position, instance.deadline());
        if asks.defend {
            self.feed(now, position, Input::Contested).await;
        }
    }
}
