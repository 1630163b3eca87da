//! The chunked coding (RFC 9112 §7.1): data out of chunks, and chunks around data.
//!
//! Chunks are not passed on as they come: data is taken out and framed anew, so that nothing but data crosses.
//! Extensions are read and discarded, which §7.1.1 allows and which leaves nothing to smuggle in them. Trailers come out
//! line by line, each of them well-formed.

use super::Malformed;
use super::trailer;

/// Ends the data of a chunked body; trailers and [`END`] follow.
pub const LAST_CHUNK: &[u8] = b"0\r\n";
/// Ends a chunked body.
pub const END: &[u8] = b"\r\n";

const MAX_EXTENSION: u16 = 256;
const MAX_TRAILERS: u16 = 8192;

/// What a chunked body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'b> {
    /// Data.
    Data(&'b [u8]),
    /// A trailer field with its CRLF, fit to be passed on.
    Trailer(&'b [u8]),
}

/// Takes the data out of a chunked body, in whatever pieces it arrives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder {
    state: State,
    /// Of the chunk in hand: the size while it is read, then the bytes of data still to come.
    left: u64,
    /// Digits of the size, bytes of the extension, or bytes of the trailers so far.
    counted: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before or among the digits of a size.
    #[default]
    Size,
    Extension,
    /// After the CR of a size line.
    SizeEnd,
    Data,
    /// After the data, before CR.
    DataEnd,
    /// After the data and CR.
    DataEndLf,
    /// At the beginning of a line after the last chunk.
    Trailer,
    Done,
}

impl Decoder {
    /// Takes bytes off the front of `input` and returns the next part. `None` when the body is over or more input is
    /// needed; [`Decoder::is_done`] tells which. What then is left of `input` is not of this body, or it is the
    /// beginning of a trailer line, at most 8 KiB long, and must come again with what follows it.
    ///
    /// # Errors
    /// Anything but digits, CRLF where it must be, and well-formed extensions and trailers of bounded length.
    pub fn next<'b>(&mut self, input: &mut &'b [u8]) -> Result<Option<Part<'b>>, Malformed> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Data => return Ok(self.data(input).map(Part::Data)),
                State::Trailer => match self.line(input)? {
                    None => return Ok(None),
                    Some(b"\r\n") => self.state = State::Done,
                    Some(line) => match trailer::check(&line[..line.len() - 2]) {
                        Some(true) => return Ok(Some(Part::Trailer(line))),
                        Some(false) => {}
                        None => return Err(Malformed::Trailer),
                    },
                },
                State::Size | State::Extension | State::SizeEnd | State::DataEnd | State::DataEndLf => {
                    let Some((byte, rest)) = input.split_first() else { return Ok(None) };
                    *input = rest;
                    self.byte(*byte)?;
                }
            }
        }
    }

    /// Whether the whole body has been read, trailers included.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn data<'b>(&mut self, input: &mut &'b [u8]) -> Option<&'b [u8]> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        if length == 0 {
            return None;
        }
        let (piece, rest) = input.split_at(length);
        *input = rest;
        self.left -= length as u64;
        if self.left == 0 {
            self.state = State::DataEnd;
        }
        Some(piece)
    }

    /// Takes a whole trailer line, CRLF included.
    fn line<'b>(&mut self, input: &mut &'b [u8]) -> Result<Option<&'b [u8]>, Malformed> {
        let room = usize::from(MAX_TRAILERS.saturating_sub(self.counted));
        let window = &input[..input.len().min(room)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() == room { Err(Malformed::Trailer) } else { Ok(None) };
        };
        let (line, rest) = input.split_at(end + 1);
        if !line.ends_with(b"\r\n") {
            return Err(Malformed::Trailer);
        }
        // At most MAX_TRAILERS, so it fits.
        self.counted += u16::try_from(line.len()).unwrap_or(MAX_TRAILERS);
        *input = rest;
        Ok(Some(line))
    }

    fn byte(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            (State::Size, b';') if self.counted > 0 => {
                self.counted = 0;
                State::Extension
            }
            (State::Size, b'\r') if self.counted > 0 => State::SizeEnd,
            (State::Size | State::SizeEnd, b'\n') if self.state == State::SizeEnd => self.sized(),
            (State::Size | State::SizeEnd, _) => return Err(Malformed::ChunkSize),
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, _) if printable(byte) && self.counts(MAX_EXTENSION) => State::Extension,
            (State::Extension, _) => return Err(Malformed::ChunkExtension),
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => State::Size,
            (State::DataEnd | State::DataEndLf, _) => return Err(Malformed::ChunkEnd),
            (State::Data | State::Trailer | State::Done, _) => self.state,
        };
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<State, Malformed> {
        let digit = char::from(byte).to_digit(16).ok_or(Malformed::ChunkSize)?;
        // 15 digits are 60 bits: the size never overflows, and no sender needs more.
        if self.counted == 15 {
            return Err(Malformed::ChunkSize);
        }
        self.counted += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size)
    }

    /// The size line is over.
    fn sized(&mut self) -> State {
        self.counted = 0;
        if self.left == 0 { State::Trailer } else { State::Data }
    }

    fn counts(&mut self, limit: u16) -> bool {
        self.counted += 1;
        self.counted <= limit
    }
}

fn printable(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

/// Appends `data` to `out` as one chunk; nothing for no data, since an empty chunk would end the body.
pub fn frame(data: &[u8], out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    let digits = (usize::BITS - data.len().leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[data.len() >> (place * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}
