//! The filter for times of flood: what cannot be an advert of ours is thrown away by the kernel, before it costs this
//! process anything or takes the place of a real advert in the socket's queue.
//!
//! One in [`SAMPLE`] of the packets that fail is let through nevertheless, chosen by the kernel's dice: so the reasons
//! can still be counted, each sampled packet for [`SAMPLE`] of its like ([`Filter::samples`]). What passes has every
//! property that the program can see: TTL or hop limit 255, the group as its destination where nobody speaks unicast, a
//! version and type that we speak, one of our VRIDs, the length that its address count asks for, and, in version 3 over
//! IPv4 to the group, without IP options and with up to [`SUMMED`] addresses, a checksum that is right in one of the
//! dialects.
//!
//! It knows nothing of policy: whoever attaches it says what is ours, and when.

use socket2::SockFilter;

use super::bpf::code::{
    ADD_K, ADD_X, AND_K, IF_AT_LEAST_X, IF_EQUAL_K, IF_EQUAL_X, LEFT_K, LOAD_BYTE, LOAD_BYTE_AT_X, LOAD_HALF,
    LOAD_K, LOAD_LENGTH, LOAD_M, LOAD_WORD, LOADX_HEADER, LOADX_K, LOADX_M, RETURN, RIGHT_K, RIGHT_X, STORE,
    TAX, TXA,
};
use super::bpf::{Assembler, Instruction, NETWORK, RANDOM, run};
use crate::vrrp::{Family, Version, Vrid, wire};

/// One in this many packets that fail is let through. A power of two.
pub const SAMPLE: u32 = 256;
/// The checksum of messages with more addresses is left to whoever reads the packet.
pub const SUMMED: u32 = 20;

/// What may be an advert of ours.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// The family of the socket.
    pub family: Family,
    /// The virtual routers that are configured on any interface.
    pub vrids: &'a [Vrid],
    /// Whether adverts may be sent to one node instead of the group.
    pub unicast: bool,
    /// The protocol versions that are spoken.
    pub versions: &'a [Version],
    /// Whether something may follow the addresses of version 3 (authentication).
    pub trailers: bool,
}

/// A generated program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    program: Vec<Instruction>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Type,
    Mask,
    Summed,
    Take,
    Junk,
}

/// Offsets in an IPv4 header (RFC 791 §3.1) and in an IPv6 header (RFC 8200 §3).
const IP_TTL: u32 = 8;
const IP_SOURCE: u32 = 12;
const IP_DESTINATION: u32 = 16;
const IP_PLAIN: u32 = 20;
const IPV6_HOP_LIMIT: u32 = 7;
/// Offsets in an advert (RFC 9568 §5.1).
const VRID: u32 = 1;
const COUNT: u32 = 3;
const HEADER: u32 = 8;

impl Filter {
    /// Writes the program: about 350 instructions, whatever the number of VRIDs.
    pub fn new(ours: Ours<'_>) -> Self {
        let mut asm = Assembler::new();
        let ttl = match ours.family {
            Family::V4 => IP_TTL,
            Family::V6 => NETWORK + IPV6_HOP_LIMIT,
        };
        asm.then(LOAD_BYTE, ttl);
        asm.jump_unless(IF_EQUAL_K, wire::TTL.into(), Label::Junk);
        if ours.family == Family::V4 && !ours.unicast {
            asm.then(LOAD_WORD, IP_DESTINATION);
            asm.jump_unless(IF_EQUAL_K, wire::GROUP.to_bits(), Label::Junk);
        }
        long_enough(&mut asm, ours.family);
        asm.then(LOAD_BYTE_AT_X, 0);
        for version in ours.versions {
            asm.jump_if(IF_EQUAL_K, u32::from(version.number()) << 4 | 1, Label::Type);
        }
        asm.jump(Label::Junk);
        asm.place(Label::Type);
        known_vrid(&mut asm, ours);
        honest_count(&mut asm, ours);
        if ours.family == Family::V4 {
            checksum(&mut asm);
        } else {
            asm.jump(Label::Take);
        }
        asm.place(Label::Junk);
        asm.then(LOAD_WORD, RANDOM);
        asm.then(AND_K, SAMPLE - 1);
        asm.jump_if(IF_EQUAL_K, 0, Label::Take);
        asm.then(RETURN, 0);
        asm.place(Label::Take);
        asm.then(RETURN, 0x0004_0000);
        Self { program: asm.finish() }
    }

    /// Whether a packet like this one, as the socket delivers it, passes only by the dice: one that was read stands
    /// for [`SAMPLE`]. `hop_limit` is that of a packet whose header the socket keeps (IPv6).
    pub fn samples(&self, packet: &[u8], hop_limit: Option<u8>) -> bool {
        let mut network = [0; 8];
        network[7] = hop_limit.unwrap_or(0);
        run(&self.program, packet, &network, 1) == 0
    }

    /// The program as the kernel takes it.
    pub(super) fn instructions(&self) -> Vec<SockFilter> {
        self.program.iter().map(|instruction| instruction.for_kernel()).collect()
    }
}

