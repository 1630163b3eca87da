//! A digest of bytes that says the same on every node, after every restart and in every release: cookies and the
//! places of clients depend on it. It is no secret and protects nothing.

/// Eight bytes at a time by multiplication, the length and MurmurHash3's finalizer at the end.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut sum = 0x9e37_79b9_7f4a_7c15;
    for word in &mut words {
        sum = fold(sum, word);
    }
    sum = fold(sum, words.remainder());
    mix(sum ^ u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

fn fold(sum: u64, bytes: &[u8]) -> u64 {
    let word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let product = (sum ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    product ^ product >> 32
}

/// Every bit of the input changes half of the bits (MurmurHash3's fmix64).
#[must_use]
pub(super) fn mix(mut sum: u64) -> u64 {
    sum = (sum ^ sum >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    sum = (sum ^ sum >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    sum ^ sum >> 33
}
