//! Neighbours that did not answer (RFC 4861 §5.1, state INCOMPLETE; ARP the same).

use std::io;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};

use super::requests::{Netlink, done_unless, into_io};

impl Netlink {
    /// Makes the kernel forget whom it is asking for on an interface and has no answer of, so that it asks at once when
    /// there is something to send. Who was asked for while the cable was out is otherwise asked again only when a second
    /// has passed (RetransTimer, RFC 4861 §10), and what is sent there waits.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_ADMIN, and what else the kernel says.
    pub async fn forget_unanswered(&self, interface: u32) -> io::Result<()> {
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let table = self.handle.neighbours().get().set_address_family(family).execute();
            let table: Vec<_> = table.try_collect().await.map_err(into_io)?;
            for neighbour in table.iter().filter(|one| is_unanswered(one, interface)) {
                let mut forget = NeighbourMessage::default();
                forget.header = neighbour.header.clone();
                let attributes = neighbour.attributes.iter();
                let address = attributes.filter(|one| matches!(one, NeighbourAttribute::Destination(_)));
                forget.attributes = address.cloned().collect();
                done_unless(self.handle.neighbours().del(forget).execute().await, libc::ENOENT)?;
            }
        }
        Ok(())
    }
}

fn is_unanswered(neighbour: &NeighbourMessage, interface: u32) -> bool {
    neighbour.header.ifindex == interface && neighbour.header.state == NeighbourState::Incomplete
}
