//! Who else claims addresses of ours, whatever the family: both listeners as one.

use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::select;

use crate::config::Router;
use crate::net::arp_watch::ArpWatch;
use crate::net::claim::Claim;
use crate::net::ndp_watch::NdpWatch;

/// The listeners. There is one for a family that has addresses: the other costs nothing.
pub(crate) struct Claims {
    arp: Option<ArpWatch>,
    ndp: Option<NdpWatch>,
}

impl Claims {
    /// Listens for claims of every address of `routers`.
    pub(crate) fn open(routers: &[Router]) -> io::Result<Self> {
        let (v4, v6) = by_family(routers.iter().flat_map(Router::places).map(|(cidr, _)| cidr.address));
        Ok(Self {
            arp: (!v4.is_empty()).then(|| ArpWatch::open(&v4)).transpose()?,
            ndp: (!v6.is_empty()).then(|| NdpWatch::open(&v6)).transpose()?,
        })
    }

    /// Waits until there may be a claim. May be dropped and called again.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        let arp = async {
            match &self.arp {
                Some(arp) => arp.readable().await,
                None => pending().await,
            }
        };
        let ndp = async {
            match &self.ndp {
                Some(ndp) => ndp.readable().await,
                None => pending().await,
            }
        };
        select! {
            heard = arp => heard,
            heard = ndp => heard,
        }
    }

    /// Takes what was heard next without waiting, with the index of the interface; `None` when there is nothing.
    pub(crate) fn receive(&self) -> io::Result<Option<(u32, Option<Claim>)>> {
        let arp = self.arp.as_ref().map_or(Ok(None), ArpWatch::receive)?;
        if arp.is_some() { Ok(arp) } else { self.ndp.as_ref().map_or(Ok(None), NdpWatch::receive) }
    }
}

fn by_family(addresses: impl Iterator<Item = IpAddr>) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(address) => v4.push(address),
            IpAddr::V6(address) => v6.push(address),
        }
    }
    (v4, v6)
}
