//! TLS over a connection, with the calls of a plain one.
//!
//! Records are made and opened by rustls; what is not written yet waits there, up to its bound of 64 KiB, and goes out
//! with as few system calls as there can be: the tickets of a new session with the first response, a head with the
//! beginning of its body. An orderly end is said (close_notify) and asked for: a connection that ends without one was
//! cut off, and reading it fails (RFC 8446 §6.1).

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use tokio::io::ReadBuf;

use super::gone::News;
use super::stream::Stream;
use crate::net::tcp::Tcp;

/// A connection that nobody on the way can read along.
#[derive(Debug)]
pub(super) struct Secured {
    under: Stream,
    tls: Connection,
    /// The very first byte of the other side; 0 until it is there.
    first: u8,
    /// The end of what we say is said, or will not be said.
    ending: bool,
}

/// Why there was no handshake.
#[derive(Debug)]
pub(super) enum Broken {
    /// The other side does not speak TLS but what looks like HTTP.
    NotTls,
    /// What it said, or did not say, does not go together with what we ask for.
    Refused(rustls::Error),
    /// It has closed, or the connection failed.
    Gone(io::Error),
}

impl Secured {
    /// The server's side of a connection, before the handshake.
    pub(super) fn server(under: Stream, config: Arc<ServerConfig>) -> Result<Box<Self>, rustls::Error> {
        Ok(Self::new(under, ServerConnection::new(config)?.into()))
    }

    /// The client's side of a connection, before the handshake.
    pub(super) fn client(
        under: Stream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Box<Self>, rustls::Error> {
        Ok(Self::new(under, ClientConnection::new(config, name)?.into()))
    }

    fn new(under: Stream, tls: Connection) -> Box<Self> {
        Box::new(Self { under, tls, first: 0, ending: false })
    }

    /// What is under it, when it turned out that the other side speaks plain.
    pub(super) fn into_plain(mut self: Box<Self>) -> Stream {
        self.ending = true;
        std::mem::replace(&mut self.under, Stream::Lost)
    }

    /// What the other side connected to.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.under.local_addr()
    }

    /// Moves the handshake on. When it fails, the other side is told why, if it can be told at once.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            // What the last step of a handshake has to say goes out with what is said next; a client whose
            // handshake ends with its own word must say it.
            if !self.tls.is_handshaking()
                && (!self.tls.wants_write() || matches!(self.tls, Connection::Server(_)))
            {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_out(cx)).map_err(Broken::Gone)?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_take(cx)).map_err(Broken::Gone)? == 0 {
                return Poll::Ready(Err(Broken::Gone(io::ErrorKind::UnexpectedEof.into())));
            }
            if let Err(error) = self.tls.process_new_packets() {
                self.ending = true;
                if self.first.is_ascii_uppercase() {
                    return Poll::Ready(Err(Broken::NotTls));
                }
                let _told = self.poll_out(cx);
                return Poll::Ready(Err(Broken::Refused(error)));
            }
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            // By its records: a room that is not initialised, as HTTP/2 has it, need not be cleared for nothing.
            let before = room.filled().len();
            let mut reader = self.tls.reader();
            loop {
                let record = match reader.fill_buf() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // What was opened comes first; the end is still there.
                    Err(_) if room.filled().len() > before => break,
                    record => record?,
                };
                let count = record.len().min(room.remaining());
                if count == 0 {
                    return Poll::Ready(Ok(()));
                }
                room.put_slice(&record[..count]);
                reader.consume(count);
            }
            if room.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            match self.poll_take(cx)? {
                // The reader above knows whether this is an orderly end.
                Poll::Ready(_) => {
                    self.tls.process_new_packets().map_err(malformed)?;
                }
                Poll::Pending => {
                    // While we wait, the other side need not: it gets its tickets or an answer to a new key.
                    if self.tls.wants_write()
                        && let Poll::Ready(Err(error)) = self.poll_out(cx)
                    {
                        return Poll::Ready(Err(error));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let taken = self.tls.writer().write_vectored(data)?;
            if taken > 0 || data.iter().all(|part| part.is_empty()) {
                return Poll::Ready(Ok(taken));
            }
            ready!(self.poll_out(cx))?;
        }
    }

    /// As [`Secured::poll_write_vectored`], what nothing more comes behind: the end is said with it.
    pub(super) fn poll_write_last(
        &mut self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(self.poll_write_vectored(cx, data))?;
        if taken == data.iter().map(|part| part.len()).sum::<usize>() {
            self.end();
        }
        Poll::Ready(Ok(taken))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        ready!(self.poll_out(cx))?;
        self.under.poll_shutdown(cx)
    }

    /// As [`Stream::poll_news`].
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        loop {
            match self.tls.reader().fill_buf() {
                Ok([]) => return Poll::Ready(News::Closed),
                Ok(_) => return Poll::Ready(News::More),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Closed without a word.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(News::Closed);
                }
                Err(_) => return Poll::Ready(News::Broken),
            }
            let taken = ready!(self.poll_take(cx));
            if taken.is_err() || self.tls.process_new_packets().is_err() {
                return Poll::Ready(News::Broken);
            }
        }
    }

    /// As [`Stream::socket`].
    pub(super) fn socket(&self) -> Option<&Tcp> {
        self.under.socket()
    }

    /// As [`Stream::is_quiet`]; what only concerns TLS itself is taken in.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut room = [0];
        let mut cx = Context::from_waker(Waker::noop());
        self.poll_read(&mut cx, &mut ReadBuf::new(&mut room)).is_pending()
    }

    /// From here on it ends with RST, and without a word.
    pub(super) fn set_abort(&mut self) {
        self.ending = true;
        self.under.set_abort();
    }

    /// As [`Stream::keep_alive`].
    pub(super) fn keep_alive(&self) {
        self.under.keep_alive();
    }

    fn end(&mut self) {
        if !self.ending {
            self.ending = true;
            self.tls.send_close_notify();
        }
    }

    /// Writes what waits.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut wire = Wire { stream: &mut self.under, cx, first: &mut self.first };
            match self.tls.write_tls(&mut wire) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads records once; 0 when the connection has ended.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut wire = Wire { stream: &mut self.under, cx, first: &mut self.first };
        match self.tls.read_tls(&mut wire) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            taken => Poll::Ready(taken),
        }
    }
}

impl Drop for Secured {
    /// Says the end, if it was not said and can be said at once.
    fn drop(&mut self) {
        if !self.ending && !self.tls.is_handshaking() {
            self.end();
            let _said = self.poll_out(&mut Context::from_waker(Waker::noop()));
        }
    }
}

fn malformed(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The connection as rustls wants it: what is not ready would block.
struct Wire<'w, 'c> {
    stream: &'w mut Stream,
    cx: &'w mut Context<'c>,
    first: &'w mut u8,
}

fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for Wire<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut room = ReadBuf::new(bytes);
        at_once(self.stream.poll_read(self.cx, &mut room))?;
        let filled = room.filled();
        if *self.first == 0 {
            *self.first = filled.first().copied().unwrap_or(0);
        }
        Ok(filled.len())
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        at_once(self.stream.poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(self.stream.poll_write_vectored(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
