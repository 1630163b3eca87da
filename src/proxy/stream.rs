//! A connection to a client or a server, whatever is under it.
//!
//! One type for both sides, so that what is written once works over all of them: a match per call, no trait objects
//! and no type parameters through the room. One poll function serves both directions of an exchange, so it is never
//! split into halves; each direction keeps the waker of whoever polled it last.

use std::io::{self, IoSlice, Write};
use std::net::{self, SocketAddr};
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::ReadBuf;

use super::gone::News;
use super::h2::Lane;
use super::secured::Secured;
use crate::net::keepalive;
use crate::net::splice::Pipe;
use crate::net::tcp::{self, Tcp};

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP that the reactor does not watch: it does at once what can be done at once, and becomes `Plain` at the first
    /// wait. A client that asks one thing and leaves costs no epoll_ctl.
    Lazy(net::TcpStream),
    /// TCP and nothing else.
    Plain(Tcp),
    /// TLS over one of the others.
    Secured(Box<Secured>),
    /// A stream of HTTP/2, in the words of HTTP/1.1.
    Lane(Lane),
    /// None any more, or one that the reactor could not take.
    Lost,
}

impl Stream {
    /// A connection that was just accepted: non-blocking, and nobody watches it.
    pub(super) fn accepted(tcp: net::TcpStream) -> Self {
        Self::Lazy(tcp)
    }

    /// Whether nobody on the way can read along.
    pub(super) fn is_secure(&self) -> bool {
        match self {
            Self::Lane(lane) => lane.is_secure(),
            Self::Lazy(_) | Self::Plain(_) | Self::Lost => false,
            Self::Secured(_) => true,
        }
    }

    /// How much may be read without waiting of what is to be written here. A client of HTTP/2 has many streams, and can let
    /// all of them wait.
    pub(super) fn gulp(&self) -> usize {
        match self {
            Self::Lane(lane) => lane.gulp(),
            Self::Lazy(_) | Self::Plain(_) | Self::Secured(_) | Self::Lost => usize::MAX,
        }
    }

    /// Waits until more may be read, and says how much. When there is nothing to be read, it is to [`Stream::pass`].
    pub(super) fn poll_gulp(&self, cx: &Context<'_>) -> Poll<usize> {
        match self {
            Self::Lane(lane) => lane.poll_gulp(cx),
            Self::Lazy(_) | Self::Plain(_) | Self::Secured(_) | Self::Lost => Poll::Ready(usize::MAX),
        }
    }

    /// Others may read instead.
    pub(super) fn pass(&self) {
        if let Self::Lane(lane) = self {
            lane.pass();
        }
    }

