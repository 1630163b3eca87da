//! Where a head ends, and its lines: httparse does the reading, this file adds the strictness it leaves out.

use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::{Error, Header, Status};

use super::Malformed;

/// The most header lines that can be configured.
pub const MAX_LINES: usize = 512;

/// Looks for the end of a head in a buffer that grows. Each byte is looked at once, however it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    /// An empty line before the head is skipped.
    skips: bool,
    /// Where the head begins: behind one empty line, if there was one.
    start: usize,
    /// Where the line in hand begins.
    line: usize,
    /// Where no LF has been looked for yet.
    searched: usize,
}

impl Scan {
    /// For a request. "a server that is expecting to receive and parse a request-line SHOULD ignore at least one
    /// empty line (CRLF) received prior to the request-line" (RFC 9112 §2.2): exactly one is ignored.
    #[must_use]
    pub fn request() -> Self {
        Self { skips: true, start: 0, line: 0, searched: 0 }
    }

    /// For a response, which nothing comes before.
    #[must_use]
    pub fn response() -> Self {
        Self { skips: false, start: 0, line: 0, searched: 0 }
    }

    /// The place of the whole head in `bytes`, its empty line included; `None` while it is incomplete.
    /// `bytes` must begin with what the calls before were given. `limit` bounds the head in bytes.
    ///
    /// # Errors
    /// A first byte that cannot begin a head, a line that ends with LF alone, a head longer than `limit`.
    pub fn find(&mut self, bytes: &[u8], limit: usize) -> Result<Option<Range<usize>>, Malformed> {
        // TLS and noise are refused at their first byte, instead of waiting for a line that never ends.
        if bytes.get(self.start).is_some_and(|first| !first.is_ascii_graphic() && !b"\r\n \t".contains(first))
        {
            return Err(Malformed::NotHttp);
        }
        // Nothing behind the limit is looked at, so that the answer does not depend on how much has arrived.
        let end = bytes.len().min(self.start.saturating_add(limit));
        let from = self.searched;
        for found in memchr::memchr_iter(b'\n', &bytes[from..end]) {
            let at = from + found;
            if at == 0 || bytes[at - 1] != b'\r' {
                return Err(Malformed::BareLineFeed);
            }
            let empty = at - self.line == 1;
            self.searched = at + 1;
            if empty && self.line > self.start {
                return Ok(Some(self.start..self.searched));
            }
            self.line = self.searched;
            if empty {
                if !self.skips || self.start > 0 {
                    return Err(Malformed::EmptyLines);
                }
                self.start = self.line;
                // The first byte and the limit are looked at from here, once.
                return self.find(bytes, limit);
            }
        }
        self.searched = end;
        if self.searched - self.start >= limit { Err(Malformed::HeadTooLong) } else { Ok(None) }
    }
}

/// Room for the header lines of one head; lives on the stack of whoever parses.
#[derive(Debug)]
pub struct Lines<'b>([MaybeUninit<Header<'b>>; MAX_LINES]);

impl Lines<'_> {
    /// Room that is not initialised, so it costs nothing.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_LINES])
    }
}

impl Default for Lines<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The versions that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks, connections close unless both sides say otherwise.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A request's head, its lines well-formed; what they mean is read by [`Request::facts`].
#[derive(Clone, Copy, Debug)]
pub struct Request<'h, 'b> {
    /// The whole head, from the method to the empty line.
    pub bytes: &'b [u8],
    /// The method, case-sensitive.
    pub method: &'b str,
    /// The request target as it was sent, in one of the forms of RFC 9112 §3.2.
    pub target: &'b str,
    /// The version.
    pub version: Version,
    /// The header lines.
    pub headers: &'h [Header<'b>],
}

impl<'h, 'b> Request<'h, 'b> {
    /// Reads the head that [`Scan::find`] found.
    ///
    /// # Errors
    /// Anything that is not a well-formed head with at most `limit` header lines.
    pub fn parse(bytes: &'b [u8], lines: &'h mut Lines<'b>, limit: usize) -> Result<Self, Malformed> {
        let mut parsed = httparse::Request::new(&mut []);
        let room = &mut lines.0[..limit.min(MAX_LINES)];
        let end = parsed.parse_with_uninit_headers(bytes, room).map_err(|error| refuse(error, bytes))?;
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Malformed::RequestLine);
        };
        if end != Status::Complete(bytes.len()) {
            return Err(Malformed::RequestLine);
        }
        Ok(Self { bytes, method, target, version: version(minor), headers: parsed.headers })
    }
}

