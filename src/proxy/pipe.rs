//! One direction of an exchange: a head and a body, taken from one connection and written to another.
//!
//! The body is never held whole: what one read brought is written before the next read. Of a long body that passes as it
//! is, the kernel moves all but the beginning, see `bulk`.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::buffer::{Buffer, Buffers};
use super::bulk::{BULK, Bulk};
use super::deadline::{Ticks, Timer};
use super::stream::Stream;
use crate::http::{Body, Decoder, Delivery, Malformed};

mod stage;

/// What is still to be written, and what is still to be read for it.
#[derive(Debug)]
pub(super) struct Pipe {
    /// The head, then framed data.
    out: Vec<u8>,
    /// How much of `out` is written.
    sent: usize,
    /// Bytes at the front of the source's buffer that are written as they are, behind `out`.
    direct: usize,
    body: Source,
    delivery: Delivery,
    bulk: Bulk,
    /// Bytes of the body that may still come.
    allowance: Option<u64>,
    /// Everything that was taken from the source is still in `out`.
    whole: bool,
    /// Something was taken from it.
    begun: bool,
    /// The last read was a long one: more will follow.
    long: bool,
    /// It waits for the sink, not for the source.
    blocked: bool,
    /// The last chunk is written, and trailers may follow.
    trailing: bool,
    /// Behind it nothing more is said to the sink.
    closes: bool,
    /// Bytes read since the timer was set.
    moved: usize,
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug)]
enum Source {
    Done,
    Length(u64),
    Chunked(Decoder),
    UntilClose,
}

/// What broke.
#[derive(Debug)]
pub(super) enum Broken {
    /// The source closed or failed before the end of the body.
    Source,
    /// The source sent malformed chunks.
    Malformed(Malformed),
    /// The body is larger than the limit.
    TooLarge,
    /// The sink failed.
    Sink,
}

/// What a pipe needs of its core.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) buffers: &'a Buffers,
    pub(super) timer: &'a Timer,
    /// How long either side may stand still.
    pub(super) patience: Ticks,
    /// What has to be read in that time so that it does not count as standing still, bytes.
    pub(super) pace: usize,
}

impl Default for Pipe {
    /// Nothing to write.
    fn default() -> Self {
        Self::new(Vec::new(), Body::Empty, Delivery::Raw, None)
    }
}

impl Pipe {
    /// Writes `head`, then the body.
    pub(super) fn new(head: Vec<u8>, body: Body, delivery: Delivery, limit: Option<u64>) -> Self {
        let body = match body {
            Body::Empty => Source::Done,
            Body::Length(length) => Source::Length(length),
            Body::Chunked => Source::Chunked(Decoder::default()),
            Body::UntilClose => Source::UntilClose,
        };
        Self {
            out: head,
            sent: 0,
            direct: 0,
            body,
            delivery,
            bulk: Bulk::default(),
            allowance: limit,
            whole: true,
            begun: false,
            long: false,
            blocked: false,
            trailing: false,
            closes: false,
            moved: 0,
        }
    }

    /// The same, but never to be written again: nothing is kept for that.
    pub(super) fn once(self) -> Self {
        Self { whole: false, ..self }
    }

    /// The same; behind it nothing more is said if `closes`.
    pub(super) fn closing(self, closes: bool) -> Self {
        Self { closes, ..self }
    }

