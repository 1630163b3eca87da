//! Memory for bytes on their way: a core has a few buffers, and a connection holds one only while bytes are in it.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::stream::Stream;
use crate::net::splice::Pipes;

/// Large enough that a read takes what the kernel has, small enough to stay in the processor's cache.
const READ: usize = 64 * 1024;
/// Pipes at most: what slow readers can have the kernel hold. When all are taken, bodies are copied.
pub(super) const PIPES: usize = 128;
/// Buffers that are kept for the next one; more are given back to the allocator.
const KEEP: usize = 64;
/// The same for texts, which are small.
const TEXTS: usize = 512;
/// What a text has room for at first: most heads.
const TEXT: usize = 1024;

/// One core's free buffers. Last in, first out: the next one is still in the cache.
#[derive(Debug)]
pub(super) struct Buffers {
    size: usize,
    free: RefCell<Vec<Box<[u8]>>>,
    texts: RefCell<Vec<Vec<u8>>>,
    /// For bodies that the kernel moves.
    pub(super) pipes: Pipes,
}

impl Buffers {
    /// Buffers that hold a head of `head` bytes with room to spare.
    pub(super) fn new(head: usize) -> Self {
        Self {
            size: READ.max(head + 4096),
            free: RefCell::default(),
            texts: RefCell::default(),
            pipes: Pipes::new(PIPES),
        }
    }

    /// An empty vector to write a head into.
    pub(super) fn text(&self) -> Vec<u8> {
        self.texts.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(TEXT))
    }

    /// Takes a vector back.
    pub(super) fn recycle(&self, mut text: Vec<u8>) {
        let mut texts = self.texts.borrow_mut();
        if texts.len() < TEXTS && (1..=READ).contains(&text.capacity()) {
            text.clear();
            texts.push(text);
        }
    }

    fn take(&self) -> Box<[u8]> {
        self.free.borrow_mut().pop().unwrap_or_else(|| vec![0; self.size].into_boxed_slice())
    }

    fn give(&self, bytes: Box<[u8]>) {
        let mut free = self.free.borrow_mut();
        if free.len() < KEEP && bytes.len() == self.size {
            free.push(bytes);
        }
    }
}

/// Bytes that were read and not used yet. Owns no memory while it is empty and waits.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len(), "only what is there can be used");
        self.start += count;
    }

    /// Reads once, behind what is there; 0 means that the other side has closed. Must not be called when
    /// a whole buffer's worth waits to be used.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        buffers: &Buffers,
    ) -> Poll<io::Result<usize>> {
        self.poll_fill_some(cx, from, buffers, usize::MAX)
    }

    /// As [`Buffer::poll_fill`], up to `most` bytes.
    pub(super) fn poll_fill_some(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        buffers: &Buffers,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        self.make_room(buffers);
        debug_assert!(self.end < self.bytes.len(), "a full buffer must be used first");
        let end = self.end.saturating_add(most).min(self.bytes.len());
        let mut room = ReadBuf::new(&mut self.bytes[self.end..end]);
        let read = from.poll_read(cx, &mut room);
        let count = room.filled().len();
        if read.is_pending() && self.is_empty() {
            self.release(buffers);
        }
        ready!(read)?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Moves the bytes to memory of their own size, for a wait that may be long.
    pub(super) fn park(&mut self, buffers: &Buffers) {
        if self.is_empty() {
            self.release(buffers);
        } else if self.bytes.len() >= self.len() * 4 {
            let parked = Box::from(self.data());
            self.replace(parked, buffers);
        }
    }

    /// Gives the memory back, and with it any bytes.
    pub(super) fn release(&mut self, buffers: &Buffers) {
        (self.start, self.end) = (0, 0);
        if !self.bytes.is_empty() {
            buffers.give(std::mem::take(&mut self.bytes));
        }
    }

    fn make_room(&mut self, buffers: &Buffers) {
        if self.bytes.len() < buffers.size {
            let mut bytes = buffers.take();
            bytes[..self.len()].copy_from_slice(self.data());
            self.replace(bytes, buffers);
        } else if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
        }
    }

    fn replace(&mut self, bytes: Box<[u8]>, buffers: &Buffers) {
        let old = std::mem::replace(&mut self.bytes, bytes);
        (self.start, self.end) = (0, self.len());
        buffers.give(old);
    }
}
