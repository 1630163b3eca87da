//! What is said of a check, in words for a human.

use std::io;
use std::time::Duration;

use nix::errno::Errno;

use crate::net::files::is_exhaustion;

/// What a check that succeeded saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// `HTTP 200`, `a primary`.
    pub(super) words: String,
    /// What the server calls itself.
    pub(super) own_name: Option<String>,
}

impl Passed {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), own_name: None }
    }
}

/// What a check saw, or why the server did not pass.
pub(super) type Outcome = Result<Passed, String>;

/// How far a check has come, for the words of a failure: `waiting for the answer`.
pub(super) type Stage = &'static str;

/// It did not begin, for want of something on this node: that says nothing about the server.
pub(super) const UNABLE: Stage = "not begun";
pub(super) const CONNECTING: Stage = "connecting";
pub(super) const SHAKING_HANDS: Stage = "in the TLS handshake";
pub(super) const ASKING: Stage = "sending the request";
pub(super) const WAITING: Stage = "waiting for the answer";
pub(super) const READING: Stage = "reading the answer's body";
pub(super) const RUNNING: Stage = "running";

/// A failed system call in words, and whose it is when it is ours.
pub(super) fn trouble(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error() else { return error.to_string() };
    let errno = Errno::from_raw(code);
    let mut words = errno.desc().to_string();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    if is_exhaustion(error) {
        words.push_str(" on this node");
    }
    words
}

/// `1 s`, `200 ms`, `under 1 ms`.
pub(super) fn length(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "under 1 ms".into(),
        whole if whole % 1_000 == 0 => format!("{} s", whole / 1_000),
        millis => format!("{millis} ms"),
    }
}

/// What a stranger said, for a line of a table: printable, and at most 80 characters of it.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect()
}
