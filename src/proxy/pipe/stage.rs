//! What becomes of the bytes that a source has sent: which of them are written next, and in which frames.

use super::{Broken, Pipe, Source};
use crate::http::{self, Decoder, Delivery, END, LAST_CHUNK, Part};
use crate::proxy::buffer::Buffer;

/// Bytes of a body that are copied behind the head, so that one plain write takes both.
const COPY: usize = 2048;

impl Pipe {
    /// Turns what has arrived into what is written next. Everything staged before has been written.
    pub(super) fn stage(&mut self, buffer: &mut Buffer) -> Result<(), Broken> {
        if buffer.is_empty() || self.direct > 0 || (self.sent > 0 && self.sent < self.out.len()) {
            return Ok(());
        }
        match self.body {
            Source::Done => Ok(()),
            Source::Length(left) => {
                let ready = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                self.pass(ready, buffer);
                Ok(())
            }
            Source::UntilClose if self.delivery == Delivery::Raw => {
                self.pass(buffer.len(), buffer);
                Ok(())
            }
            Source::UntilClose => {
                self.clear();
                http::frame(buffer.data(), &mut self.out);
                buffer.consume(buffer.len());
                Ok(())
            }
            Source::Chunked(decoder) => self.unchunk(decoder, buffer),
        }
    }

    /// Stages bytes that are written as they are.
    fn pass(&mut self, ready: usize, buffer: &mut Buffer) {
        if self.sent == 0 && ready <= COPY {
            self.out.extend_from_slice(&buffer.data()[..ready]);
            self.take(ready, buffer);
        } else {
            self.direct = ready;
        }
    }

    pub(super) fn take(&mut self, count: usize, buffer: &mut Buffer) {
        buffer.consume(count);
        self.count(count);
    }

    /// So much of the body was taken from its source.
    pub(super) fn count(&mut self, count: usize) {
        self.begun = true;
        if let Source::Length(left) = &mut self.body {
            *left -= count as u64;
            if *left == 0 {
                self.body = Source::Done;
            }
        }
    }

    fn unchunk(&mut self, mut decoder: Decoder, buffer: &mut Buffer) -> Result<(), Broken> {
        self.clear();
        let mut rest = buffer.data();
        while let Some(part) = decoder.next(&mut rest).map_err(Broken::Malformed)? {
            match part {
                Part::Data(piece) => {
                    if let Some(allowance) = &mut self.allowance {
                        *allowance = allowance.checked_sub(piece.len() as u64).ok_or(Broken::TooLarge)?;
                    }
                    match self.delivery {
                        Delivery::Chunked { .. } => http::frame(piece, &mut self.out),
                        Delivery::Raw => self.out.extend_from_slice(piece),
                    }
                }
                Part::Trailer(line) => self.trailer(line),
            }
        }
        let used = buffer.len() - rest.len();
        buffer.consume(used);
        self.begun = true;
        if decoder.is_done() {
            self.finish();
        } else {
            self.body = Source::Chunked(decoder);
        }
        Ok(())
    }

    /// Passes a trailer on to whom it can be said.
    fn trailer(&mut self, line: &[u8]) {
        if self.delivery == (Delivery::Chunked { trailers: true }) {
            if !self.trailing {
                self.out.extend_from_slice(LAST_CHUNK);
                self.trailing = true;
            }
            self.out.extend_from_slice(line);
        }
    }

    /// Makes room for more, unless nothing was written yet.
    fn clear(&mut self) {
        if self.sent > 0 {
            self.out.clear();
            (self.sent, self.whole) = (0, false);
        }
    }

    /// The source has closed.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        if !matches!(self.body, Source::UntilClose) {
            return Err(Broken::Source);
        }
        self.clear();
        self.finish();
        Ok(())
    }

    fn finish(&mut self) {
        if matches!(self.delivery, Delivery::Chunked { .. }) {
            if !self.trailing {
                self.out.extend_from_slice(LAST_CHUNK);
            }
            self.out.extend_from_slice(END);
        }
        self.body = Source::Done;
    }
}
