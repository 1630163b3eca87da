//! Performs the effects of one router, in their order. One that fails comes back as a fault of the router.

use crate::event::Event;
use crate::net::arp::ArpSocket;
use crate::net::netlink::Netlink;
use crate::net::vrrp_socket::VrrpSocket;
use crate::vrrp::wire::{self, Advert, Path};
use crate::vrrp::{Cidr, Dialect, Effect, Priority};

use super::instance::Instance;

/// The adapters through which effects reach the kernel.
pub(crate) struct Hands {
    pub(crate) socket: VrrpSocket,
    pub(crate) arp: ArpSocket,
    pub(crate) netlink: Netlink,
    message: Vec<u8>,
}

impl Hands {
    /// Opens every adapter.
    pub(crate) fn open() -> std::io::Result<Self> {
        Ok(Self {
            socket: VrrpSocket::open()?,
            arp: ArpSocket::open()?,
            netlink: Netlink::open()?,
            message: Vec::with_capacity(8 + 4 * 255),
        })
    }

    /// Performs `effects` in order.
    ///
    /// # Errors
    /// The words for the fault when an address could not be claimed.
    pub(crate) async fn perform(
        &mut self,
        instance: &mut Instance,
        effects: &[Effect],
        events: &mut Vec<Event>,
    ) -> Result<(), String> {
        for effect in effects {
            match *effect {
                Effect::SendAdvert(priority) => self.advertise(instance, priority),
                Effect::Claim => self.claim(instance).await?,
                Effect::Announce => self.announce(instance),
                Effect::Release => self.release(instance, events).await,
                Effect::Moved { from, to, why } => events.push(instance.moved(from, to, why)),
            }
        }
        Ok(())
    }

    /// Puts one address on the interface; says whether it was missing.
    pub(crate) async fn put(&self, instance: &Instance, cidr: Cidr) -> Result<bool, String> {
        let link = instance.link.ok_or("no interface")?;
        self.netlink
            .add(link.index, cidr)
            .await
            .map_err(|error| format!("{cidr} could not be put on {}: {error}", instance.router.interface))
    }

    /// Gratuitous ARP for every address of the router.
    pub(crate) fn announce(&self, instance: &Instance) {
        let Some(link) = instance.link else { return };
        for cidr in &instance.router.addresses {
            if let Err(error) = self.arp.announce(link.index, link.mac, cidr.address) {
                tracing::warn!(
                    "gratuitous ARP for {} on {}: {error}",
                    cidr.address,
                    instance.router.interface
                );
            }
        }
    }

    /// Encoded anew each time, so that nothing stale is ever sent. A failure shows as silence to the peers, who
    /// then do what has to be done; the cause is an interface event that comes by itself.
    fn advertise(&mut self, instance: &mut Instance, priority: Priority) {
        let Some(link) = instance.link else { return };
        let router = &instance.router;
        let advert = Advert { vrid: router.vrid, priority, interval: router.advert_interval };
        let addresses: Vec<_> = router.addresses.iter().map(|cidr| cidr.address).collect();
        let path = Path { source: link.source, destination: wire::GROUP };
        self.message.clear();
        wire::emit(advert, &addresses, path, Dialect::Pseudo, &mut self.message);
        match self.socket.send(&self.message, link.index, link.source) {
            Ok(()) => instance.adverts_sent += 1,
            Err(error) => tracing::debug!("advert of {} on {}: {error}", router.name, router.interface),
        }
    }

    async fn claim(&self, instance: &mut Instance) -> Result<(), String> {
        for position in 0..instance.router.addresses.len() {
            self.put(instance, instance.router.addresses[position]).await?;
            instance.held[position] = true;
        }
        Ok(())
    }

    async fn release(&self, instance: &mut Instance, events: &mut Vec<Event>) {
        let Some(link) = instance.link else { return };
        for (address, held) in instance.router.addresses.iter().zip(&mut instance.held) {
            match self.netlink.remove(link.index, *address).await {
                Ok(_) => *held = false,
                Err(error) => events.push(Event::AddressFailed {
                    router: instance.router.name.clone(),
                    address: *address,
                    why: format!("could not be taken off {}: {error}", instance.router.interface),
                }),
            }
        }
    }
}
