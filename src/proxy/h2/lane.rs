//! One stream as a connection that speaks HTTP/1.1: whoever reads from it reads the request, whoever writes to it writes
//! the response.
//!
//! What is read is given back to the client's windows at the next read: then the server has taken it. What is written is
//! taken only as far as the client's windows and the connection's share of memory go, so that nothing is read from a
//! server that there is no room for.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use ::http::{HeaderMap, Request};
use bytes::{Buf as _, Bytes};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use tokio::io::ReadBuf;

use super::head::{self, Follows, Framing};
use super::unsent::{Piece, Share, Unsent};
use crate::http::{Decoder, Lines, MAX_LINES, Malformed, Part, Response, Scan};

/// A stream. Its clones are the same stream: one is served, one watches whether the client is still there.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Lane(Rc<RefCell<Ends>>);

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The client has the whole response.
    Answered,
    /// The client has taken its request back, or is gone.
    TakenBack,
    /// The response broke off.
    Broken,
}

#[derive(Debug)]
struct Ends {
    up: Up,
    down: Down,
    under: Under,
}

/// What is known of the connection under a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Under {
    /// Nobody on the way can read along.
    pub(super) secure: bool,
    /// What the client connected to.
    pub(super) local: Option<SocketAddr>,
}

/// The request, on its way up.
#[derive(Debug)]
struct Up {
    /// The head, then what delimits chunks; `said` of it was read.
    text: Vec<u8>,
    said: usize,
    body: RecvStream,
    /// What arrived and was not read.
    data: Bytes,
    /// What was read and not given back to the windows.
    owed: usize,
    framing: Framing,
    /// A chunk was begun: its end comes with what follows it.
    open: bool,
    /// Nothing comes after what is here.
    ended: bool,
}

/// The response, on its way down.
#[derive(Debug)]
struct Down {
    respond: SendResponse<Piece>,
    send: Option<SendStream<Piece>>,
    share: Share,
    expects: Expects,
    is_head: bool,
}

/// What is written next.
#[derive(Debug)]
enum Expects {
    Head,
    Length(u64),
    Chunks(Decoder, HeaderMap),
    Nothing,
}

impl Lane {
    /// A request as it was received; a request that must not be read any further is an error.
    pub(super) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Piece>,
        under: Under,
        unsent: &Rc<Unsent>,
        mut text: Vec<u8>,
    ) -> Result<Self, (SendResponse<Piece>, Malformed)> {
        let ends = request.body().is_end_stream();
        let framing = match head::request(&request, ends, &mut text) {
            Ok(framing) => framing,
            Err(malformed) => return Err((respond, malformed)),
        };
        let is_head = request.method() == ::http::Method::HEAD;
        let (data, body) = (Bytes::new(), request.into_body());
        let ended = framing == Framing::Empty;
        let up = Up { text, said: 0, body, data, owed: 0, framing, open: false, ended };
        let share = Share::new(unsent);
        let down = Down { respond, send: None, share, expects: Expects::Head, is_head };
        Ok(Self(Rc::new(RefCell::new(Ends { up, down, under }))))
    }

    /// Whether nobody on the way can read along.
    pub(in crate::proxy) fn is_secure(&self) -> bool {
        self.0.borrow().under.secure
    }

    /// What the client connected to.
    pub(in crate::proxy) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.borrow().under.local.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads of the request; nothing read means that it is over.
    pub(in crate::proxy) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.borrow_mut().up.poll_read(cx, room)
    }

    /// How much of the response may be read without waiting.
    pub(in crate::proxy) fn gulp(&self) -> usize {
        self.0.borrow().down.share.gulp()
    }

    /// Waits until more of the response may be read, and says how much.
    pub(in crate::proxy) fn poll_gulp(&self, cx: &Context<'_>) -> Poll<usize> {
        self.0.borrow().down.share.poll_gulp(cx)
    }

    /// There is nothing to be read now.
    pub(in crate::proxy) fn pass(&self) {
        self.0.borrow().down.share.pass();
    }

    /// Takes of the response what the client has room for.
    pub(in crate::proxy) fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut rest = data;
        let down = &mut self.0.borrow_mut().down;
        let moved = down.poll_write(cx, &mut rest);
        down.share.park(rest.len());
        let taken = data.len() - rest.len();
        match moved {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if taken == 0 => Poll::Pending,
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
        }
    }

    /// Waits until the client does not want an answer any more.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.borrow_mut().down.poll_gone(cx)
    }

    /// The memory of its request, when nobody reads it any more.
    pub(super) fn take_text(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().up.text)
    }

    /// How it ended. With the last clone the stream ends behind what was written: a request that is not read to its end
    /// by RST_STREAM with NO_ERROR (RFC 9113 §8.1), a response that is not whole by RST_STREAM with CANCEL. To reset it
    /// by ourselves would take from the client what waits to be sent.
    pub(super) fn outcome(&self) -> Outcome {
        let down = &mut self.0.borrow_mut().down;
        if matches!(down.expects, Expects::Nothing) {
            return Outcome::Answered;
        }
        let gone = down.poll_gone(&mut Context::from_waker(Waker::noop())).is_ready();
        if gone { Outcome::TakenBack } else { Outcome::Broken }
    }
}

