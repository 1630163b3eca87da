//! The connection for events: something about an interface or an address has changed.
//!
//! It only says that it is time to look again; what is true then is asked of the kernel. An overrun of the
//! socket's buffer (ENOBUFS) is therefore one more reason to look, and nothing is lost.

use std::io;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use rtnetlink::sys::AsyncSocket;
use rtnetlink::{MulticastGroup, new_multicast_connection};

/// Room for bursts: a host with many containers changes thousands of addresses at a time.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A subscription to link and address events.
pub struct Watch {
    events: BoxStream<'static, ()>,
}

impl Watch {
    /// Subscribes and lets the current tokio runtime drive the connection.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn open() -> io::Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (mut connection, _, events) = new_multicast_connection(&groups)?;
        connection.socket_mut().socket_mut().set_rx_buf_sz(RECEIVE_BUFFER)?;
        tokio::spawn(connection);
        Ok(Self { events: events.map(|_| ()).fuse().boxed() })
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
