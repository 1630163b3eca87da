//! A stranger who floods the group with what no node may believe.

use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};
use vipd::lab::{Error, Host, Moment};
use vipd::vrrp::wire::{self, Advert, Path};
use vipd::vrrp::{Centis, Dialect, Priority, Version, Vrid};

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Packets.
    pub(crate) packets: u64,
    /// When the first of them left.
    pub(crate) from: Moment,
    /// When the last of them had left.
    pub(crate) to: Moment,
}

impl Sent {
    /// Packets a second, as far as the machine could.
    pub(crate) fn rate(&self) -> u64 {
        let micros = self.to.since(self.from).as_micros().max(1);
        u64::try_from(u128::from(self.packets) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

/// Packets of one system call.
const BATCH: u32 = 200;
/// Who the packets claim to come from.
const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 200);

/// Sends `rate` packets a second `for_` this long from `host` to the group, each of [`packets`] as often as any other.
pub(crate) fn storm(host: &Host, vrid: Vrid, rate: u32, for_: Duration) -> Result<Sent, Error> {
    let sent = host.run(|| send(host.address(), vrid, rate, for_))?;
    sent.map_err(|error| Error::new(format!("the storm: {error}")))
}

fn send(address: Ipv4Addr, vrid: Vrid, rate: u32, for_: Duration) -> io::Result<Sent> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    socket.set_multicast_if_v4(&address)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_send_buffer_size(4 << 20)?;
    let packets = packets(vrid);
    let slices: Vec<_> =
        packets.iter().cycle().take(BATCH as usize).map(|packet| [IoSlice::new(packet)]).collect();
    let [a, b, c, d] = wire::GROUP.octets();
    let group = vec![Some(SockaddrIn::new(a, b, c, d, 0)); slices.len()];
    let mut headers = MultiHeaders::preallocate(slices.len(), None);
    let pause = Duration::from_secs(1) * BATCH / rate;
    let (from, mut packets, mut due) = (Moment::now(), 0, Duration::ZERO);
    loop {
        let spent = Moment::now().since(from);
        if spent >= for_ {
            return Ok(Sent { packets, from, to: Moment::now() });
        }
        if spent < due {
            sleep(due - spent);
            continue;
        }
        // A machine that cannot keep up sends as much as it can, and does not catch up in a burst.
        due = due.max(spent.saturating_sub(10 * pause)) + pause;
        let sent = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &group, [], MsgFlags::empty())?;
        packets += u64::try_from(sent.count()).unwrap_or(0);
    }
}

/// One packet of each kind. The well-formed part always asks for the role with priority 255: who believes one of
/// them gives the role up.
pub(crate) fn packets(vrid: Vrid) -> Vec<Vec<u8>> {
    let right = message(vrid);
    let changed = |at: usize, value: u8| {
        let mut message = right.clone();
        message[at] = value;
        message
    };
    let foreign = message(Vrid::new(vrid.get() ^ 0x40).unwrap_or(vrid));
    vec![
        ip(254, &right),
        ip(1, &right),
        ip(255, &changed(6, !right[6])),             // the checksum
        ip(255, &changed(0, 0x21)),                  // version 2
        ip(255, &changed(0, 0x71)),                  // version 7
        ip(255, &changed(0, 0x32)),                  // type 2
        ip(255, &changed(3, 0)),                     // counts that lie
        ip(255, &changed(3, 255)),                   //
        ip(255, &changed(3, 0)[..8]),                // no addresses
        ip(255, &right[..11]),                       // truncations
        ip(255, &right[..7]),                        //
        ip(255, &[]),                                //
        ip(255, &foreign),                           // another VRID
        ip(255, &[&right[..], &[0xAA; 4]].concat()), // junk behind the message
        ip(255, &[&right[..], &[0xAA; 501]].concat()),
        ip(255, &[0xFF; 64]),
    ]
}

fn message(vrid: Vrid) -> Vec<u8> {
    let version = Version::V3;
    let advert = Advert { version, vrid, priority: Priority::OWNER, interval: Centis::MAX };
    let (path, listed) = (Path::to_group(SOURCE.into()), [Ipv4Addr::new(10, 77, 0, 100).into()]);
    let mut message = Vec::new();
    wire::emit(advert, &listed, path, Dialect::Pseudo, None, &mut message);
    message
}

/// A packet for a raw socket: the kernel sets length, id and header checksum (raw(7)).
fn ip(ttl: u8, message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0xC0, 0, 0, 0, 0, 0, 0, ttl, wire::PROTOCOL, 0, 0];
    packet.extend(SOURCE.octets().into_iter().chain(wire::GROUP.octets()));
    packet.extend(message);
    packet
}
