//! Session tickets (RFC 5077, RFC 8446 §4.6.1) that every node of a group can read: the session is in the ticket, and
//! the keys that seal it are in a file that the nodes share, so that a client resumes its session with whichever node
//! answers after a takeover.
//!
//! A ticket is `name(16) salt(16) sealed`, sealed with AES-256-GCM under a key of its own that HMAC-SHA-256 derives
//! from the named key and the salt: no nonce is ever used twice, however many tickets are written. A ticket is bound
//! to the terms it was given under: what was resumed without asking for a client's certificate is not accepted where
//! one is required, though the keys are the same.

use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac, rand};
use rustls::server::ProducesTickets;

use crate::net::clock;
use crate::net::secret::{self, Circle};
use crate::vrrp::Time;

/// How long a session can be resumed, in seconds: half a day, as others do.
const LIFETIME: u32 = 12 * 3600;
const NAME: usize = 16;
const SALT: usize = 16;
/// Bytes of a key in the file, at least: a name and what is secret.
const KEY: usize = 48;
/// Bytes of a key in the file, at most.
const LONGEST_KEY: usize = 256;
const LONGEST_FILE: u64 = 64 << 10;

/// The keys: the first seals, all of them open. Clones are the same keys.
#[derive(Clone)]
pub struct Keys(Arc<ArcSwap<Vec<Arc<Key>>>>);

struct Key {
    name: [u8; NAME],
    secret: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.load().len())
    }
}

impl Keys {
    /// A key that dies with the process.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> Result<Self> {
        Ok(Self::of(vec![Key::random()?]))
    }

    fn of(keys: Vec<Key>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keys.into_iter().map(Arc::new).collect())))
    }

    /// The keys of a file: one a line, in hexadecimal, the newest first; `#` begins a comment.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, a line is no key, or there is none.
    pub fn read(path: &Path, circle: &Circle) -> Result<Self> {
        Self::parse(&secret::read_within(path, circle, LONGEST_FILE)?)
            .map_err(|why| Error::new(ErrorKind::InvalidData, format!("{}: {why}", path.display())))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let help = "write 48 bytes or more in hexadecimal, as `openssl rand -hex 48` does";
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let number = number + 1;
            let key = hex(line).and_then(|bytes| Key::new(&bytes));
            let key = key.ok_or_else(|| format!("line {number} is no key: {help}"))?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(format!("line {number} begins as another key does: {help}"));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(format!("there is no key: {help}")) } else { Ok(Self::of(keys)) }
    }

    /// What seals and opens tickets of one frontend; those of other `terms` are not accepted.
    #[must_use]
    pub fn bound_to(&self, terms: Vec<u8>) -> Arc<dyn ProducesTickets> {
        Arc::new(Tickets { keys: self.clone(), terms })
    }
}

/// Keys that die with the process. A key that seals for as long as the process lives would open, to whoever learns it
/// on its last day, all that was said since the first.
#[derive(Debug)]
pub struct Own {
    keys: Keys,
    /// Since when the first one seals.
    since: Time,
}

impl Own {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(now: Time) -> Result<Self> {
        Ok(Self { keys: Keys::random()?, since: now })
    }

    /// As they are now and will be.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Puts a new one on top when the first has sealed for as long as a session can be resumed; that one goes on opening
    /// for as long again, until the last of its tickets is worth nothing. Whether it was time.
    ///
    /// # Errors
    /// The system has no random numbers; then nothing changes.
    pub fn renew(&mut self, now: Time) -> Result<bool> {
        if now.since(self.since).as_duration() < Duration::from_secs(LIFETIME.into()) {
            return Ok(false);
        }
        let before = self.keys.0.load().first().cloned();
        let keys = [Arc::new(Key::random()?)].into_iter().chain(before).collect();
        self.keys.0.store(Arc::new(keys));
        self.since = now;
        Ok(true)
    }
}

impl Key {
    fn random() -> Result<Self> {
        let mut bytes = [0; KEY];
        rand::fill(&mut bytes).map_err(|_| Error::other("the system has no random numbers"))?;
        Ok(Self::new(&bytes).ok_or(ErrorKind::InvalidData)?)
    }

    fn new(bytes: &[u8]) -> Option<Self> {
        let (name, secret) =
            bytes.split_first_chunk().filter(|_| (KEY..=LONGEST_KEY).contains(&bytes.len()))?;
        Some(Self { name: *name, secret: hmac::Key::new(hkdf::HKDF_SHA256.hmac_algorithm(), secret) })
    }

