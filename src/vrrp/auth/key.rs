//! Keys, and the text of a key file: one key a line, `ID HEX`, with comments behind `#`.
//!
//! ```text
//! # openssl rand -hex 32
//! 1 8f0c…   # 64 to 128 hexadecimal digits, 32 to 64 bytes
//! 2 51d7…   # the next one, accepted already
//! ```
//!
//! Key material must never be shown: not by `Debug`, not in the words of an error.

use std::fmt;
use std::num::NonZeroU8;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Bytes of a key: at least as many as the hash puts out, at most one block of it.
const SHORTEST: usize = 32;
const LONGEST: usize = 64;

/// Which key a trailer was made with, 1..=255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(NonZeroU8);

impl KeyId {
    /// `id` as a key id; `None` for 0.
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number, 1..=255.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A shared secret of 32 to 64 bytes, kept as the state of the hash that has taken it in.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    mac: Hmac<Sha256>,
}

impl Key {
    /// `bytes` as the key `id`.
    ///
    /// # Errors
    /// Why they are no key, in words that do not show them.
    pub fn new(id: KeyId, bytes: &[u8]) -> Result<Self, String> {
        if !(SHORTEST..=LONGEST).contains(&bytes.len()) {
            let length = bytes.len();
            return Err(format!("the key has {length} bytes, a key has {SHORTEST} to {LONGEST}"));
        }
        if bytes.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err("the key is one byte repeated, which everybody can guess".to_owned());
        }
        let mac = Hmac::new_from_slice(bytes).map_err(|error| error.to_string())?;
        Ok(Self { id, mac })
    }

    /// Its id.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The key that HMAC-SHA256 with this one makes of `purpose`, under the same id.
    fn made_into(&self, purpose: &[u8]) -> Self {
        // A key shorter than a block is padded with zeros (RFC 2104 §2).
        let mut block = [0; LONGEST];
        block[..SHORTEST].copy_from_slice(&self.mac().chain_update(purpose).finalize().into_bytes());
        Self { id: self.id, mac: Hmac::new(&block.into()) }
    }

    /// A hash that has taken the key in.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        self.mac.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A line of a key file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongLine {
    /// Which line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it and what to do; no part of a key.
    pub why: String,
}

impl fmt::Display for WrongLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.why),
            line => write!(f, "line {line}: {}", self.why),
        }
    }
}

/// The keys of a group: one signs, all are accepted, so that a key is replaced without a moment of silence.
#[derive(Clone, Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads the text of a key file.
    ///
    /// # Errors
    /// Every line that is wrong, in order; never empty.
    pub fn parse(text: &str) -> Result<Self, Vec<WrongLine>> {
        let mut keys: Vec<Key> = Vec::new();
        let mut wrong = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split_once('#').map_or(content, |(content, _)| content).trim();
            if content.is_empty() {
                continue;
            }
            match read(content) {
                Ok(key) if keys.iter().any(|known| known.id == key.id) => {
                    let why = format!("there is a key {} already: each key has its own id", key.id);
                    wrong.push(WrongLine { line, why });
                }
                Ok(key) => keys.push(key),
                Err(why) => wrong.push(WrongLine { line, why }),
            }
        }
        if keys.is_empty() && wrong.is_empty() {
            let why = "there is no key in it: write a line `1 HEX`, with HEX from `openssl rand -hex 32`";
            wrong.push(WrongLine { line: 0, why: why.to_owned() });
        }
        if wrong.is_empty() { Ok(Self(keys)) } else { Err(wrong) }
    }

    /// A key for another purpose made of each of them.
    pub(super) fn made_into(&self, purpose: &[u8]) -> Self {
        Self(self.0.iter().map(|key| key.made_into(purpose)).collect())
    }

    /// The key of that id.
    pub fn get(&self, id: KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    /// The ids, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.iter().map(|key| key.id)
    }
}

/// One line without its comment.
fn read(content: &str) -> Result<Key, String> {
    let mut words = content.split_whitespace();
    let (Some(id), Some(hex), None) = (words.next(), words.next(), words.next()) else {
        return Err("expected `ID HEX`, two words".to_owned());
    };
    let id = id.parse().ok().and_then(KeyId::new).ok_or("the first word is a key's id, 1 to 255")?;
    Key::new(id, &bytes(hex)?)
}

/// Hexadecimal digits to bytes. The error says where, never what.
fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    // keepalived writes keys with this prefix.
    let hex = hex.strip_prefix("hex:").unwrap_or(hex);
    let digit = |(at, c): (usize, char)| {
        let value = c.to_digit(16).and_then(|value| u8::try_from(value).ok());
        value.ok_or_else(|| format!("the key's character {} is no hexadecimal digit", at + 1))
    };
    let digits = hex.chars().enumerate().map(digit).collect::<Result<Vec<u8>, _>>()?;
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(format!("the key has {} digits, an odd number: one is missing", digits.len()));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
