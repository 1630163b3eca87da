//! The connection for events: something about an interface or an address has changed, or a route of ours has gone.
//!
//! It only says that it is time to look again; what is true then is asked of the kernel. An overrun of the
//! socket's buffer (ENOBUFS) is therefore one more reason to look, and nothing is lost.

use std::future::ready;
use std::io;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::AsyncSocket;
use rtnetlink::{MulticastGroup, new_multicast_connection};

use super::routes::is_ours;

/// Room for bursts: a host with many containers changes thousands of addresses at a time.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A subscription to link and address events, and to those of our routes.
pub struct Watch {
    events: BoxStream<'static, ()>,
}

impl Watch {
    /// Subscribes and lets the current tokio runtime drive the connection. `routes`: also to what becomes of routes;
    /// without any of ours, those of others (a routing daemon has thousands) need not be looked through.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn open(routes: bool) -> io::Result<Self> {
        let mut groups = vec![MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        if routes {
            groups.extend([MulticastGroup::Ipv4Route, MulticastGroup::Ipv6Route]);
        }
        let (mut connection, _, events) = new_multicast_connection(&groups)?;
        connection.socket_mut().socket_mut().set_rx_buf_sz(RECEIVE_BUFFER)?;
        tokio::spawn(connection);
        Ok(Self { events: events.filter_map(|(message, _)| ready(concerns(&message))).fuse().boxed() })
    }

    /// Waits for a change. Everything that has come in by then is one change. May be dropped and called again.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn changed(&mut self) -> io::Result<()> {
        if self.events.next().await.is_none() {
            return Err(io::Error::other("the netlink connection for events has ended"));
        }
        while let Some(Some(())) = self.events.next().now_or_never() {}
        Ok(())
    }
}

/// Something that there is reason to look for. Of routes only the end of one of ours is: what becomes of others is
/// none of our business, and those that we add cause events as well.
fn concerns(message: &NetlinkMessage<RouteNetlinkMessage>) -> Option<()> {
    if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(_)) = message.payload {
        return None;
    }
    if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(route)) = &message.payload {
        return is_ours(route).then_some(());
    }
    Some(())
}
