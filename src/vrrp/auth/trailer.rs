//! The bytes of the trailer, and what its MAC covers (draft-cassen-vrrp-auth-hmac, keepalived 2.4.1 and later).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    Type = 1   |    Key id     |          Reserved = 0         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                    Seconds since the epoch                    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |        1/65536 seconds        |            Counter            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |              HMAC-SHA256, its first 16 bytes                  |
//! ```
//!
//! Every byte may come from a stranger: nothing here may panic, whatever the input.

use std::net::IpAddr;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::LENGTH;
use super::key::{Key, KeyId};
use super::sequence::Sequence;
use crate::vrrp::{Version, Vrid};

/// HMAC-SHA256 truncated to 128 bits.
const TYPE: u8 = 1;
const MAC: usize = 16;
const PREFIX: usize = LENGTH - MAC;
/// What an advert begins with in versions 2 and 3, the checksum at its end.
const HEADER: usize = 8;
const CHECKSUM: usize = 2;

/// What a signature binds an advert to besides its own bytes: it is worth nothing in another virtual router, nor
/// from another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The version of VRRP.
    pub version: Version,
    /// The virtual router.
    pub vrid: Vrid,
    /// The source address of the packet; its family is bound too.
    pub source: IpAddr,
}

impl Binding {
    /// Family, version, VRID, zero, and the address in 16 bytes, an IPv4 one in the first four.
    fn octets(self) -> [u8; 20] {
        let mut octets = [0; 20];
        octets[1] = self.version.number();
        octets[2] = self.vrid.get();
        match self.source {
            IpAddr::V4(address) => {
                octets[0] = 4;
                octets[4..8].copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                octets[0] = 6;
                octets[4..].copy_from_slice(&address.octets());
            }
        }
        octets
    }
}

/// A trailer as it was found, its MAC not yet looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    /// The id of the key it claims to be made with; 0 is nobody's.
    pub(super) key: Option<KeyId>,
    pub(super) sequence: Sequence,
    mac: [u8; MAC],
}

impl Trailer {
    /// `None` when it is of another type or its reserved field is not 0.
    pub(super) fn read(octets: [u8; LENGTH]) -> Option<Self> {
        let [kind, key, 0, 0, rest @ ..] = octets else { return None };
        let (sequence, mac) = rest.split_first_chunk::<8>()?;
        let mac = mac.try_into().ok()?;
        let sequence = Sequence::from_octets(*sequence);
        (kind == TYPE).then_some(Self { key: KeyId::new(key), sequence, mac })
    }

    /// Whether its MAC is right; takes as long when it is wrong.
    pub(super) fn is_made_with(&self, key: &Key, binding: Binding, pdu: &[u8]) -> bool {
        let prefix = prefix(key.id(), self.sequence);
        covered(key, binding, pdu, prefix).is_some_and(|mac| mac.verify_truncated_left(&self.mac).is_ok())
    }
}

/// The trailer for an advert; `None` when `pdu` is too short to be one.
pub(super) fn make(key: &Key, sequence: Sequence, binding: Binding, pdu: &[u8]) -> Option<[u8; LENGTH]> {
    let prefix = prefix(key.id(), sequence);
    let mac = covered(key, binding, pdu, prefix)?.finalize().into_bytes();
    let mut octets = [0; LENGTH];
    octets[..PREFIX].copy_from_slice(&prefix);
    octets[PREFIX..].copy_from_slice(&mac[..MAC]);
    Some(octets)
}

/// The fields in front of the MAC.
fn prefix(key: KeyId, sequence: Sequence) -> [u8; PREFIX] {
    let mut prefix = [TYPE, key.get(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    prefix[4..].copy_from_slice(&sequence.octets());
    prefix
}

/// The hash over everything that is covered: what the advert is bound to, the advert with its checksum taken as 0
/// (the kernel writes that of IPv6 after we have signed), the fields in front of the MAC, and zeros in its place.
///
/// What is too short for an advert has no hash.
fn covered(key: &Key, binding: Binding, pdu: &[u8], prefix: [u8; PREFIX]) -> Option<Hmac<Sha256>> {
    let (header, addresses) = pdu.split_first_chunk::<HEADER>()?;
    let mac = key
        .mac()
        .chain_update(binding.octets())
        .chain_update(&header[..HEADER - CHECKSUM])
        .chain_update([0; CHECKSUM])
        .chain_update(addresses)
        .chain_update(prefix)
        .chain_update([0; MAC]);
    Some(mac)
}
