//! The addresses of an advert as far as anyone has to know them: whether two lists name the same ones.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Family;

/// What a list of addresses comes to, whatever its order. Lists that differ come to the same by an accident of one in
/// 2^64, or because someone who may forge adverts anyway wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSet {
    /// How many there are.
    pub count: u8,
    digest: u64,
}

impl AddressSet {
    /// Those of `addresses` that an advert of this family lists.
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>, family: Family) -> Self {
        let mut set = Self::default();
        for address in addresses.into_iter().filter(|address| Family::of(*address) == family) {
            match address {
                IpAddr::V4(address) => set.add(&address.octets()),
                IpAddr::V6(address) => set.add(&address.octets()),
            }
        }
        set
    }

    /// The addresses as an advert has them: `width` bytes each.
    pub(super) fn listed(bytes: &[u8], width: usize) -> Self {
        let mut set = Self::default();
        bytes.chunks_exact(width.max(1)).for_each(|address| set.add(address));
        set
    }

    /// A sum does not know the order of its terms; FNV-1a makes each one depend on every byte of its address.
    fn add(&mut self, address: &[u8]) {
        let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        self.digest = self.digest.wrapping_add(address.iter().fold(0xCBF2_9CE4_8422_2325, fnv));
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_everything_else_does() {
        let a = IpAddr::from([10, 77, 0, 100]);
        let b = IpAddr::from([10, 77, 0, 101]);
        let v6: IpAddr = "2001:db8::100".parse().expect("an address");
        let of = |addresses: &[IpAddr]| AddressSet::of(addresses.iter().copied(), Family::V4);
        assert_eq!(of(&[a, b]), of(&[b, v6, a]));
        assert_eq!(of(&[a, b]), AddressSet::listed(&[10, 77, 0, 101, 10, 77, 0, 100], 4));
        for other in [&[a][..], &[], &[a, a], &[a, b, b]] {
            assert_ne!(of(&[a, b]), of(other));
        }
        assert_eq!(AddressSet::of([a, v6], Family::V6).count, 1);
    }
}
