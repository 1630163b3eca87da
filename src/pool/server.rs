//! A server as the cores see it: an address with an identity, a share, and how busy it is.

use std::net::SocketAddr;

use super::digest::digest;
use super::load::Load;

/// Identity of a server in this process: its place among all servers of all pools, in the order of the config.
/// Counters, pools of idle connections and health trackers are kept by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub usize);

/// A server that may get requests.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its identity.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share at this moment, 1..=4096: what counts is how the shares of a pool relate.
    pub weight: u16,
    /// Gets requests only when no server is left that is not a backup.
    pub backup: bool,
    /// What a client's cookie calls it.
    pub token: Token,
    /// How busy it is. Clones share it, so that it survives the snapshots.
    pub load: Load,
}

impl Server {
    /// A server that is no backup and has nothing to do yet. Its token is that of a pool without a name.
    #[must_use]
    pub fn new(id: ServerId, name: impl Into<String>, address: SocketAddr, weight: u16) -> Self {
        let name = name.into();
        let token = Token::of("", &name);
        Self { id, name, address, weight, backup: false, token, load: Load::default() }
    }
}

/// What a client is told about the server that it got: says the same on every node and after every restart, and
/// nothing about the server's name or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u64);

impl Token {
    /// Length of its text.
    pub const LENGTH: usize = 16;

    /// The token of a server of a pool.
    #[must_use]
    pub fn of(pool: &str, server: &str) -> Self {
        // No name has a slash in it, so that `a/bc` and `ab/c` differ.
        Self(digest(format!("{pool}/{server}").as_bytes()))
    }

    /// The token that `text` is; `None` when it is none of ours.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digit = |sum: u64, byte: &u8| {
            let digit = char::from(*byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase())?;
            Some(sum << 4 | u64::from(digit))
        };
        let sum = (text.len() == Self::LENGTH).then(|| text.iter().try_fold(0, digit))?;
        sum.map(Self)
    }

    /// Its text: 16 hexadecimal digits.
    #[must_use]
    pub fn text(self) -> [u8; Self::LENGTH] {
        let mut text = [0; Self::LENGTH];
        for (digit, shift) in text.iter_mut().zip((0..64).step_by(4).rev()) {
            *digit = b"0123456789abcdef"[usize::try_from(self.0 >> shift & 0xf).unwrap_or(0)];
        }
        text
    }
}