impl Up {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            self.body.flow_control().release_capacity(owed).map_err(broken)?;
        }
        let before = room.filled().len();
        loop {
            self.say(room);
            if room.remaining() == 0 || self.ended {
                return Poll::Ready(Ok(()));
            }
            match self.poll_body(cx) {
                Poll::Ready(more) => more?,
                Poll::Pending if room.filled().len() > before => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Copies what is there.
    fn say(&mut self, room: &mut ReadBuf<'_>) {
        let text = &self.text[self.said..];
        let count = text.len().min(room.remaining());
        room.put_slice(&text[..count]);
        self.said += count;
        if self.said < self.text.len() {
            return;
        }
        if self.ended {
            // Nothing to hold while a server thinks.
            (self.text, self.said) = (Vec::new(), 0);
        }
        let count = self.data.len().min(room.remaining());
        room.put_slice(&self.data[..count]);
        self.data.advance(count);
        self.owed += count;
    }

    /// Waits for more of the body. What was there has been said.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let chunked = self.framing == Framing::Chunked;
        let data = ready!(self.body.poll_data(cx)).transpose().map_err(broken)?;
        let trailers = match &data {
            None if chunked => ready!(self.body.poll_trailers(cx)).map_err(broken)?,
            _ => None,
        };
        self.text.clear();
        self.said = 0;
        match data {
            Some(data) if data.is_empty() => {}
            Some(data) => {
                if chunked {
                    let before = if self.open { "\r\n" } else { "" };
                    // Writing to a Vec cannot fail.
                    let _ = write!(self.text, "{before}{:x}\r\n", data.len());
                    self.open = true;
                }
                self.data = data;
            }
            None => {
                self.ended = true;
                if chunked {
                    self.text.extend_from_slice(if self.open { b"\r\n0\r\n" } else { b"0\r\n" });
                    for (name, value) in trailers.iter().flatten() {
                        head::line(name.as_str().as_bytes(), value.as_bytes(), &mut self.text);
                    }
                    self.text.extend_from_slice(b"\r\n");
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Down {
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &mut &[u8]) -> Poll<io::Result<()>> {
        while !data.is_empty() {
            match &mut self.expects {
                Expects::Head => self.head(data)?,
                Expects::Length(left) => {
                    let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                    let count = ready!(poll_room(cx, self.send.as_mut(), &self.share, wanted))?;
                    *left -= count as u64;
                    let ends = *left == 0;
                    send(self.send.as_mut(), self.share.piece(&data[..count]), ends)?;
                    *data = &data[count..];
                    if ends {
                        self.expects = Expects::Nothing;
                    }
                }
                Expects::Chunks(..) => ready!(self.poll_chunks(cx, data))?,
                Expects::Nothing => return Poll::Ready(Err(malformed(Malformed::NotHttp))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says a head. It is written in one piece.
    fn head(&mut self, data: &mut &[u8]) -> io::Result<()> {
        let found = Scan::response().find(data, usize::MAX).map_err(malformed)?;
        let range = found.ok_or_else(|| malformed(Malformed::HeadTooLong))?;
        let end = range.end;
        let mut lines = Lines::new();
        let response = Response::parse(&data[range], &mut lines, MAX_LINES).map_err(malformed)?;
        let (head, follows) = head::response(&response, self.is_head).map_err(malformed)?;
        *data = &data[end..];
        self.expects = match follows {
            Follows::Head => return self.respond.send_informational(head).map_err(broken),
            Follows::Nothing => Expects::Nothing,
            Follows::Length(length) => Expects::Length(length),
            Follows::Chunks => Expects::Chunks(Decoder::default(), HeaderMap::new()),
        };
        let ends = matches!(self.expects, Expects::Nothing);
        self.send = Some(self.respond.send_response(head, ends).map_err(broken)?);
        Ok(())
    }

    /// Takes data out of chunks as far as the client has room.
    fn poll_chunks(&mut self, cx: &mut Context<'_>, data: &mut &[u8]) -> Poll<io::Result<()>> {
        let Self { expects: Expects::Chunks(decoder, trailers), send: stream, share, .. } = self else {
            return Poll::Ready(Ok(()));
        };
        loop {
            let (mut next, mut rest) = (*decoder, *data);
            match next.next(&mut rest).map_err(malformed)? {
                Some(Part::Data(piece)) => {
                    let count = ready!(poll_room(cx, stream.as_mut(), share, piece.len()))?;
                    send(stream.as_mut(), share.piece(&piece[..count]), false)?;
                    // Once more, and no further than there was room.
                    let until = data.len() - rest.len() - (piece.len() - count);
                    let mut again = &data[..until];
                    decoder.next(&mut again).map_err(malformed)?;
                    *data = &data[until..];
                }
                Some(Part::Trailer(line)) => {
                    head::trailer(line, trailers).map_err(malformed)?;
                    (*decoder, *data) = (next, rest);
                }
                None => {
                    (*decoder, *data) = (next, rest);
                    break;
                }
            }
        }
        if decoder.is_done() {
            let trailers = std::mem::take(trailers);
            if trailers.is_empty() {
                send(stream.as_mut(), share.piece(&[]), true)?;
            } else if let Some(stream) = stream {
                stream.send_trailers(trailers).map_err(broken)?;
            }
            self.expects = Expects::Nothing;
        } else if !data.is_empty() {
            // A trailer line is written in one piece.
            return Poll::Ready(Err(malformed(Malformed::Trailer)));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.send {
            Some(send) => send.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        };
        reset.map(|_| ())
    }
}

/// Waits until the client and the connection have room for at least one byte of `wanted`, and says for how many.
fn poll_room(
    cx: &mut Context<'_>,
    send: Option<&mut SendStream<Piece>>,
    share: &Share,
    wanted: usize,
) -> Poll<io::Result<usize>> {
    let send = send.ok_or(io::ErrorKind::NotConnected)?;
    send.reserve_capacity(wanted);
    loop {
        let room = send.capacity().min(wanted);
        if room > 0 {
            return share.poll_room(cx).map(|most| Ok(room.min(most)));
        }
        match send.poll_capacity(cx) {
            Poll::Ready(Some(room)) => room.map_err(broken)?,
            Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Poll::Pending => {
                // Others can use what this one cannot.
                share.pass();
                return Poll::Pending;
            }
        };
    }
}

fn send(send: Option<&mut SendStream<Piece>>, piece: Piece, ends: bool) -> io::Result<()> {
    let send = send.ok_or(io::ErrorKind::NotConnected)?;
    send.send_data(piece, ends).map_err(broken)
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

fn malformed(why: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}
