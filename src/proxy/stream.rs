//! A connection to a client or a server, whatever is under it.
//!
//! One type for both sides, so that what is written once works over all of them: a match per call, no trait objects
//! and no type parameters through the room. One poll function serves both directions of an exchange, so it is never
//! split into halves; each direction keeps the waker of whoever polled it last.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP and nothing else.
    Plain(TcpStream),
}

impl Stream {
    /// Whether nobody on the way can read along.
    pub(super) const fn is_secure(&self) -> bool {
        match self {
            Self::Plain(_) => false,
        }
    }

    /// Reads once; nothing read means that the other side will say no more.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            // Not try_read: poll_read forgets the readiness after a short read and so saves a read that finds
            // nothing.
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, room),
        }
    }

    /// Writes once and says how much. What was taken may still wait in here, see [`Stream::poll_flush`].
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, data),
        }
    }

    /// As [`Stream::poll_write`], from several places.
    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, data),
        }
    }

    /// Hands what was written on to the kernel; TCP alone keeps nothing back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
        }
    }

    /// Whether nothing has come that was not read: neither bytes nor the other side's close. Without news from the
    /// kernel this is no system call.
    pub(super) fn is_quiet(&self) -> bool {
        let read = match self {
            Self::Plain(tcp) => tcp.try_read(&mut [0]),
        };
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Closes so that the other side cannot take what it got for the whole: with RST instead of FIN.
    pub(super) fn abort(self) {
        let socket = match &self {
            Self::Plain(tcp) => SockRef::from(tcp),
        };
        // If the kernel cannot, the connection closes all the same.
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
}
