//! What a host hears: adverts, ARP and neighbour discovery on its card, stamped by the kernel.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
    setsockopt, socket,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use socket2::SockFilter;

use super::links::CARD;
use super::{Error, Frame, Host, Journal, Moment};

/// Listens on a host's card until it is dropped. The switch floods multicast and broadcast, so any host hears every
/// advert and every gratuitous ARP; what the host itself sends is left out.
#[derive(Debug)]
pub struct Capture {
    frames: Journal<Frame>,
    thread: Option<JoinHandle<()>>,
    /// Closing it ends the thread.
    stop: Option<OwnedFd>,
}

impl Capture {
    /// Listens on `host`'s card from now on.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn start(host: &Host) -> Result<Self, Error> {
        Self::start_with(host, |_| {})
    }

    /// Listens on `host`'s card from now on, and shows each frame to `tap` as well, on the capture's own thread.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn start_with(host: &Host, tap: impl Fn(&Frame) + Send + 'static) -> Result<Self, Error> {
        let failed = || format!("capturing on {}", host.name());
        let (card, socket) = host.run(open)?.map_err(Error::at(failed()))?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::at(failed()))?;
        let frames = Journal::new();
        let journal = frames.clone();
        let thread = std::thread::Builder::new()
            .name(format!("{} capture", host.name()))
            .spawn(move || listen(&socket, card, &stopped, &journal, tap))
            .map_err(Error::at(failed()))?;
        Ok(Self { frames, thread: Some(thread), stop: Some(stop) })
    }

    /// Every frame so far, in the order of arrival.
    pub const fn frames(&self) -> &Journal<Frame> {
        &self.frames
    }

    /// The first frame at or after `from` that is `wanted`; `None` when there was none `within` this time from now.
    pub fn wait_for(
        &self,
        from: Moment,
        within: Duration,
        mut wanted: impl FnMut(&Frame) -> bool,
    ) -> Option<Frame> {
        self.frames.wait(0, within, |frames| {
            frames[first_at(frames, from)..].iter().find(|frame| wanted(frame)).cloned()
        })
    }

    /// The frames of a stretch of time: at or after `from`, before `to`.
    pub fn between(&self, from: Moment, to: Moment) -> Vec<Frame> {
        self.frames.read(|frames| frames[first_at(frames, from)..first_at(frames, to)].to_vec())
    }

    /// The last frame before `to` that is `wanted`.
    pub fn last_before(&self, to: Moment, mut wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        self.frames
            .read(|frames| frames[..first_at(frames, to)].iter().rev().find(|frame| wanted(frame)).cloned())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A tap that panicked has said so on stderr already.
            let _ = thread.join();
        }
    }
}

/// Where in `frames` those at or after `at` begin; one socket's frames come in the order of their stamps.
fn first_at(frames: &[Frame], at: Moment) -> usize {
    frames.partition_point(|frame| frame.at < at)
}

/// Room for what a node with hundreds of routers says at once.
const BUFFER: usize = 8 << 20;

/// A packet socket in the thread's namespace that is stamped and filtered, and the index of the card.
fn open() -> nix::Result<(usize, OwnedFd)> {
    let card = nix::net::if_::if_nametoindex(CARD)?;
    let protocol = SockProtocol::EthAll;
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    setsockopt(&socket, RcvBufForce, &BUFFER)?;
    socket2::SockRef::from(&socket)
        .attach_filter(&FILTER.map(instruction))
        .map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL)))?;
    Ok((usize::try_from(card).unwrap_or(usize::MAX), socket))
}

fn listen(socket: &OwnedFd, card: usize, stopped: &OwnedFd, frames: &Journal<Frame>, tap: impl Fn(&Frame)) {
    loop {
        let mut ready = [PollFd::new(socket, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) if ready[1].revents().is_empty() => {}
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) | Err(_) => return,
        }
        if let Some(frame) = receive(socket, card) {
            tap(&frame);
            frames.push(frame);
        }
    }
}

/// The next frame, or `None` when it came over another link, was sent by this host, or is not understood.
fn receive(socket: &OwnedFd, card: usize) -> Option<Frame> {
    let mut bytes = [0; 2048];
    let mut control = nix::cmsg_space!(libc::timespec);
    let mut buffers = [IoSliceMut::new(&mut bytes)];
    let fd = socket.as_fd().as_raw_fd();
    let message = recvmsg::<LinkAddr>(fd, &mut buffers, Some(&mut control), MsgFlags::MSG_DONTWAIT).ok()?;
    let from = message.address?;
    if from.ifindex() != card || from.pkttype() == PACKET_OUTGOING {
        return None;
    }
    let at = message.cmsgs().ok()?.find_map(|note| {
        let ControlMessageOwned::ScmTimestampns(at) = note else { return None };
        Some(Moment::from_timespec(at.tv_sec(), at.tv_nsec()))
    })?;
    let length = message.bytes;
    Frame::parse(at, bytes.get(..length)?)
}

/// `linux/if_packet.h`.
const PACKET_OUTGOING: u8 = 4;

/// Keeps the traffic's own packets out, and what this host floods the others with: takes ARP, VRRP and neighbour
/// discovery that came in. Classic BPF (`linux/filter.h`):
/// (code, instructions to skip when true, when false, constant).
const FILTER: [(u16, u8, u8, u32); 16] = [
    (0x30, 0, 0, 0xFFFF_F004), // load SKF_AD_PKTTYPE
    (0x15, 13, 0, 4),          // PACKET_OUTGOING: leave
    (0x28, 0, 0, 12),          // load the half-word at 12: EtherType
    (0x15, 10, 0, 0x0806),     // ARP: take
    (0x15, 0, 2, 0x0800),      // IPv4:
    (0x30, 0, 0, 23),          //   load the byte at 23: protocol
    (0x15, 7, 8, 112),         //   VRRP: take, otherwise leave
    (0x15, 0, 7, 0x86dd),      // not IPv6: leave
    (0x30, 0, 0, 20),          //   load the byte at 20: next header
    (0x15, 4, 0, 112),         //   VRRP: take
    (0x15, 0, 4, 58),          //   not ICMPv6: leave
    (0x30, 0, 0, 54),          //   load the byte at 54: type
    (0x15, 1, 0, 135),         //   a neighbour solicitation: take
    (0x15, 0, 1, 136),         //   not a neighbour advertisement either: leave
    (0x06, 0, 0, 0x0004_0000), // take
    (0x06, 0, 0, 0),           // leave
];

fn instruction((code, jt, jf, k): (u16, u8, u8, u32)) -> SockFilter {
    SockFilter::new(code, jt, jf, k)
}
