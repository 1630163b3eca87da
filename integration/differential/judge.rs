//! Reads bytes as a server might: by the book, or with any of the leniencies that servers are known for.
//!
//! Nothing here is shared with the parser under test.

/// How a reader treats what it should refuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading(u16);

/// LF alone ends a line.
const BARE_LF: u16 = 1;
/// CR alone ends a line.
const BARE_CR: u16 = 1 << 1;
/// White space and control bytes around a name are ignored, and a line that begins with white space is one.
const LOOSE_NAME: u16 = 1 << 2;
/// `_` in a name is read as `-`, as gateways to applications do (RFC 3875 §4.1.18).
const UNDERSCORE: u16 = 1 << 3;
/// Content-Length wins over Transfer-Encoding.
const LENGTH_WINS: u16 = 1 << 4;
/// Of two Content-Length the last one counts.
const LAST_LENGTH: u16 = 1 << 5;
/// Transfer-Encoding is chunked when `chunked` is anywhere in it; otherwise only when it is all there is.
const CHUNKED_ANYWHERE: u16 = 1 << 6;
/// Content-Length and chunk sizes end at the first byte that is no digit.
const LOOSE_NUMBER: u16 = 1 << 7;
/// NUL ends a line.
const NUL_ENDS: u16 = 1 << 8;
/// Every leniency at once.
const ALL: u16 = (1 << 9) - 1;

impl Reading {
    /// By the book.
    pub(crate) const STRICT: Self = Self(0);

    /// Every combination of leniencies.
    fn all() -> impl Iterator<Item = Self> {
        (0..=ALL).map(Self)
    }

    fn is(self, leniency: u16) -> bool {
        self.0 & leniency != 0
    }
}

/// What a reader made of the bytes of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// Whole requests.
    pub(crate) whole: usize,
    /// Bytes behind the last whole request: a second one that is incomplete, or rubbish.
    pub(crate) left: usize,
}

/// Reads the requests of a connection.
pub(crate) fn read(bytes: &[u8], reading: Reading) -> Read {
    let mut read = Read { whole: 0, left: bytes.len() };
    while read.left > 0 {
        let Some(length) = request(&bytes[bytes.len() - read.left..], reading) else { break };
        read.whole += 1;
        read.left -= length;
    }
    read
}

/// The readings that see more than one request in what should be one, or its part.
pub(crate) fn objections(bytes: &[u8]) -> Vec<(Reading, Read)> {
    let strict = read(bytes, Reading::STRICT);
    let fine = |read: Read| read == strict && (read.whole == 0 || read.whole == 1 && read.left == 0);
    Reading::all().map(|reading| (reading, read(bytes, reading))).filter(|(_, read)| !fine(*read)).collect()
}

/// The length of the request at the front, when it is whole.
fn request(bytes: &[u8], reading: Reading) -> Option<usize> {
    let (mut length, mut chunked) = (None::<usize>, None::<bool>);
    let (_, mut at) = line(bytes, reading)?;
    loop {
        let (text, used) = line(&bytes[at..], reading)?;
        at += used;
        if text.is_empty() {
            break;
        }
        let Some(colon) = text.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (name(&text[..colon], reading), text[colon + 1..].trim_ascii());
        match name.as_slice() {
            b"content-length" if length.is_none() || reading.is(LAST_LENGTH) => {
                length = number(value, 10, reading);
            }
            b"transfer-encoding" => chunked = Some(chunked.unwrap_or(false) | is_chunked(value, reading)),
            _ => {}
        }
    }
    let length_wins = length.is_some() && reading.is(LENGTH_WINS);
    let body = if chunked == Some(true) && !length_wins {
        chunks(&bytes[at..], reading)?
    } else {
        length.unwrap_or(0)
    };
    (bytes.len() - at >= body).then_some(at + body)
}

/// The line at the front and the length with its end.
fn line(bytes: &[u8], reading: Reading) -> Option<(&[u8], usize)> {
    for (at, byte) in bytes.iter().enumerate() {
        let behind = bytes.get(at + 1);
        match byte {
            b'\r' if behind == Some(&b'\n') => return Some((&bytes[..at], at + 2)),
            b'\n' if reading.is(BARE_LF) => return Some((&bytes[..at], at + 1)),
            b'\r' if behind.is_some() && reading.is(BARE_CR) => return Some((&bytes[..at], at + 1)),
            0 if reading.is(NUL_ENDS) => return Some((&bytes[..at], at + 1)),
            _ => {}
        }
    }
    None
}

fn name(bytes: &[u8], reading: Reading) -> Vec<u8> {
    let mut name = bytes.to_ascii_lowercase();
    if reading.is(LOOSE_NAME) {
        name.retain(|byte| byte.is_ascii_graphic());
    }
    if reading.is(UNDERSCORE) {
        name.iter_mut().filter(|byte| **byte == b'_').for_each(|byte| *byte = b'-');
    }
    name
}

fn is_chunked(value: &[u8], reading: Reading) -> bool {
    let value = value.to_ascii_lowercase();
    if reading.is(CHUNKED_ANYWHERE) {
        value.windows(7).any(|part| part == b"chunked")
    } else {
        value == b"chunked"
    }
}

fn number(text: &[u8], radix: u32, reading: Reading) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.find(|digit: char| !digit.is_digit(radix)).unwrap_or(text.len());
    let text = if reading.is(LOOSE_NUMBER) { &text[..digits] } else { text };
    text.bytes().all(|byte| char::from(byte).is_digit(radix)).then_some(())?;
    usize::from_str_radix(text, radix).ok()
}

/// The length of a chunked body, when it is whole.
fn chunks(bytes: &[u8], reading: Reading) -> Option<usize> {
    let mut at = 0;
    loop {
        let (text, used) = line(&bytes[at..], reading)?;
        at += used;
        let size = text.split(|byte| *byte == b';').next()?.trim_ascii();
        let size = number(size, 16, reading)?;
        if size == 0 {
            break;
        }
        at = at.checked_add(size).filter(|at| *at <= bytes.len())?;
        let (end, used) = line(&bytes[at..], reading)?;
        end.is_empty().then_some(())?;
        at += used;
    }
    loop {
        let (text, used) = line(&bytes[at..], reading)?;
        at += used;
        if text.is_empty() {
            return Some(at);
        }
    }
}

#[test]
fn the_judge_can_bark() {
    let smuggled = [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent_Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\n\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\rGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\0Content-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2x\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0;\na\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    for bytes in smuggled {
        assert!(!objections(bytes.as_bytes()).is_empty(), "{bytes:?}");
    }
    let plain = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: x\r\n\r\n";
    assert!(objections(plain.as_bytes()).is_empty());
    assert!(objections(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na").is_empty());
}
