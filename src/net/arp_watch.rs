//! Who else says on the wire that one of some IPv4 addresses is theirs: a packet socket that hears ARP and nothing else.
//!
//! A filter drops every sender but those addresses, so that the chatter of a large network wakes nobody.

use std::io;
use std::net::Ipv4Addr;

use pnet::packet::ethernet::EtherTypes;

use super::bpf::{Assembler, Instruction, code};
use super::claim::Claim;
use super::packet_watch::PacketWatch;

/// Where a frame's ARP body begins, and in the frame the sender's protocol address (RFC 826).
const BODY: usize = 14;
const SENDER: u32 = 28;
/// As many addresses as fit into a filter (BPF_MAXINSNS is 4,096; each takes two instructions). Of more, every sender
/// is let in.
const FILTERED: usize = 2_000;

/// A packet socket that only hears.
#[derive(Debug)]
pub struct ArpWatch {
    watch: PacketWatch,
}

impl ArpWatch {
    /// Listens on every interface for senders that use one of `addresses`. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open(addresses: &[Ipv4Addr]) -> io::Result<Self> {
        Ok(Self { watch: PacketWatch::open(EtherTypes::Arp, filter(addresses))? })
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
        let mut frame = [0; 64];
        let received = self.watch.receive(&mut frame)?;
        Ok(received.map(|(interface, length)| (interface, frame.get(..length).and_then(claim))))
    }
}

/// What an Ethernet frame claims, if it is ARP for IPv4 over Ethernet from someone who has an address: a probe has
/// none (RFC 5227 §1.1).
pub fn claim(frame: &[u8]) -> Option<Claim> {
    let ethertype = frame.get(12..BODY)?;
    let arp = frame.get(BODY..BODY + 28)?;
    let (fixed, operation) = (arp.get(..6)?, arp.get(6..8)?);
    if ethertype != EtherTypes::Arp.0.to_be_bytes() || fixed != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    if !matches!(operation, [0, 1 | 2]) {
        return None;
    }
    let mac = *arp.get(8..)?.first_chunk()?;
    let address = Ipv4Addr::from(*arp.get(14..)?.first_chunk::<4>()?);
    (!address.is_unspecified()).then_some(Claim { address: address.into(), mac })
}

/// Takes frames whose sender is one of `addresses`.
fn filter(addresses: &[Ipv4Addr]) -> Vec<Instruction> {
    let mut asm = Assembler::new();
    if addresses.len() <= FILTERED {
        asm.then(code::LOAD_WORD, SENDER);
        for address in addresses {
            asm.jump_if(code::IF_EQUAL_K, address.to_bits(), ());
        }
        asm.then(code::RETURN, 0);
        asm.place(());
    }
    asm.then(code::RETURN, 0x0004_0000);
    asm.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arp::{Form, Mac, gratuitous, probe};
    use super::super::bpf::run;
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);
    const MAC: Mac = [2, 0, 10, 77, 0, 11];

    #[test]
    fn announcements_and_answers_are_claims_and_probes_are_none() {
        for form in [Form::Request, Form::Reply] {
            assert_eq!(claim(&gratuitous(MAC, VIP, form)), Some(Claim { address: VIP.into(), mac: MAC }));
        }
        assert_eq!(claim(&probe(MAC, VIP)), None);
        for (place, byte) in [(12, 9), (15, 6), (17, 6), (18, 8), (19, 16), (20, 1), (21, 0), (21, 3)] {
            let mut frame = gratuitous(MAC, VIP, Form::Request);
            frame[place] = byte;
            assert_eq!(claim(&frame), None, "byte {place} is {byte}");
        }
        let frame = gratuitous(MAC, VIP, Form::Request);
        assert!((0..frame.len()).all(|length| claim(&frame[..length]).is_none()));
    }

    #[test]
    fn the_filter_lets_in_who_uses_one_of_the_addresses() {
        let passes = |addresses: &[Ipv4Addr], frame: &[u8]| run(&filter(addresses), frame, &[], 0) > 0;
        let many: Vec<_> = (0..2_000).map(|n| Ipv4Addr::from_bits(0x0A00_0000 + n)).collect();
        let announced = |address| gratuitous(MAC, address, Form::Request);
        assert!(passes(&[OTHER, VIP], &announced(VIP)));
        assert!(!passes(&[OTHER], &announced(VIP)));
        assert!(!passes(&[], &announced(VIP)));
        assert!(!passes(&[OTHER, VIP], &probe(MAC, VIP)));
        assert!(!passes(&[VIP], &announced(VIP)[..30]));
        assert!(passes(&many, &announced(many[0])) && passes(&many, &announced(many[1_999])));
        assert!(!passes(&many, &announced(VIP)) && filter(&many).len() <= 4_096);
        let too_many = [&many[..], &[OTHER]].concat();
        assert!(passes(&too_many, &announced(VIP)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _claim = claim(&bytes);
        }

        #[test]
        fn nothing_but_the_senders_own_fields_is_taken_over(target in any::<[u8; 10]>(), head in any::<[u8; 12]>()) {
            let mut frame = gratuitous(MAC, VIP, Form::Reply);
            frame[..12].copy_from_slice(&head);
            frame[32..].copy_from_slice(&target);
            prop_assert_eq!(claim(&frame), Some(Claim { address: VIP.into(), mac: MAC }));
        }
    }
}
