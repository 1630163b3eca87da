//! Who else says on the wire that one of some IPv6 addresses is theirs: a packet socket that hears neighbour discovery
//! (RFC 4861) and nothing else.
//!
//! Three ways to say it: a neighbour advertisement of the address, a solicitation sent from it, and the probe of
//! duplicate address detection (RFC 4862 §5.4.2), which has no source and announces what its sender is about to do.
//!
//! A filter drops what is not about those addresses, so that neither users' traffic nor the chatter of a large network
//! wakes anybody. Checksums are not looked at: a sender on this machine may leave them to its card, and a frame that
//! was damaged on the wire has been dropped.

use std::io;
use std::net::Ipv6Addr;

use pnet::packet::ethernet::EtherTypes;

use super::arp::Mac;
use super::bpf::{Assembler, Instruction, code};
use super::claim::Claim;
use super::ndp::solicited_node;
use super::packet_watch::PacketWatch;

/// Where a frame's IPv6 header and its ICMPv6 message begin; in one with extension headers there is none of ours, and
/// nobody sends such neighbour discovery.
const HEADER: usize = 14;
const MESSAGE: usize = HEADER + 40;
/// In the frame: next header, hop limit, the last words of the source and of the target.
const NEXT_HEADER: u32 = 20;
const HOP_LIMIT: u32 = 21;
const SOURCE: u32 = 34;
const KIND: u32 = 54;
const TARGET: u32 = 74;

const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Options: the link-layer address of the sender of a solicitation, and of the target of an advertisement.
const SOURCE_CARD: u8 = 1;
const TARGET_CARD: u8 = 2;
/// Longer than any neighbour discovery on an Ethernet; what is longer is none.
const FRAME: usize = 1_514;
/// As many addresses as fit into a filter (BPF_MAXINSNS is 4,096; each takes two instructions). Of more, all
/// neighbour discovery is let in.
const FILTERED: usize = 2_000;

/// The socket; it only hears.
#[derive(Debug)]
pub struct NdpWatch {
    watch: PacketWatch,
}

impl NdpWatch {
    /// Listens on every interface for what is said of `addresses`. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open(addresses: &[Ipv6Addr]) -> io::Result<Self> {
        Ok(Self { watch: PacketWatch::open(EtherTypes::Ipv6, filter(addresses))? })
    }

    /// Waits until there may be a claim. May be dropped and called again.
    ///
    /// # Errors
    /// The reactor is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.watch.readable().await
    }

    /// Takes one frame without waiting, with the index of the interface it came in on; `None` when there is none, and
    /// no claim when it is none.
    ///
    /// # Errors
    /// What recvmsg(2) says, for instance `ENETDOWN` when an interface went down.
    pub fn receive(&self) -> io::Result<Option<(u32, Option<Claim>)>> {
        let mut frame = [0; FRAME];
        let received = self.watch.receive(&mut frame)?;
        Ok(received.map(|(interface, length)| (interface, frame.get(..length).and_then(claim))))
    }
}

/// What an Ethernet frame claims, if it is a neighbour advertisement or solicitation that a host must not discard
/// (RFC 4861 §7.1). Without a link-layer address option the claim is the sender's.
pub fn claim(frame: &[u8]) -> Option<Claim> {
    let (ethernet, header) = (frame.get(..HEADER)?, frame.get(HEADER..MESSAGE)?);
    // A hop limit that a router has never lowered: the sender is on this link.
    if ethernet.get(12..)? != EtherTypes::Ipv6.0.to_be_bytes()
        || header.first()? >> 4 != 6
        || header.get(6..8)? != [ICMPV6, 255]
    {
        return None;
    }
    // Short frames are padded: the message ends where IP says.
    let length = usize::from(u16::from_be_bytes(*header.get(4..)?.first_chunk()?));
    let message = frame.get(MESSAGE..)?.get(..length)?;
    let [kind, 0, _, _, flags] = *message.first_chunk()? else { return None };
    let (source, destination) = (ip(header, 8)?, ip(header, 24)?);
    let target = ip(message, 8)?;
    let options = Options(message.get(24..)?);
    let sender = *ethernet.get(6..)?.first_chunk()?;
    let (address, card) = match kind {
        _ if source.is_multicast() || target.is_multicast() || target.is_unspecified() => return None,
        ADVERTISEMENT if flags & 0x40 != 0 && destination.is_multicast() => return None,
        ADVERTISEMENT => (target, options.card(TARGET_CARD)?),
        SOLICITATION if !source.is_unspecified() => (source, options.card(SOURCE_CARD)?),
        SOLICITATION if destination != solicited_node(target) => return None,
        // Detection of duplicates: "MUST NOT" have the option.
        SOLICITATION if options.card(SOURCE_CARD)?.is_some() => return None,
        SOLICITATION => (target, None),
        _ => return None,
    };
    Some(Claim { address: address.into(), mac: card.unwrap_or(sender) })
}

fn ip(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    bytes.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets))
}

/// The options of a message (RFC 4861 §4.6): type, length in units of 8 bytes, contents.
struct Options<'a>(&'a [u8]);

impl Options<'_> {
    /// The link-layer address in the first option of this type, if there is one; `None` when the options are not
    /// whole, and the message has to be discarded.
    fn card(&self, wanted: u8) -> Option<Option<Mac>> {
        let mut found = None;
        let mut rest = self.0;
        while let [kind, units, contents @ ..] = rest {
            let length = usize::from(*units).checked_mul(8)?.checked_sub(2)?;
            let option = contents.get(..length)?;
            if *kind == wanted && *units == 1 && found.is_none() {
                found = option.first_chunk().copied();
            }
            rest = &contents[length..];
        }
        rest.is_empty().then_some(found)
    }
}

/// Where the filter's jumps go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Target,
    Compare,
    Take,
    Leave,
}

/// Takes neighbour discovery of this link about an address that ends like one of `addresses`.
fn filter(addresses: &[Ipv6Addr]) -> Vec<Instruction> {
    let mut asm = Assembler::new();
    for (at, wanted) in [(NEXT_HEADER, ICMPV6), (HOP_LIMIT, 255)] {
        asm.then(code::LOAD_BYTE, at);
        asm.jump_unless(code::IF_EQUAL_K, wanted.into(), Label::Leave);
    }
    asm.then(code::LOAD_BYTE, KIND);
    asm.jump_if(code::IF_EQUAL_K, ADVERTISEMENT.into(), Label::Target);
    asm.jump_unless(code::IF_EQUAL_K, SOLICITATION.into(), Label::Leave);
    // A source that ends in zeros is taken for none.
    asm.then(code::LOAD_WORD, SOURCE);
    asm.jump_unless(code::IF_EQUAL_K, 0, Label::Compare);
    asm.place(Label::Target);
    asm.then(code::LOAD_WORD, TARGET);
    asm.place(Label::Compare);
    if addresses.len() > FILTERED {
        asm.jump(Label::Take);
    } else {
        for address in addresses {
            let [.., a, b, c, d] = address.octets();
            asm.jump_if(code::IF_EQUAL_K, u32::from_be_bytes([a, b, c, d]), Label::Take);
        }
    }
    asm.place(Label::Leave);
    asm.then(code::RETURN, 0);
    asm.place(Label::Take);
    asm.then(code::RETURN, 0x0004_0000);
    asm.finish()
}

#[cfg(test)]
mod tests;