/// X = where the message begins: an IPv4 socket delivers the header too.
fn message_at_x(asm: &mut Assembler<Label>, family: Family) {
    match family {
        Family::V4 => asm.then(LOADX_HEADER, 0),
        Family::V6 => asm.then(LOADX_K, 0),
    }
}

/// The message has a whole header, and X is where it begins.
fn long_enough(asm: &mut Assembler<Label>, family: Family) {
    message_at_x(asm, family);
    asm.then(TXA, 0);
    asm.then(ADD_K, HEADER);
    asm.then(TAX, 0);
    asm.then(LOAD_LENGTH, 0);
    asm.jump_unless(IF_AT_LEAST_X, 0, Label::Junk);
    message_at_x(asm, family);
}

/// The VRID picks one of eight words and one of its 32 bits.
fn known_vrid(asm: &mut Assembler<Label>, ours: Ours<'_>) {
    let mut masks = [0_u32; 8];
    for vrid in ours.vrids {
        masks[usize::from(vrid.get() / 32)] |= 1 << (vrid.get() % 32);
    }
    asm.then(LOAD_BYTE_AT_X, VRID);
    asm.then(STORE, 0);
    asm.then(AND_K, 31);
    asm.then(TAX, 0);
    for (word, mask) in (0..8).zip(masks) {
        asm.then(LOAD_K, mask);
        asm.then(STORE, 1);
        asm.then(LOAD_M, 0);
        asm.then(RIGHT_K, 5);
        asm.jump_if(IF_EQUAL_K, word, Label::Mask);
    }
    asm.place(Label::Mask);
    asm.then(LOAD_M, 1);
    asm.then(RIGHT_X, 0);
    asm.then(AND_K, 1);
    asm.jump_if(IF_EQUAL_K, 0, Label::Junk);
    message_at_x(asm, ours.family);
}

/// As long as the address count says, or longer where something may follow.
fn honest_count(asm: &mut Assembler<Label>, ours: Ours<'_>) {
    let log2_width = match ours.family {
        Family::V4 => 2,
        Family::V6 => 4,
    };
    let longer = ours.trailers || ours.versions.contains(&Version::V2);
    asm.then(LOAD_BYTE_AT_X, COUNT);
    asm.jump_if(IF_EQUAL_K, 0, Label::Junk);
    asm.then(LEFT_K, log2_width);
    asm.then(ADD_K, HEADER);
    asm.then(ADD_X, 0);
    asm.then(TAX, 0);
    asm.then(LOAD_LENGTH, 0);
    asm.jump_unless(if longer { IF_AT_LEAST_X } else { IF_EQUAL_X }, 0, Label::Junk);
}

/// One of the sums of version 3, unrolled: X adds the half-words up, at most 2^16 of them cannot overflow it. What was
/// sent to one node may be summed in yet another way, and is left to the reader.
fn checksum(asm: &mut Assembler<Label>) {
    asm.then(LOAD_WORD, IP_DESTINATION);
    asm.jump_unless(IF_EQUAL_K, wire::GROUP.to_bits(), Label::Take);
    asm.then(LOAD_BYTE, 0);
    asm.jump_unless(IF_EQUAL_K, 0x45, Label::Take);
    asm.then(LOAD_BYTE, IP_PLAIN);
    asm.jump_unless(IF_EQUAL_K, 0x31, Label::Take);
    asm.then(LOAD_K, 0);
    asm.then(TAX, 0);
    add_halves(asm, IP_PLAIN, 4);
    for count in 1..=SUMMED {
        add_halves(asm, IP_PLAIN + HEADER + (count - 1) * 4, 2);
        asm.then(LOAD_BYTE, IP_PLAIN + COUNT);
        asm.jump_if(IF_EQUAL_K, count, Label::Summed);
    }
    asm.jump(Label::Take);
    asm.place(Label::Summed);
    fold(asm);
    asm.jump_if(IF_EQUAL_K, 0xFFFF, Label::Take);
    add_halves(asm, IP_SOURCE, 4);
    asm.then(LOAD_BYTE, IP_PLAIN + COUNT);
    asm.then(LEFT_K, 2);
    asm.then(ADD_K, HEADER + u32::from(wire::PROTOCOL));
    asm.then(ADD_X, 0);
    asm.then(TAX, 0);
    fold(asm);
    asm.jump_if(IF_EQUAL_K, 0xFFFF, Label::Take);
}

/// X += each of `halves` half-words from `at` on.
fn add_halves(asm: &mut Assembler<Label>, at: u32, halves: u32) {
    for half in 0..halves {
        asm.then(LOAD_HALF, at + 2 * half);
        asm.then(ADD_X, 0);
        asm.then(TAX, 0);
    }
}

/// A = X = the one's complement sum of X's halves (RFC 1071), twice for the carry of the first time.
fn fold(asm: &mut Assembler<Label>) {
    for _ in 0..2 {
        asm.then(TXA, 0);
        asm.then(RIGHT_K, 16);
        asm.then(STORE, 2);
        asm.then(TXA, 0);
        asm.then(AND_K, 0xFFFF);
        asm.then(LOADX_M, 2);
        asm.then(ADD_X, 0);
        asm.then(TAX, 0);
    }
}

#[cfg(test)]
mod tests;