    /// Whether the whole body was taken from its source.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.body, Source::Done)
    }

    /// Whether anything of the body was taken from its source.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Whether it waits for the sink, not for the source.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether nothing was written yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.sent == 0
    }

    /// Whether it can be written again from the beginning, to someone else.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Begins again; only what [`Pipe::is_whole`] can.
    pub(super) fn rewind(&mut self) {
        debug_assert!(self.whole, "what was not kept cannot be written again");
        (self.sent, self.direct) = (0, 0);
    }

    /// Gives the memory back.
    pub(super) fn release(mut self, buffers: &Buffers) {
        self.bulk.release(&buffers.pipes);
        buffers.recycle(self.out);
    }

    /// Its memory, empty, for the next head.
    pub(super) fn into_text(self, buffers: &Buffers) -> Vec<u8> {
        let mut text = self.out;
        if text.capacity() == 0 {
            text = buffers.text();
        }
        text.clear();
        text
    }

    /// Moves on until the body is over or either side has to be waited for.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
        from: &mut Stream,
        to: &mut Stream,
        means: Means<'_>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            self.stage(buffer)?;
            ready!(self.poll_flush(cx, buffer, to, means))?;
            if self.is_taken() {
                return Poll::Ready(Ok(()));
            }
            let count = ready!(self.poll_fill(cx, buffer, from, to, means)).map_err(|_| Broken::Source)?;
            self.moved += count;
            if self.moved >= means.pace {
                self.moved = 0;
                means.timer.set(means.patience);
            }
            if count == 0 {
                self.end()?;
            }
            self.long = count >= BULK;
        }
    }

    /// Takes more of the body: into the buffer, or into the kernel's hands.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
        from: &mut Stream,
        to: &Stream,
        means: Means<'_>,
    ) -> Poll<io::Result<usize>> {
        let most = if buffer.is_empty() && self.bulk.is_possible(from, to) { self.passable() } else { 0 };
        if most > 0 {
            buffer.release(means.buffers);
            if let Some(count) = ready!(self.bulk.poll_fill(cx, from, most, &means.buffers.pipes))? {
                self.count(count);
                return Poll::Ready(Ok(count));
            }
        }
        let most = to.poll_gulp(cx);
        self.blocked = most.is_pending();
        let read = buffer.poll_fill_some(cx, from, means.buffers, ready!(most));
        if read.is_pending() {
            to.pass();
        }
        read
    }

    /// How much may pass without being looked at. What may have to be written again must stay here.
    fn passable(&self) -> usize {
        match self.body {
            _ if self.whole || self.delivery != Delivery::Raw => 0,
            Source::Length(left) if left >= BULK as u64 => usize::try_from(left).unwrap_or(usize::MAX),
            // Nobody knows how long it is, but it has been long so far.
            Source::UntilClose if self.long && self.allowance.is_none() => usize::MAX,
            Source::Length(_) | Source::UntilClose | Source::Chunked(_) | Source::Done => 0,
        }
    }

    /// Writes what is staged, and what is in the kernel's hands.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
        to: &mut Stream,
        means: Means<'_>,
    ) -> Poll<Result<(), Broken>> {
        while self.sent < self.out.len() || self.direct > 0 {
            let written = self.poll_write(cx, buffer.data(), to);
            let stood = std::mem::replace(&mut self.blocked, written.is_pending());
            if self.blocked && matches!(to, Stream::Lane(_)) {
                self.park(buffer, means.buffers);
            }
            let written = match ready!(written) {
                Ok(written) if written > 0 => written,
                Ok(_) | Err(_) => return Poll::Ready(Err(Broken::Sink)),
            };
            // What the source has to keep pace with is not made up for by passing it on.
            if stood || means.pace == 0 {
                means.timer.set(means.patience);
            }
            let of_out = written.min(self.out.len() - self.sent);
            self.sent += of_out;
            if written > of_out {
                self.direct -= written - of_out;
                self.take(written - of_out, buffer);
                self.whole = false;
            }
        }
        loop {
            let drained = self.bulk.poll_drain(cx, to, &means.buffers.pipes);
            let stood = std::mem::replace(&mut self.blocked, drained.is_pending());
            match ready!(drained) {
                Ok(true) if stood || means.pace == 0 => means.timer.set(means.patience),
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return Poll::Ready(Err(Broken::Sink)),
            }
        }
        let flushed = to.poll_flush(cx);
        self.blocked = flushed.is_pending();
        flushed.map_err(|_| Broken::Sink)
    }

    /// Holds what waits in memory of its own size: a client of HTTP/2 can let many of these wait.
    fn park(&mut self, buffer: &mut Buffer, buffers: &Buffers) {
        buffer.park(buffers);
        if self.out.capacity() >= self.out.len() * 4 {
            self.out.shrink_to_fit();
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8], to: &mut Stream) -> Poll<io::Result<usize>> {
        let (out, data) = (&self.out[self.sent..], &data[..self.direct]);
        if self.closes && self.is_end() {
            return to.poll_write_last(cx, &[IoSlice::new(out), IoSlice::new(data)]);
        }
        match (out.is_empty(), data.is_empty()) {
            (_, true) => to.poll_write(cx, out),
            (true, false) => to.poll_write(cx, data),
            (false, false) => to.poll_write_vectored(cx, &[IoSlice::new(out), IoSlice::new(data)]),
        }
    }

    /// Whether nothing comes behind what is staged.
    fn is_end(&self) -> bool {
        match self.body {
            Source::Done => true,
            Source::Length(left) => left == self.direct as u64,
            Source::Chunked(_) | Source::UntilClose => false,
        }
    }
}
