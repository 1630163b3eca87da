//! TCP connections as epoll(7) watches them for the data plane: for what comes, and for room to write only once there
//! was none.
//!
//! Nearly all that a proxy writes goes out at once. Whoever watches for room all the same is told of it with all that
//! comes, and once more when an answer comes in two segments: an epoll_wait that brings nothing.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

use super::watched::watched_for;

/// A connection that the reactor watches.
#[derive(Debug)]
pub struct Tcp {
    fd: AsyncFd<TcpStream>,
    /// For room to write as well.
    room: bool,
}

impl Tcp {
    /// Has the reactor of this runtime watch a non-blocking connection for what comes.
    ///
    /// # Errors
    /// Out of memory or of epoll watches.
    pub fn watch(tcp: TcpStream) -> io::Result<Self> {
        Ok(Self { fd: watched_for(tcp, Interest::READABLE)?, room: false })
    }

    /// The connection.
    #[must_use]
    pub fn inner(&self) -> &TcpStream {
        self.fd.get_ref()
    }

    /// Has it watched for room as well. Who waited for something to come waits for nothing now, and has to look again.
    ///
    /// # Errors
    /// As [`Tcp::watch`].
    pub fn watch_room(self) -> io::Result<Self> {
        let both = Interest::READABLE | Interest::WRITABLE;
        Ok(Self { fd: watched_for(self.fd.into_inner(), both)?, room: true })
    }

