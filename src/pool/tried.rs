//! The servers that one request has tried in vain.

use super::ServerId;

/// The servers that one request has tried in vain: at most [`Tried::MOST`], so that a request never walks through
/// thousands of dead servers, and no memory of its own.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Every connection has room for these: 32 bits each are enough for the servers of a process.
    servers: [u32; Self::MOST],
    count: u8,
}

impl Tried {
    /// A request that so many servers have failed gets an answer from the proxy.
    pub const MOST: usize = 16;

    /// Adds a server. When it is full, nothing: then no server is picked any more.
    pub fn add(&mut self, server: ServerId) {
        if let Some(place) = self.servers.get_mut(usize::from(self.count)) {
            *place = short(server);
            self.count += 1;
        }
    }

    /// Whether the server was tried.
    #[must_use]
    pub fn contains(&self, server: ServerId) -> bool {
        self.servers[..usize::from(self.count)].contains(&short(server))
    }

    /// Whether none was tried.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether enough were tried.
    #[must_use]
    pub fn is_full(&self) -> bool {
        usize::from(self.count) == Self::MOST
    }
}

fn short(server: ServerId) -> u32 {
    u32::try_from(server.0).unwrap_or(u32::MAX)
}
