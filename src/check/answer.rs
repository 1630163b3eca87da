//! The answer to an HTTP check: its head, and as much of its body as is looked at.
//!
//! It must never read without a bound.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::Stream;
use super::words::{ASKING, READING, Stage, WAITING, trouble};
use crate::http::{Answering, Body, Decoder, Lines, Part, Response};

/// The longest head of an answer that is read. A health page that needs more is a mistake of the server's.
const MAX_HEAD: usize = 8 << 10;

/// The longest body that is looked at.
pub(super) const MAX_BODY: usize = 64 << 10;

/// Header lines that an answer may have.
const MAX_HEADERS: usize = 100;

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    /// The body, or its first 64 KiB; empty when nobody looks at it.
    pub(super) body: Vec<u8>,
    /// The connection may carry another request.
    pub(super) reusable: bool,
}

impl Answer {
    /// The values of a header field.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// Whether its body is JSON by its own account (RFC 8259, RFC 6839 §3.1). Of several types one is enough: Nginx sends
    /// its default first when a `location` says the right one by `add_header`.
    pub(super) fn is_json(&self) -> bool {
        let is_json = |kind: &str| {
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
        };
        // Who joins fields of one name on the way does it with a comma (RFC 9110 §5.3).
        self.values("content-type").flat_map(|kinds| kinds.split(',')).any(is_json)
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The connection was closed before a byte of the answer came.
    Closed(String),
    /// Anything else.
    Wrong(String),
}

/// Sends `request` and reads the answer; of its body only what `wants` says is looked at.
pub(super) async fn exchange(
    stream: &mut Stream,
    request: &[u8],
    to_head: bool,
    wants: impl Fn(&Answer) -> bool,
    stage: &mut Stage,
) -> Result<Answer, Failed> {
    *stage = ASKING;
    let sent = stream.write_all(request).await;
    sent.map_err(|error| Failed::Closed(format!("{} {ASKING}", trouble(&error))))?;
    *stage = WAITING;
    let mut bytes = Vec::with_capacity(1 << 10);
    let end = read_head(stream, &mut bytes).await?;
    let rest = bytes.split_off(end.body);
    let head = &bytes[end.head..];
    let mut lines = Lines::new();
    let parsed = Response::parse(head, &mut lines, MAX_HEADERS);
    let malformed = |why: &dyn std::fmt::Display| Failed::Wrong(format!("a malformed answer: {why}"));
    let parsed = parsed.map_err(|why| malformed(&why))?;
    let field =
        |at: &httparse::Header<'_>| (at.name.to_owned(), String::from_utf8_lossy(at.value).trim().to_owned());
    let fields = parsed.headers.iter().map(field).collect();
    let mut answer = Answer { status: parsed.status, fields, ..Answer::default() };
    // Whoever switches protocols was not asked to, and says nothing more that we would understand.
    if answer.status == 101 {
        return Ok(answer);
    }
    let facts = parsed
        .facts(Answering { is_head: to_head, upgrade: false, ..Answering::default() })
        .map_err(|why| malformed(&why))?;
    let wants = wants(&answer);
    *stage = READING;
    let mut body = BodyReader { stream, bytes: rest, wants };
    answer.reusable = body.read(facts.body).await? && facts.persistent;
    answer.body = body.bytes;
    Ok(answer)
}

/// Where the final head begins, and where it ends.
struct End {
    head: usize,
    body: usize,
}

async fn read_head(stream: &mut Stream, bytes: &mut Vec<u8>) -> Result<End, Failed> {
    let wrong = |why: &str| Err(Failed::Wrong(why.to_owned()));
    loop {
        let mut room = stream.take((MAX_HEAD - bytes.len()) as u64);
        match room.read_buf(bytes).await {
            Err(error) if bytes.is_empty() => {
                return Err(Failed::Closed(format!("{} {WAITING}", trouble(&error))));
            }
            Err(error) => return Err(Failed::Wrong(format!("{} {WAITING}", trouble(&error)))),
            Ok(0) if bytes.is_empty() => {
                return Err(Failed::Closed("closed the connection without an answer".into()));
            }
            Ok(0) if bytes.len() == MAX_HEAD => return wrong("the answer's head is longer than 8 KiB"),
            Ok(0) => return wrong("closed the connection in the middle of the answer's head"),
            Ok(_) => {}
        }
        if let Some(end) = final_head(bytes).map_err(Failed::Wrong)? {
            return Ok(end);
        }
    }
}

/// Where the final head is in `bytes`, or `None` when it is not complete yet. Interim answers (RFC 9110 §15.2) are
/// skipped.
fn final_head(bytes: &[u8]) -> Result<Option<End>, String> {
    let mut begin = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        // What the proxy can make good is no failure of a check either.
        let mut reading = httparse::ParserConfig::default();
        reading.allow_spaces_after_header_name_in_responses(true);
        match (reading.parse_response(&mut response, &bytes[begin..]), response.code) {
            (Ok(httparse::Status::Complete(length)), Some(100 | 102..=199)) => begin += length,
            (Ok(httparse::Status::Complete(length)), _) => {
                return Ok(Some(End { head: begin, body: begin + length }));
            }
            (Ok(httparse::Status::Partial), _) => return Ok(None),
            (Err(error), _) => {
                return Err(format!("not HTTP: {error}: \"{}\"", beginning(&bytes[begin..])));
            }
        }
    }
}

/// The first line, at most 40 bytes of it, printable.
fn beginning(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty()).unwrap_or(b"");
    line[..line.len().min(40)].escape_ascii().to_string()
}

struct BodyReader<'s> {
    stream: &'s mut Stream,
    /// What has come of it.
    bytes: Vec<u8>,
    /// Somebody looks at it.
    wants: bool,
}

impl BodyReader<'_> {
    /// Reads a body; says whether it was read to its end and nothing came behind it.
    async fn read(&mut self, body: Body) -> Result<bool, Failed> {
        match body {
            Body::Empty => Ok(self.bytes.is_empty()),
            Body::Length(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > MAX_BODY && !self.wants {
                    return Ok(false);
                }
                while self.bytes.len() < length.min(MAX_BODY) {
                    self.more().await?;
                }
                Ok(self.bytes.len() == length)
            }
            Body::Chunked => self.chunks().await,
            Body::UntilClose => {
                while self.wants && self.bytes.len() < MAX_BODY && self.fill().await? > 0 {}
                Ok(false)
            }
        }
    }

    async fn chunks(&mut self) -> Result<bool, Failed> {
        let mut decoder = Decoder::default();
        let mut data = Vec::new();
        loop {
            let raw = std::mem::take(&mut self.bytes);
            let mut input = &raw[..];
            let malformed = |why| Failed::Wrong(format!("a malformed answer: {why}"));
            while let Some(part) = decoder.next(&mut input).map_err(malformed)? {
                if let Part::Data(piece) = part {
                    data.extend_from_slice(piece);
                }
            }
            let (over, left) = (decoder.is_done(), input.len());
            if over || data.len() > MAX_BODY {
                self.bytes = data;
                return Ok(over && left == 0);
            }
            self.more().await?;
        }
    }

    /// At least one byte more.
    async fn more(&mut self) -> Result<(), Failed> {
        match self.fill().await? {
            0 => Err(Failed::Wrong("closed the connection in the middle of the answer's body".into())),
            _ => Ok(()),
        }
    }

    async fn fill(&mut self) -> Result<usize, Failed> {
        let read: io::Result<usize> = self.stream.read_buf(&mut self.bytes).await;
        read.map_err(|error| Failed::Wrong(format!("{} {READING}", trouble(&error))))
    }
}