/// A response's head, its lines well-formed; what they mean is read by [`Response::facts`].
#[derive(Clone, Copy, Debug)]
pub struct Response<'h, 'b> {
    /// The whole head, from the version to the empty line.
    pub bytes: &'b [u8],
    /// The status, 100..=599.
    pub status: u16,
    /// The version.
    pub version: Version,
    /// The header lines.
    pub headers: &'h [Header<'b>],
}

impl<'h, 'b> Response<'h, 'b> {
    /// Reads the head that [`Scan::find`] found.
    ///
    /// # Errors
    /// Anything that is not a well-formed head with at most `limit` header lines.
    pub fn parse(bytes: &'b [u8], lines: &'h mut Lines<'b>, limit: usize) -> Result<Self, Malformed> {
        let mut parsed = httparse::Response::new(&mut []);
        let room = &mut lines.0[..limit.min(MAX_LINES)];
        // "A proxy MUST remove any such whitespace from a response message before forwarding the message downstream"
        // (RFC 9112 §5.1): what is between a name and the colon. Rewriting does; in a request it is refused.
        let end = httparse::ParserConfig::default()
            .allow_spaces_after_header_name_in_responses(true)
            .parse_response_with_uninit_headers(&mut parsed, bytes, room)
            .map_err(|error| refuse(error, bytes))?;
        let (Some(status), Some(minor)) = (parsed.code, parsed.version) else {
            return Err(Malformed::StatusLine);
        };
        // Rewriting relies on the version's place; an empty line before it is for requests only.
        if end != Status::Complete(bytes.len()) || !bytes.starts_with(b"HTTP/1.") {
            return Err(Malformed::StatusLine);
        }
        if !(100..=599).contains(&status) {
            return Err(Malformed::Status);
        }
        Ok(Self { bytes, status, version: version(minor), headers: parsed.headers })
    }
}

fn version(minor: u8) -> Version {
    if minor == 0 { Version::Http10 } else { Version::Http11 }
}

/// Says what httparse did not like: its own words are about its grammar, ours are for the sender.
#[cold]
fn refuse(error: Error, bytes: &[u8]) -> Malformed {
    let bare = |w: &[u8]| w[0] == b'\r' && w[1] != b'\n';
    if error != Error::TooManyHeaders && bytes.windows(2).any(bare) {
        return Malformed::BareCarriageReturn;
    }
    match error {
        Error::TooManyHeaders => Malformed::TooManyHeaders,
        Error::HeaderValue => folded(bytes).unwrap_or(Malformed::HeaderValue),
        Error::HeaderName => header_name(bytes),
        Error::NewLine => folded(bytes).unwrap_or(Malformed::RequestLine),
        Error::Version if names_version(bytes) => Malformed::Version,
        Error::Status if bytes.starts_with(b"HTTP/") => Malformed::StatusLine,
        Error::Version | Error::Status | Error::Token => Malformed::RequestLine,
    }
}

fn folded(bytes: &[u8]) -> Option<Malformed> {
    let folds = bytes.windows(2).any(|w| w[0] == b'\n' && (w[1] == b' ' || w[1] == b'\t'));
    folds.then_some(Malformed::FoldedLine)
}

fn header_name(bytes: &[u8]) -> Malformed {
    if let Some(folded) = folded(bytes) {
        return folded;
    }
    let spaced = |line: &[u8]| {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        name.len() < line.len() && name.ends_with(b" ") || name.ends_with(b"\t")
    };
    let spaced = bytes.split(|b| *b == b'\n').skip(1).any(spaced);
    if spaced { Malformed::SpaceBeforeColon } else { Malformed::HeaderName }
}

/// Whether the first line has a well-formed version of HTTP that is not spoken here.
fn names_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
    line.split(|b| *b == b' ').any(|word| {
        word.strip_prefix(b"HTTP/").is_some_and(
            |number| matches!(number, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit()),
        ) && !matches!(word, b"HTTP/1.0" | b"HTTP/1.1")
    })
}
