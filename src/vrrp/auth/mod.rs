//! Authenticated adverts, wire-compatible with `auth_hmac` of keepalived 2.4.1 and later: 28 bytes behind the
//! advert with an HMAC-SHA256 and a sequence made of the time.
//!
//! Works the same for versions 2 and 3 and for both families. The trailer is counted by the length of the IP packet
//! and not by the checksum of an IPv4 advert; the kernel's checksum of an IPv6 one covers it.
//!
//! This room must never read a clock or a file, and never show a key. `ha` drives it: [`Auth::sign`] when an advert
//! goes out, [`Auth::verify`] before one is believed.

mod key;
mod policy;
mod replay;
mod sequence;
mod trailer;

pub use key::{Key, KeyId, Keys, WrongLine};
pub use policy::{Mode, Policy, Window};
pub use sequence::{Sequence, Utc};
pub use trailer::Binding;

use std::net::IpAddr;

use replay::Replay;
use trailer::Trailer;

use crate::vrrp::Refusal;

#[cfg(test)]
mod tests;

/// Bytes of a trailer.
pub const LENGTH: usize = 28;
/// What the keys of the UDP heartbeat are made with.
const HEARTBEAT: &[u8] = b"vipd UDP heartbeat";
/// Senders of one virtual router that are remembered. Only one node advertises, several for a moment, each from an
/// address of each family.
const SENDERS: usize = 16;

/// Signs and verifies the adverts of one virtual router on one path, of both families: senders are told apart by
/// address. Paths have one each: the copies of an advert overtake each other on the way, and what comes second is a
/// replay.
#[derive(Clone, Debug)]
pub struct Auth {
    policy: Policy,
    keys: Keys,
    sent: Option<Sequence>,
    replay: Replay,
    seen: Seen,
}

/// What was believed since the start, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Adverts with a good trailer.
    pub verified: u64,
    /// Adverts without a trailer that the mode let pass.
    pub unsigned: u64,
    /// Whole seconds that our clock was ahead of the sender's in the last good trailer; negative when behind.
    pub ahead_seconds: i32,
}

impl Auth {
    /// `None` when the key to sign with is not among `keys`.
    pub fn new(policy: Policy, keys: Keys) -> Option<Self> {
        keys.get(policy.active)?;
        Some(Self { policy, keys, sent: None, replay: Replay::default(), seen: Seen::default() })
    }

    /// What signs and verifies the same router's adverts on the UDP heartbeat. It enforces whatever the mode of the
    /// main path is, and its keys are made from the router's, so that an advert of one path is a forgery on the other:
    /// nobody can hold a silent path alive with what he heard on the other one.
    #[must_use]
    pub fn for_heartbeat(&self) -> Self {
        let policy = Policy { mode: Mode::Enforce, ..self.policy };
        let keys = self.keys.made_into(HEARTBEAT);
        Self { policy, keys, sent: None, replay: Replay::default(), seen: Seen::default() }
    }

    /// What it asks of adverts.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// What was believed so far.
    pub const fn seen(&self) -> Seen {
        self.seen
    }

    /// The highest sequence that was verified from a sender.
    pub fn latest(&self, sender: IpAddr) -> Option<Sequence> {
        self.replay.marks.iter().find(|(known, _)| *known == sender).map(|(_, mark)| *mark)
    }

    /// The trailer for an advert that goes out now; `None` when the mode does not sign. `pdu` is the whole advert
    /// without the trailer; its checksum may be written before or after. One trailer serves all copies that go to
    /// the peers of one path.
    pub fn sign(&mut self, now: Utc, binding: Binding, pdu: &[u8]) -> Option<[u8; LENGTH]> {
        let key = self.keys.get(self.policy.active).filter(|_| self.policy.mode.signs())?;
        let sequence = Sequence::next(self.sent, now, self.policy.window);
        self.sent = Some(sequence);
        trailer::make(key, sequence, binding, pdu)
    }

    /// Judges an advert that came with this trailer, or without one.
    ///
    /// # Errors
    /// The first thing that is wrong: it is malformed, of an unknown key, stale, forged, or seen before.
    pub fn verify(
        &mut self,
        now: Utc,
        binding: Binding,
        pdu: &[u8],
        trailer: Option<[u8; LENGTH]>,
    ) -> Result<(), Refusal> {
        let Some(trailer) = trailer else { return self.unsigned() };
        let trailer = Trailer::read(trailer).ok_or(Refusal::AuthMalformed)?;
        let key = trailer.key.and_then(|id| self.keys.get(id)).ok_or(Refusal::AuthUnknownKey)?;
        // Not yet authentic, so it may only refuse: a flood of old captures costs no hash.
        if !now.is_near(trailer.sequence.seconds(), self.policy.window) {
            return Err(Refusal::AuthStale);
        }
        if !trailer.is_made_with(key, binding, pdu) {
            return Err(Refusal::AuthForged);
        }
        if !self.replay.is_new(now, self.policy.window, binding.source, trailer.sequence) {
            return Err(Refusal::AuthReplay);
        }
        self.seen.verified += 1;
        self.seen.ahead_seconds = now.seconds_after(trailer.sequence.seconds());
        Ok(())
    }

    fn unsigned(&mut self) -> Result<(), Refusal> {
        if !self.policy.mode.believes_unsigned() {
            return Err(Refusal::AuthMissing);
        }
        self.seen.unsigned += 1;
        Ok(())
    }
}
