//! Whether the servers of a pool are told by the PROXY protocol who their clients are.

/// The version of the PROXY protocol that connections to the servers begin with (HAProxy's proxy-protocol.txt).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendProxy {
    /// A line of text (§2.1).
    V1,
    /// A binary header (§2.2).
    V2,
}

/// Version 2's first twelve bytes, which no other protocol begins with (§2.2).
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

impl SendProxy {
    /// What a connection begins with that nobody is behind, or of whom nothing can be said: the server takes it as it
    /// is. Version 1 says UNKNOWN, version 2 says LOCAL.
    #[must_use]
    pub const fn nobody(self) -> &'static [u8] {
        match self {
            Self::V1 => b"PROXY UNKNOWN\r\n",
            Self::V2 => b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
        }
    }
}
