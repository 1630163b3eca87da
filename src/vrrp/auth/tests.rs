//! The draft's images and what becomes of damaged ones, keys, the sequence, and what holds for any bytes.

mod keys;
mod random;
mod sequences;
mod vectors;
mod wire;

use std::net::IpAddr;

use super::{Auth, Binding, KeyId, Keys, LENGTH, Mode, Policy, SENDERS, Utc, Window};
use crate::vrrp::{Refusal, Version, Vrid};

/// The key of the draft's images, 000102..1f.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// When the draft's images were signed.
const THEN: Utc = Utc { seconds: 0x6800_0000, fraction: 0x8000 };

fn id(id: u8) -> KeyId {
    KeyId::new(id).expect("not zero")
}

fn auth(mode: Mode, active: u8, keys: &str) -> Auth {
    let policy = Policy { active: id(active), mode, window: Window::new(5).expect("within bounds") };
    Auth::new(policy, Keys::parse(keys).expect("a key file")).expect("its key")
}

/// A node of the draft's group, which has not heard anything yet.
fn member() -> Auth {
    auth(Mode::Enforce, 1, &format!("1 {KEY}"))
}

fn from(source: &str) -> Binding {
    let source: IpAddr = source.parse().expect("an address");
    Binding { version: Version::V3, vrid: Vrid::new(51).expect("not zero"), source }
}

fn later(seconds: i32) -> Utc {
    Utc { seconds: THEN.seconds.wrapping_add_signed(seconds), ..THEN }
}

fn octets<const N: usize>(hex: &str) -> [u8; N] {
    let digits: Vec<_> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let pair = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex");
    digits.chunks(2).map(pair).collect::<Vec<_>>().try_into().expect("as many bytes")
}

/// Verifies a whole image, advert and trailer.
fn judge(auth: &mut Auth, now: Utc, binding: Binding, image: &[u8]) -> Result<(), Refusal> {
    let (pdu, trailer) = image.split_last_chunk::<LENGTH>().expect("longer than a trailer");
    auth.verify(now, binding, pdu, Some(*trailer))
}