    /// Reads once; nothing read means that the other side will say no more.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(count) = self.at_once(|tcp| tcp::read(tcp, room.initialize_unfilled()))? {
            room.advance(count);
            return Poll::Ready(Ok(()));
        }
        match self {
            Self::Plain(tcp) => tcp.poll_read(cx, room),
            Self::Secured(tls) => tls.poll_read(cx, room),
            Self::Lane(lane) => lane.poll_read(cx, room),
            Self::Lazy(_) | Self::Lost => Poll::Ready(Err(lost())),
        }
    }

    /// As [`Stream::poll_read`], but what was read is still there to be read. Not for TLS.
    pub(super) fn poll_peek(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(count) = self.at_once(|tcp| tcp.peek(room.initialize_unfilled()))? {
            room.advance(count);
            return Poll::Ready(Ok(()));
        }
        match self {
            Self::Plain(tcp) => {
                let count = ready!(tcp.poll_take(cx, |tcp| tcp.peek(room.initialize_unfilled())))?;
                room.advance(count);
                Poll::Ready(Ok(()))
            }
            Self::Lazy(_) | Self::Secured(_) | Self::Lane(_) | Self::Lost => Poll::Ready(Err(lost())),
        }
    }

    /// Waits for anything from the other side beyond what was read, and leaves it where it is.
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        if let Self::Secured(tls) = self {
            return tls.poll_news(cx);
        }
        let mut byte = [0];
        let mut room = ReadBuf::new(&mut byte);
        match ready!(self.poll_peek(cx, &mut room)) {
            Ok(()) if room.filled().is_empty() => Poll::Ready(News::Closed),
            Ok(()) => Poll::Ready(News::More),
            Err(_) if matches!(self, Self::Lane(_)) => Poll::Ready(News::More),
            Err(_) => Poll::Ready(News::Broken),
        }
    }

    /// The connection that the reactor watches, if it is one.
    pub(super) fn socket(&self) -> Option<&Tcp> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Secured(tls) => tls.socket(),
            Self::Lazy(_) | Self::Lane(_) | Self::Lost => None,
        }
    }

    /// Bytes in the kernel that the other side has not taken.
    pub(super) fn queued(&self) -> usize {
        self.socket().map_or(0, Tcp::queued)
    }

    /// What the other side connected to.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Lazy(tcp) => tcp.local_addr(),
            Self::Plain(tcp) => tcp.inner().local_addr(),
            Self::Secured(tls) => tls.local_addr(),
            Self::Lane(lane) => lane.local_addr(),
            Self::Lost => Err(lost()),
        }
    }

    /// Writes once and says how much. What was taken may still wait in here, see [`Stream::poll_flush`].
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Lazy(_) | Self::Plain(_) => self.poll_give(cx, |tcp| tcp::write(tcp, data)),
            Self::Secured(tls) => tls.poll_write(cx, data),
            Self::Lane(lane) => lane.poll_write(cx, data),
            Self::Lost => Poll::Ready(Err(lost())),
        }
    }

    /// As [`Stream::poll_write`], from several places.
    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Lazy(_) | Self::Plain(_) => self.poll_give(cx, |mut tcp| tcp.write_vectored(data)),
            Self::Secured(tls) => tls.poll_write_vectored(cx, data),
            Self::Lane(lane) => {
                let first = data.iter().find(|part| !part.is_empty());
                lane.poll_write(cx, first.map_or(&[], |part| part))
            }
            Self::Lost => Poll::Ready(Err(lost())),
        }
    }

    /// As [`Stream::poll_write_vectored`], what nothing more comes behind. Over TCP alone the end goes out with the last
    /// of it: a segment less for both sides.
    pub(super) fn poll_write_last(
        &mut self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Lazy(_) | Self::Plain(_) => self.poll_give(cx, |tcp| write_last(tcp, data)),
            Self::Secured(tls) => tls.poll_write_last(cx, data),
            Self::Lane(_) | Self::Lost => self.poll_write_vectored(cx, data),
        }
    }

    /// Hands what was written on to the kernel; TCP alone keeps nothing back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Secured(tls) => tls.poll_flush(cx),
            Self::Lazy(_) | Self::Plain(_) | Self::Lane(_) | Self::Lost => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Lazy(tcp) => Poll::Ready(end(tcp)),
            Self::Plain(tcp) => Poll::Ready(end(tcp.inner())),
            Self::Secured(tls) => tls.poll_shutdown(cx),
            // How a stream ends, its connection knows.
            Self::Lane(_) => Poll::Ready(Ok(())),
            Self::Lost => Poll::Ready(Err(lost())),
        }
    }

    /// Whether its bytes are those on the wire, so that the kernel can move them.
    pub(super) fn is_bare(&self) -> bool {
        match self {
            Self::Lazy(_) | Self::Plain(_) => true,
            Self::Secured(_) | Self::Lane(_) | Self::Lost => false,
        }
    }

    /// As [`Stream::poll_read`], up to `most` bytes into a pipe. Only what [`Stream::is_bare`] can.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        if let Some(count) = self.at_once(|tcp| pipe.fill(tcp.as_fd(), most))? {
            return Poll::Ready(Ok(count));
        }
        let Self::Plain(tcp) = self else { return Poll::Ready(Err(lost())) };
        tcp.poll_take(cx, |tcp| pipe.fill(tcp, most))
    }

    /// As [`Stream::poll_write`], what a pipe holds. Only what [`Stream::is_bare`] can.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        self.poll_give(cx, |tcp| pipe.drain(tcp))
    }

    /// Whether nothing has come that was not read: neither bytes nor the other side's close. Without news from the
    /// kernel this is no system call.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Lazy(tcp) => {
                tcp.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Plain(tcp) => tcp.is_quiet(),
            Self::Secured(tls) => tls.is_quiet(),
            Self::Lane(_) | Self::Lost => false,
        }
    }

    /// Closes so that the other side cannot take what it got for the whole: with RST instead of FIN.
    pub(super) fn abort(mut self) {
        self.set_abort();
    }

    /// When it is dropped, it closes as [`Stream::abort`] does.
    pub(super) fn set_abort(&mut self) {
        let socket = match self {
            Self::Lazy(tcp) => SockRef::from(&*tcp),
            Self::Plain(tcp) => SockRef::from(tcp.inner()),
            Self::Secured(tls) => return tls.set_abort(),
            Self::Lane(_) | Self::Lost => return,
        };
        // If the kernel cannot, the connection closes all the same.
        let _ = socket.set_linger(Some(Duration::ZERO));
    }

    /// When it is dropped, the local port is free at once, if the other side has all that was said to it: it closes with
    /// RST. Whoever closes first with FIN keeps the port for a minute (TIME_WAIT, RFC 9293 §3.6), and there are 28,000 for
    /// each server. What is still on its way arrives, and the end of it is FIN.
    pub(super) fn set_leave(&mut self) {
        if self.queued() == 0 {
            self.set_abort();
        }
    }

    /// From now on a client that is silent is asked whether it is there.
    pub(super) fn keep_alive(&self) {
        let tcp = match self {
            Self::Lazy(tcp) => tcp,
            Self::Plain(tcp) => tcp.inner(),
            Self::Secured(tls) => return tls.keep_alive(),
            Self::Lane(_) | Self::Lost => return,
        };
        // If the kernel cannot, the limits on time are what is left.
        let _ = keepalive::begin_accepted(tcp);
    }

    /// Has `give` write something to TCP alone. At the first time that there is no room for it, the reactor is told to
    /// watch for some.
    fn poll_give<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut give: impl FnMut(&net::TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if let Some(given) = self.at_once(|tcp| give(tcp))? {
            return Poll::Ready(Ok(given));
        }
        let Self::Plain(tcp) = self else { return Poll::Ready(Err(lost())) };
        if let Some(given) = ready!(tcp.poll_give(cx, give))? {
            return Poll::Ready(Ok(given));
        }
        if let Self::Plain(tcp) = std::mem::replace(self, Self::Lost) {
            *self = Self::Plain(tcp.watch_room()?);
        }
        // Whoever polls us waits for something to come as well, perhaps, and must say so anew.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// What a `Lazy` connection can do without waiting. If it would have to wait, it is `Plain` from now on.
    fn at_once<T>(
        &mut self,
        work: impl FnOnce(&mut net::TcpStream) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let Self::Lazy(tcp) = self else { return Ok(None) };
        match work(tcp) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.watch().map(|()| None),
            done => done.map(Some),
        }
    }

    /// Has the reactor watch it from now on, if it does not.
    #[cold]
    pub(super) fn watch(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::Lost) {
            Self::Lazy(tcp) => *self = Self::Plain(Tcp::watch(tcp)?),
            other @ (Self::Plain(_) | Self::Secured(_) | Self::Lane(_) | Self::Lost) => *self = other,
        }
        Ok(())
    }
}

/// The kernel keeps the last segment back until it knows that more comes, or that this is the end.
fn write_last(tcp: &net::TcpStream, data: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = libc::MSG_MORE | libc::MSG_NOSIGNAL;
    let written = SockRef::from(tcp).send_vectored_with_flags(data, flags)?;
    if written == data.iter().map(|part| part.len()).sum::<usize>() {
        // That the client is gone is for the next one to find out.
        let _ = end(tcp);
    }
    Ok(written)
}

/// Says that nothing more will be written; to one that is gone there is nothing to say.
fn end(tcp: &net::TcpStream) -> io::Result<()> {
    match tcp.shutdown(net::Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        said => said,
    }
}

fn lost() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
