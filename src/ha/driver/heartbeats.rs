//! The driver's second ear: adverts that come over UDP. They reach the same machines as those of the main path.

use super::Ha;
use super::intake::PACKET;
use crate::ha::conflict::{Sender, Sight};
use crate::ha::heartbeat::sockets::Datagram;
use crate::ha::paths::Which;
use crate::net::clock;
use crate::vrrp::{Input, Refusal, Role, Time};

/// Datagrams that one turn takes at most: each may cost a hash, and the main path and the timers come first.
const BATCH: usize = 64;

impl Ha {
    /// Takes what came over UDP.
    pub(super) async fn drain_heartbeats(&mut self) {
        let now = clock::now();
        let mut buffer = [0; PACKET];
        for _ in 0..BATCH {
            let datagram = match self.hands.heartbeats.receive(&mut buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!("UDP heartbeat: {error}");
                    continue;
                }
            };
            if let Err(refusal) = self.weigh_heartbeat(now, datagram, &buffer).await {
                self.hands.heartbeats.refuse(refusal);
            }
        }
        self.hands.heartbeats.check(now);
    }

    async fn weigh_heartbeat(&mut self, now: Time, datagram: Datagram, buffer: &[u8]) -> Result<(), Refusal> {
        let accepted = self.hands.heartbeats.judge(datagram, buffer)?;
        let advert = accepted.advert;
        let of_port = |position: &usize| {
            let heartbeat = self.instances[*position].heartbeat.as_ref();
            heartbeat.is_some_and(|heartbeat| heartbeat.port() == datagram.port)
        };
        let routers = self.by_vrid.get(&advert.vrid).ok_or(Refusal::UnknownVrid)?;
        let position = routers.iter().copied().find(of_port).ok_or(Refusal::UnknownVrid)?;
        self.instances[position].believes_heartbeat(&accepted)?;
        let node = self.config.nodes.iter().find(|node| node.address == advert.source);
        let name = node.map(|node| node.name.clone());
        let sender = name.clone().map_or(Sender::Unknown, Sender::Node);
        self.observe(now, position, &Sight::Advert(&advert, sender)).await;
        let instance = &mut self.instances[position];
        instance.heard_on(Which::Heartbeat, now, &advert, &mut self.events);
        instance.heard_over_udp(&advert, name);
        if instance.is_overtaken(Which::Heartbeat, now, &advert) {
            return Ok(());
        }
        if instance.machine.role() != Role::Active || !instance.leaves_it_to_the_main_path(&advert) {
            self.feed(now, position, Input::Advert(advert)).await;
        }
        Ok(())
    }
}
