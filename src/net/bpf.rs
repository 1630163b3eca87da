//! Classic BPF (linux/filter.h, the kernel's Documentation/networking/filter.rst): an assembler for programs that are
//! generated, and a machine that runs them here.
//!
//! The machine answers for a packet that has passed what the kernel does with its like, and it is the test of every
//! generated program.

use socket2::SockFilter;

/// Codes of the instructions that our programs use. A is the accumulator, X the index, M the scratch memory.
pub(super) mod code {
    /// A = the byte at K.
    pub(crate) const LOAD_BYTE: u16 = 0x30;
    /// A = the half-word at K.
    pub(crate) const LOAD_HALF: u16 = 0x28;
    /// A = the word at K.
    pub(crate) const LOAD_WORD: u16 = 0x20;
    /// A = the byte at X + K.
    pub(crate) const LOAD_BYTE_AT_X: u16 = 0x50;
    /// A = the packet's length.
    pub(crate) const LOAD_LENGTH: u16 = 0x80;
    /// A = K.
    pub(crate) const LOAD_K: u16 = 0x00;
    /// A = M\[K\].
    pub(crate) const LOAD_M: u16 = 0x60;
    /// X = 4 * (the low four bits of the byte at K): the length of an IPv4 header.
    pub(crate) const LOADX_HEADER: u16 = 0xB1;
    /// X = K.
    pub(crate) const LOADX_K: u16 = 0x01;
    /// X = M\[K\].
    pub(crate) const LOADX_M: u16 = 0x61;
    /// M\[K\] = A.
    pub(crate) const STORE: u16 = 0x02;
    /// A += K.
    pub(crate) const ADD_K: u16 = 0x04;
    /// A += X.
    pub(crate) const ADD_X: u16 = 0x0C;
    /// A &= K.
    pub(crate) const AND_K: u16 = 0x54;
    /// A <<= K.
    pub(crate) const LEFT_K: u16 = 0x64;
    /// A >>= K.
    pub(crate) const RIGHT_K: u16 = 0x74;
    /// A >>= X.
    pub(crate) const RIGHT_X: u16 = 0x7C;
    /// X = A.
    pub(crate) const TAX: u16 = 0x07;
    /// A = X.
    pub(crate) const TXA: u16 = 0x87;
    /// Skips K instructions.
    pub(crate) const JUMP: u16 = 0x05;
    /// A == K?
    pub(crate) const IF_EQUAL_K: u16 = 0x15;
    /// A == X?
    pub(crate) const IF_EQUAL_X: u16 = 0x1D;
    /// A >= X?
    pub(crate) const IF_AT_LEAST_X: u16 = 0x3D;
    /// Ends: 0 drops the packet, anything else takes that many bytes of it.
    pub(crate) const RETURN: u16 = 0x06;
}

/// The word "at" this address is a random number (SKF_AD_OFF + SKF_AD_RANDOM, linux/filter.h).
pub(super) const RANDOM: u32 = 0xFFFF_F000 + 56;

/// Bytes from here on are those of the network header, wherever the packet itself begins (SKF_NET_OFF).
pub(super) const NETWORK: u32 = 0xFFF0_0000;

/// One instruction (struct sock_filter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u16,
    /// Instructions to skip when a test holds, and when it does not.
    jt: u8,
    jf: u8,
    k: u32,
}

impl Instruction {
    pub(super) const fn for_kernel(self) -> SockFilter {
        SockFilter::new(self.code, self.jt, self.jf, self.k)
    }
}

/// Writes a program whose jumps go to labels, however far.
#[derive(Debug)]
pub(super) struct Assembler<L> {
    program: Vec<Instruction>,
    jumps: Vec<(usize, L)>,
    labels: Vec<(L, usize)>,
}

impl<L: Copy + PartialEq> Assembler<L> {
    pub(super) const fn new() -> Self {
        Self { program: Vec::new(), jumps: Vec::new(), labels: Vec::new() }
    }

    /// An instruction that goes on with the next.
    pub(super) fn then(&mut self, code: u16, k: u32) {
        self.program.push(Instruction { code, jt: 0, jf: 0, k });
    }

