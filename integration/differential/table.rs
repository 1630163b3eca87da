//! What each proxy did with a case, in a form that can be compared, and the table of differences.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::corpus::Corpus;
use crate::judge::{self, Reading};

/// What the three did with a case.
pub(crate) struct Outcome {
    pub(crate) vipd: Did,
    pub(crate) haproxy: Did,
    pub(crate) nginx: Did,
}

/// What one of them did.
pub(crate) struct Did {
    proxy: SocketAddr,
    /// The statuses that the client got; `text` for bytes that are no response.
    pub(crate) answers: Vec<String>,
    /// The bytes of each connection to the server.
    pub(crate) forwarded: Vec<Vec<u8>>,
}

impl Did {
    pub(crate) fn answered(proxy: SocketAddr, answer: &[u8]) -> Self {
        let mut answers = Vec::new();
        // The texts of all three never have this shape.
        for part in answer.windows(12) {
            if part.starts_with(b"HTTP/1.") && part[8] == b' ' && part[9..].iter().all(u8::is_ascii_digit) {
                answers.push(String::from_utf8_lossy(&part[9..]).into_owned());
            }
        }
        if answers.is_empty() && !answer.is_empty() {
            answers.push("text".to_owned());
        }
        Self { proxy, answers, forwarded: Vec::new() }
    }

    /// One line: statuses, and the requests that reached the server whole.
    fn line(&self) -> String {
        let mut line = self.answers.join(" ");
        if line.is_empty() {
            line.push_str("closed");
        }
        for message in &self.forwarded {
            if judge::read(message, Reading::STRICT).whole > 0 {
                let _ = write!(line, "  {}", normal(message, self.proxy));
            }
        }
        line
    }
}

/// What means the same is written the same: names in lower case and sorted, without what every proxy adds for its own
/// sake.
fn normal(message: &[u8], proxy: SocketAddr) -> String {
    let text: String = message.iter().map(|byte| char::from(*byte)).collect();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let mut fields: Vec<_> = lines
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    fields.sort();
    let chunked = fields.iter().any(|(name, _)| name == "transfer-encoding");
    let mut out = format!("[{}", brief(first.trim_end_matches(" HTTP/1.1")));
    let theirs = fields.iter().filter(|(name, _)| !is_ours(name));
    if theirs.clone().count() > 20 {
        let _ = write!(out, " | {} fields", theirs.count());
    } else {
        theirs.for_each(|(name, value)| _ = write!(out, " | {name}: {}", brief(value)));
    }
    let (data, trailers) = if chunked { unchunked(body) } else { (body.to_owned(), "") };
    if !data.is_empty() {
        let _ = write!(out, " || {}", brief(&data));
    }
    if !trailers.is_empty() {
        let _ = write!(out, " || trailers {}", brief(&trailers.to_ascii_lowercase()));
    }
    out.push(']');
    out.replace(&proxy.to_string(), "PROXY")
}

/// The data of a chunked body that is whole, and its trailers.
fn unchunked(body: &str) -> (String, &str) {
    let mut data = String::new();
    let mut rest = body;
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        rest = behind;
        if size == 0 {
            break;
        }
        // One character is one byte of the message, but not of the text.
        let at = |count: usize| rest.char_indices().nth(count).map_or(rest.len(), |(at, _)| at);
        data.push_str(&rest[..at(size)]);
        rest = &rest[at(size + 2)..];
    }
    (data, rest.trim_end())
}

fn is_ours(name: &str) -> bool {
    [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "connection",
        "content-length",
        "transfer-encoding",
    ]
    .contains(&name)
}

/// Printable, and cut when it is long.
fn brief(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().filter_map(|byte| u8::try_from(byte).ok()).collect();
    let text = bytes.escape_ascii().to_string();
    if text.len() <= 80 { text } else { format!("{}..({})", &text[..40], bytes.len()) }
}

/// The table: every case that the three do not treat alike, below the rule that decides it.
pub(crate) fn differences(corpus: &Corpus, outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "# Where vipd, HAProxy 2.6 and Nginx 1.22 part: what the client got, and what reached the server.\n\
         # Cases are in corpus.txt; each rule is what decides the cases below it. Written by the test.\n",
    );
    let mut outcomes = outcomes.iter();
    for group in &corpus.groups {
        let mut rows = String::new();
        for case in &group.cases {
            let Some(outcome) = outcomes.next() else { break };
            let mut lines = [&outcome.vipd, &outcome.haproxy, &outcome.nginx].map(Did::line);
            if case.unsteady {
                lines[1] = "not the same in every run".to_owned();
            }
            if lines.iter().any(|line| *line != lines[0]) {
                let [vipd, haproxy, nginx] = lines;
                let _ = write!(
                    rows,
                    "\n{}\n  vipd     {vipd}\n  haproxy  {haproxy}\n  nginx    {nginx}\n",
                    case.name
                );
            }
        }
        if !rows.is_empty() {
            let _ = write!(out, "\n= {}\n{rows}", group.rule);
        }
    }
    out
}

/// The table by paragraphs: a rule, or a case with what each did.
pub(crate) fn entries(table: &str) -> Vec<&str> {
    table.split_inclusive("\n\n").map(str::trim_end).filter(|entry| !entry.is_empty()).collect()
}