    /// Reads once; nothing read means that the other side will say no more.
    ///
    /// # Errors
    /// What recv(2) says.
    pub fn poll_read(&self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.fd.poll_read_ready(cx))?;
            let space = room.initialize_unfilled();
            let wanted = space.len();
            match read(self.fd.get_ref(), space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                read => {
                    let count = read?;
                    // That was all there is: saves a read that finds nothing.
                    if (1..wanted).contains(&count) {
                        ready.clear_ready();
                    }
                    room.advance(count);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Has `take` take something that has come, once there is something.
    ///
    /// # Errors
    /// What `take` says, but for `WouldBlock`.
    pub fn poll_take<T>(
        &self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut ready = ready!(self.fd.poll_read_ready(cx))?;
            if let Ok(taken) = ready.try_io(|fd| take(fd.get_ref())) {
                return Poll::Ready(taken);
            }
        }
    }

    /// Whether nothing has come, neither bytes nor the other side's close. No system call without news from the kernel.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let peeked = self.fd.try_io(Interest::READABLE, |tcp| tcp.peek(&mut [0]));
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Bytes that were written and that the other side's kernel has not acknowledged: `SIOCOUTQ` (tcp(7)), which libc knows
    /// by the other name of the same number. 0 if the kernel does not say.
    #[must_use]
    pub fn queued(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: the socket is open, and the kernel writes an integer that outlives the call.
        #[expect(unsafe_code, reason = "no crate of ours has SIOCOUTQ")]
        let result = unsafe { libc::ioctl(self.inner().as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
        if result == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
    }

    /// Ends when the connection is broken: the other side has reset it, or is no longer reached. It ends as well when
    /// nobody watches any more.
    pub async fn breaks(&self) {
        // Whatever was being watched for, the kernel tells of errors.
        let _ended = self.fd.ready(Interest::ERROR).await;
    }

    /// Has `give` write something; `None` when there is no room and nobody watches for it: then [`Tcp::watch_room`].
    ///
    /// # Errors
    /// What `give` says, but for `WouldBlock`.
    pub fn poll_give<T>(
        &self,
        cx: &mut Context<'_>,
        mut give: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<Option<T>>> {
        if !self.room {
            return Poll::Ready(match give(self.inner()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                given => given.map(Some),
            });
        }
        loop {
            let mut ready = ready!(self.fd.poll_write_ready(cx))?;
            if let Ok(given) = ready.try_io(|fd| give(fd.get_ref())) {
                return Poll::Ready(given.map(Some));
            }
        }
    }
}

/// Reads once, straight from the kernel: in the C library, each read and write is a point where a thread can be
/// cancelled, which costs more than the rest of the call.
///
/// # Errors
/// What recv(2) says.
pub fn read(tcp: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
    Ok(recv(tcp, room, RecvFlags::empty())?.0)
}

/// Writes once, as [`read`] reads.
///
/// # Errors
/// What send(2) says.
pub fn write(tcp: &TcpStream, data: &[u8]) -> io::Result<usize> {
    Ok(send(tcp, data, SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// The other side, and ours.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let far = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (near, _) = listener.accept().expect("it has connected");
        near.set_nonblocking(true).expect("it is a socket");
        (far, near)
    }

    /// Reads once into a room of 16 bytes.
    async fn read(tcp: &Tcp) -> Vec<u8> {
        let mut bytes = [0; 16];
        let mut room = ReadBuf::new(&mut bytes);
        poll_fn(|cx| tcp.poll_read(cx, &mut room)).await.expect("it is well");
        room.filled().to_vec()
    }

    #[tokio::test]
    async fn what_comes_is_read_and_then_the_end() {
        let (mut far, near) = pair();
        let tcp = Tcp::watch(near).expect("a watch");
        assert!(tcp.is_quiet());
        for _ in 0..2 {
            far.write_all(b"hello").expect("it is open");
            assert_eq!(read(&tcp).await, b"hello");
        }
        assert!(tcp.is_quiet());
        drop(far);
        assert_eq!(read(&tcp).await, b"");
        assert!(!tcp.is_quiet());
    }

    #[tokio::test]
    async fn what_the_other_side_has_not_taken_is_counted() {
        let (mut far, near) = pair();
        let tcp = Tcp::watch(near).expect("a watch");
        assert_eq!(tcp.queued(), 0);
        let block = [0; 65_536];
        let mut given = 0;
        while let Some(count) =
            poll_fn(|cx| tcp.poll_give(cx, |mut tcp| tcp.write(&block))).await.expect("it is well")
        {
            given += count;
        }
        assert!((1..=given).contains(&tcp.queued()), "{} of {given}", tcp.queued());
        far.read_exact(&mut vec![0; given]).expect("it is there");
        while tcp.queued() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_reset_breaks_it_and_the_end_does_not() {
        let (far, near) = pair();
        let tcp = Tcp::watch(near).expect("a watch");
        far.shutdown(std::net::Shutdown::Write).expect("it is open");
        assert_eq!(read(&tcp).await, b"");
        let mut breaks = std::pin::pin!(tcp.breaks());
        let waits = poll_fn(|cx| Poll::Ready(breaks.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "the other side only says no more");
        socket2::SockRef::from(&far).set_linger(Some(std::time::Duration::ZERO)).expect("a socket");
        drop(far);
        breaks.await;
    }

    #[tokio::test]
    async fn who_finds_no_room_is_told_when_there_is_some() {
        let (mut far, near) = pair();
        let mut tcp = Tcp::watch(near).expect("a watch");
        let block = [0; 65_536];
        let give = |mut tcp: &TcpStream| tcp.write(&block);
        let mut given = 0;
        while let Some(count) = poll_fn(|cx| tcp.poll_give(cx, give)).await.expect("it is well") {
            given += count;
        }
        tcp = tcp.watch_room().expect("a watch");
        let reading = std::thread::spawn(move || {
            let mut rest = given;
            while rest > 0 {
                rest -= far.read(&mut vec![0; rest.min(65_536)]).expect("it is open");
            }
            far
        });
        let more = poll_fn(|cx| tcp.poll_give(cx, give)).await.expect("it is well");
        assert!(more.is_some_and(|count| count > 0));
        let mut far = reading.join().expect("it has read");
        far.write_all(b"hello").expect("it is open");
        assert_eq!(read(&tcp).await, b"hello");
    }
}