    /// Jumps to `label` when the test holds. Conditional jumps reach 255 instructions, unconditional ones any number:
    /// so the test jumps over or onto an unconditional one.
    pub(super) fn jump_if(&mut self, test: u16, k: u32, label: L) {
        self.program.push(Instruction { code: test, jt: 0, jf: 1, k });
        self.jump(label);
    }

    /// Jumps to `label` unless the test holds.
    pub(super) fn jump_unless(&mut self, test: u16, k: u32, label: L) {
        self.program.push(Instruction { code: test, jt: 1, jf: 0, k });
        self.jump(label);
    }

    /// Jumps to `label`.
    pub(super) fn jump(&mut self, label: L) {
        self.jumps.push((self.program.len(), label));
        self.then(code::JUMP, 0);
    }

    /// The next instruction is where `label` is; jumps only go forward.
    pub(super) fn place(&mut self, label: L) {
        self.labels.push((label, self.program.len()));
    }

    /// The program, with its jumps set.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        for (at, label) in self.jumps {
            let target = self.labels.iter().find(|(placed, position)| *placed == label && *position > at);
            let skipped = target.map_or(0, |(_, target)| target - at - 1);
            self.program[at].k = u32::try_from(skipped).unwrap_or(u32::MAX);
        }
        self.program
    }
}

/// What `program` returns for `packet` with this `network` header when the dice show `random`. A load from behind the
/// end drops the packet, as in the kernel.
pub(super) fn run(program: &[Instruction], packet: &[u8], network: &[u8], random: u32) -> u32 {
    Machine { a: 0, x: 0, memory: [0; 16], packet, network, random }.run(program).unwrap_or(0)
}

struct Machine<'a> {
    a: u32,
    x: u32,
    memory: [u32; 16],
    packet: &'a [u8],
    network: &'a [u8],
    random: u32,
}

impl Machine<'_> {
    fn run(mut self, program: &[Instruction]) -> Option<u32> {
        let mut at = 0;
        loop {
            let Instruction { code, jt, jf, k } = *program.get(at)?;
            at += 1;
            let holds = match code {
                code::RETURN => return Some(k),
                code::JUMP => {
                    at += usize::try_from(k).ok()?;
                    continue;
                }
                code::IF_EQUAL_K => self.a == k,
                code::IF_EQUAL_X => self.a == self.x,
                code::IF_AT_LEAST_X => self.a >= self.x,
                _ => {
                    self.step(code, k)?;
                    continue;
                }
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    /// An instruction that goes on with the next; `None` ends the program.
    fn step(&mut self, code: u16, k: u32) -> Option<()> {
        let slot = usize::try_from(k).ok();
        match code {
            code::LOAD_WORD if k == RANDOM => self.a = self.random,
            code::LOAD_WORD => self.a = self.load(k, 4)?,
            code::LOAD_HALF => self.a = self.load(k, 2)?,
            code::LOAD_BYTE => self.a = self.load(k, 1)?,
            code::LOAD_BYTE_AT_X => self.a = self.load(self.x.checked_add(k)?, 1)?,
            code::LOADX_HEADER => self.x = 4 * (self.load(k, 1)? & 0x0F),
            code::LOAD_LENGTH => self.a = u32::try_from(self.packet.len()).ok()?,
            code::LOAD_K => self.a = k,
            code::LOAD_M => self.a = *self.memory.get(slot?)?,
            code::LOADX_K => self.x = k,
            code::LOADX_M => self.x = *self.memory.get(slot?)?,
            code::STORE => *self.memory.get_mut(slot?)? = self.a,
            code::ADD_K => self.a = self.a.wrapping_add(k),
            code::ADD_X => self.a = self.a.wrapping_add(self.x),
            code::AND_K => self.a &= k,
            code::LEFT_K => self.a <<= k,
            code::RIGHT_K => self.a >>= k,
            code::RIGHT_X => self.a >>= self.x,
            code::TAX => self.x = self.a,
            code::TXA => self.a = self.x,
            _ => return None,
        }
        Some(())
    }

    /// `length` bytes at `at`, big-endian.
    fn load(&self, at: u32, length: usize) -> Option<u32> {
        let (from, at) = if at >= NETWORK { (self.network, at - NETWORK) } else { (self.packet, at) };
        let at = usize::try_from(at).ok()?;
        let bytes = from.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }
}