    /// The key of one ticket. It seals once, so that its nonce can stay the same.
    fn of_ticket(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let derived = hmac::sign(&self.secret, salt);
        UnboundKey::new(&AES_256_GCM, derived.as_ref()).ok().map(LessSafeKey::new)
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

struct Tickets {
    keys: Keys,
    terms: Vec<u8>,
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tickets of {:?}", self.keys)
    }
}

impl Tickets {
    fn seal(&self, plain: &[u8], now: u64) -> Option<Vec<u8>> {
        let keys = self.keys.0.load();
        let key = keys.first()?;
        let mut ticket = Vec::with_capacity(NAME + SALT + 8 + plain.len() + AES_256_GCM.tag_len());
        let mut salt = [0; SALT];
        rand::fill(&mut salt).ok()?;
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(&salt);
        let mut sealed = now.to_be_bytes().to_vec();
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        key.of_ticket(&salt)?.seal_in_place_append_tag(nonce, Aad::from(&self.terms), &mut sealed).ok()?;
        ticket.extend_from_slice(&sealed);
        Some(ticket)
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (salt, sealed) = rest.split_at_checked(SALT)?;
        let keys = self.keys.0.load();
        let key = keys.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let plain = key.of_ticket(salt)?.open_in_place(nonce, Aad::from(&self.terms), &mut sealed).ok()?;
        let (sealed_at, session) = plain.split_first_chunk()?;
        // The clocks of two nodes differ: what seems to come from the future is taken.
        let age = now.saturating_sub(u64::from_be_bytes(*sealed_at));
        (age <= u64::from(LIFETIME)).then(|| session.to_vec())
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, clock::wall_ms() / 1000)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, clock::wall_ms() / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::Span;

    fn keys(text: &str) -> Keys {
        Keys::parse(text).expect("keys")
    }

    fn tickets(keys: &Keys, terms: &[u8]) -> Tickets {
        Tickets { keys: keys.clone(), terms: terms.to_vec() }
    }

    #[test]
    fn a_ticket_is_opened_by_every_node_that_has_its_key_and_by_no_other() {
        let (old, new) = ("11".repeat(48), "22".repeat(64));
        let before = tickets(&keys(&old), b"web");
        let ticket = before.seal(b"session", 1_000).expect("sealed");
        let rotated = keys(&format!("{new}  # of today\n\n{old}\n"));
        assert_eq!(tickets(&rotated, b"web").open(&ticket, 1_000).as_deref(), Some(&b"session"[..]));
        assert_eq!(tickets(&keys(&new), b"web").open(&ticket, 1_000), None);
        assert_eq!(tickets(&rotated, b"other terms").open(&ticket, 1_000), None);
        // The first one seals.
        let next = tickets(&rotated, b"web").seal(b"session", 1_000).expect("sealed");
        assert_eq!(before.open(&next, 1_000), None);
        assert!(tickets(&keys(&new), b"web").open(&next, 1_000).is_some());
    }

    #[test]
    fn a_ticket_ages_and_is_worth_nothing_when_it_is_bent() {
        let tickets = tickets(&Keys::random().expect("random"), b"web");
        let ticket = tickets.seal(b"session", 1_000).expect("sealed");
        let end = 1_000 + u64::from(LIFETIME);
        assert!(tickets.open(&ticket, end).is_some() && tickets.open(&ticket, 0).is_some());
        assert_eq!(tickets.open(&ticket, end + 1), None);
        assert_ne!(tickets.seal(b"session", 1_000), Some(ticket.clone()));
        for at in 0..ticket.len() {
            assert_eq!(tickets.open(&ticket[..at], 1_000), None);
            let mut bent = ticket.clone();
            bent[at] ^= 1;
            assert_eq!(tickets.open(&bent, 1_000), None);
        }
    }

    #[test]
    fn a_key_of_ones_own_seals_for_half_a_day_and_opens_for_another() {
        let half_a_day = Span::from_millis(u64::from(LIFETIME) * 1000);
        let begun = Time::from_micros(5);
        let mut own = Own::new(begun).expect("random");
        let tickets = tickets(own.keys(), b"web");
        let first = tickets.seal(b"session", 1_000).expect("sealed");
        assert!(!own.renew(begun + (half_a_day - Span::from_micros(1))).expect("random"));
        assert_eq!(tickets.seal(b"session", 1_000).expect("sealed")[..NAME], first[..NAME]);
        assert!(own.renew(begun + half_a_day).expect("random"));
        // Whoever had the keys has the new one, and the old one still opens.
        let second = tickets.seal(b"session", 1_000).expect("sealed");
        assert_ne!(second[..NAME], first[..NAME]);
        assert!(tickets.open(&first, 1_000).is_some() && tickets.open(&second, 1_000).is_some());
        assert!(!own.renew(begun + half_a_day).expect("random"));
        assert!(own.renew(begun + half_a_day + half_a_day).expect("random"));
        assert!(tickets.open(&first, 1_000).is_none() && tickets.open(&second, 1_000).is_some());
    }

    #[test]
    fn what_is_no_key_is_said_with_its_line() {
        let wrong = |text: &str| Keys::parse(text).expect_err("no keys");
        let help = "write 48 bytes or more in hexadecimal, as `openssl rand -hex 48` does";
        let good = "ab".repeat(48);
        assert_eq!(wrong("# none\n"), format!("there is no key: {help}"));
        for bad in ["ab".repeat(47), "ab".repeat(257), format!("{good}a"), format!("{good}zz")] {
            assert_eq!(wrong(&format!("# keys\n{bad}")), format!("line 2 is no key: {help}"));
        }
        assert_eq!(wrong(&format!("{good}\n{good}")), format!("line 2 begins as another key does: {help}"));
    }
}
