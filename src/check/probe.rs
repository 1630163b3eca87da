//! One check of one server: connect, and for `http` ask and read the head of the answer.
//!
//! It must never read without a bound nor take longer than it may. Every result is told in words for a human.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Target;
use crate::config::CheckKind;
use crate::pool::Observation;

/// Checks `target` once and says what was seen, within `limit` (what is left of the check's timeout).
pub(super) async fn probe(target: &Target, limit: Duration) -> (Observation, String) {
    let begun = Instant::now();
    let mut stage = Stage::Connecting;
    let result = timeout(limit, ask(target, &mut stage)).await;
    match result {
        Ok(Ok(answer)) => (Observation::Pass, format!("{answer} in {}", length(begun.elapsed()))),
        Ok(Err(why)) => (Observation::Fail, why),
        Err(_) => (
            Observation::Fail,
            format!("timed out after {} {}", length(target.check.timeout), stage.in_words()),
        ),
    }
}

/// How far a check has come, for the words of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Asking,
    Waiting,
}

impl Stage {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Asking => "sending the request",
            Self::Waiting => "waiting for the answer",
        }
    }
}

async fn ask(target: &Target, stage: &mut Stage) -> Result<String, String> {
    let mut stream = TcpStream::connect(target.address).await.map_err(|error| trouble(&error))?;
    let CheckKind::Http { path, host, expect } = &target.check.kind else {
        return Ok("connected".into());
    };
    let host = host.clone().unwrap_or_else(|| target.address.to_string());
    *stage = Stage::Asking;
    let status = match stream.write_all(request(path, &host).as_bytes()).await {
        Ok(()) => {
            *stage = Stage::Waiting;
            read_status(&mut stream).await?
        }
        Err(error) => return Err(format!("{} {}", trouble(&error), stage.in_words())),
    };
    if expect.iter().any(|(from, to)| (*from..=*to).contains(&status)) {
        Ok(format!("HTTP {status}"))
    } else {
        Err(format!("HTTP {status}, expected {}", ranges(expect)))
    }
}

fn request(path: &str, host: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: vipd/{version}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    )
}

/// The longest head of an answer that is read. A health page that needs more is a mistake of the server's.
const MAX_HEAD: usize = 8 << 10;

/// Header lines that an answer may have.
const MAX_HEADERS: usize = 100;

/// Reads the head of the answer and gives its status.
async fn read_status(stream: &mut TcpStream) -> Result<u16, String> {
    let mut head = Vec::with_capacity(1 << 10);
    loop {
        let mut room = stream.take((MAX_HEAD - head.len()) as u64);
        let read = room.read_buf(&mut head).await;
        match read.map_err(|error| format!("{} {}", trouble(&error), Stage::Waiting.in_words()))? {
            0 if head.is_empty() => return Err("closed the connection without an answer".into()),
            0 if head.len() == MAX_HEAD => return Err("the answer's head is longer than 8 KiB".into()),
            0 => return Err("closed the connection in the middle of the answer's head".into()),
            _ => {}
        }
        if let Some(status) = status_of(&head)? {
            return Ok(status);
        }
    }
}

/// The final status in `bytes`, or `None` when its head is not complete yet. Interim answers (RFC 9110 §15.2) are
/// skipped.
fn status_of(mut bytes: &[u8]) -> Result<Option<u16>, String> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match (response.parse(bytes), response.code) {
            (Ok(httparse::Status::Complete(length)), Some(100 | 102..=199)) => bytes = &bytes[length..],
            (Ok(httparse::Status::Complete(_)), status) => return Ok(status),
            (Ok(httparse::Status::Partial), _) => return Ok(None),
            (Err(error), _) => return Err(format!("not HTTP: {error}: \"{}\"", beginning(bytes))),
        }
    }
}

/// The first line, at most 40 bytes of it, printable.
fn beginning(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty()).unwrap_or(b"");
    line[..line.len().min(40)].escape_ascii().to_string()
}

/// A failed system call in words, and whose it is when it is ours.
fn trouble(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error() else { return error.to_string() };
    let errno = Errno::from_raw(code);
    let mut words = errno.desc().to_string();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    if matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::EADDRNOTAVAIL | Errno::ENOBUFS | Errno::ENOMEM)
    {
        words.push_str(" on this node");
    }
    words
}

/// `200-399, 418`.
fn ranges(expect: &[(u16, u16)]) -> String {
    let range = |(from, to): &(u16, u16)| {
        if from == to { from.to_string() } else { format!("{from}-{to}") }
    };
    expect.iter().map(range).collect::<Vec<_>>().join(", ")
}

/// `1 s`, `200 ms`, `under 1 ms`.
fn length(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".into(),
        whole if whole % 1_000 == 0 => format!("{} s", whole / 1_000),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests;
