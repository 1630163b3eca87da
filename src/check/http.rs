//! A check by HTTP/1.1 or HTTP/2: a request, and what its answer must be.
//!
//! The connection is kept for the next check where the server allows it, but not for ever: a server that accepts
//! nobody any more would answer on it.

use std::fmt::Write as _;

use http::Request;

use super::Target;
use super::answer::{Answer, Failed, exchange};
use super::connect::{Connectors, Stream, open};
use super::h2::Line;
use super::words::{Outcome, Passed, Stage, printable};
use crate::config::{HttpCheck, Method};

/// A connection that was kept.
pub(super) struct Kept {
    way: Way,
    /// How many checks it may still carry.
    left: u32,
}

/// What is spoken on a connection.
enum Way {
    Http1(Stream),
    Http2(Line),
}

/// After so many checks a new connection is made.
const CHECKS_A_CONNECTION: u32 = 20;

/// Asks the server of `target`, on the connection in `line` if there is one.
pub(super) async fn ask(
    check: &HttpCheck,
    target: &Target,
    connectors: &Connectors,
    line: &mut Option<Kept>,
    stage: &mut Stage,
) -> Outcome {
    if let Some(Kept { mut way, left }) = line.take() {
        match way.exchange(check, target, stage).await {
            Ok(answer) => return judge(check, &answer, line, way, left),
            Err(Failed::Wrong(why)) => return Err(why),
            // It was closed while nobody used it (RFC 9112 §9.5): that says nothing about the server.
            Err(Failed::Closed(_)) => {}
        }
    }
    let stream = open(target, connectors, stage).await?;
    let mut way = if check.h2 { Way::Http2(Line::begin(stream).await?) } else { Way::Http1(stream) };
    match way.exchange(check, target, stage).await {
        Ok(answer) => judge(check, &answer, line, way, CHECKS_A_CONNECTION),
        Err(Failed::Wrong(why) | Failed::Closed(why)) => Err(why),
    }
}

impl Way {
    async fn exchange(
        &mut self,
        check: &HttpCheck,
        target: &Target,
        stage: &mut Stage,
    ) -> Result<Answer, Failed> {
        match self {
            Self::Http1(stream) => {
                let wants = |answer: &Answer| check.body.is_some() || (check.json && answer.is_json());
                let to_head = check.method == Method::Head;
                exchange(stream, head(check, target).as_bytes(), to_head, wants, stage).await
            }
            Self::Http2(line) => line.exchange(request(check, target).map_err(Failed::Wrong)?, stage).await,
        }
    }
}

/// The request as HTTP/1.1 has it.
fn head(check: &HttpCheck, target: &Target) -> String {
    let (method, host) = (method(check), host(check, target));
    let mut request = format!("{method} {} HTTP/1.1\r\nHost: {host}\r\n", check.path);
    for (name, value) in fields(check) {
        write!(request, "{name}: {value}\r\n").expect("a String takes all that is written to it");
    }
    request + "\r\n"
}

/// The same as HTTP/2 has it.
fn request(check: &HttpCheck, target: &Target) -> Result<Request<()>, String> {
    let scheme = if target.check.tls.is_some() { "https" } else { "http" };
    let uri = format!("{scheme}://{}{}", host(check, target), check.path);
    let request = Request::builder().method(method(check)).uri(uri);
    let request = fields(check).fold(request, |request, (name, value)| request.header(name, value));
    request.body(()).map_err(|error| format!("its request cannot be written in HTTP/2: {error}"))
}

const fn method(check: &HttpCheck) -> &'static str {
    match check.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
    }
}

fn host(check: &HttpCheck, target: &Target) -> String {
    check.host.clone().unwrap_or_else(|| target.address.to_string())
}

/// The header fields of the request but for the host.
fn fields(check: &HttpCheck) -> impl Iterator<Item = (&str, &str)> {
    let given = |name: &str| check.request_headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let ours = [("User-Agent", concat!("vipd/", env!("CARGO_PKG_VERSION"))), ("Accept", "*/*")];
    let ours = ours.into_iter().filter(move |(name, _)| !given(name));
    ours.chain(check.request_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Whether the answer is as expected; the connection of one that is stays open.
fn judge(check: &HttpCheck, answer: &Answer, line: &mut Option<Kept>, way: Way, left: u32) -> Outcome {
    let passed = expected(check, answer)?;
    if answer.reusable && left > 1 {
        *line = Some(Kept { way, left: left - 1 });
    }
    Ok(passed)
}

fn expected(check: &HttpCheck, answer: &Answer) -> Outcome {
    let status = answer.status;
    if !check.expect.iter().any(|(from, to)| (*from..=*to).contains(&status)) {
        return Err(format!("HTTP {status}, expected {}", ranges(&check.expect)));
    }
    for (name, value) in &check.expect_headers {
        let mut values = answer.values(name).peekable();
        match values.peek().map(|first| printable(first)) {
            _ if values.any(|given| given == value) => {}
            Some(given) => return Err(format!("HTTP {status}, but {name} is \"{given}\", not \"{value}\"")),
            None => return Err(format!("HTTP {status}, but it has no {name}")),
        }
    }
    if let Some(text) = &check.body
        && memchr::memmem::find(&answer.body, text.as_bytes()).is_none()
    {
        return Err(format!("HTTP {status}, but \"{}\" is not in its body", printable(text)));
    }
    let said = if check.json && answer.is_json() { account(&answer.body)? } else { None };
    let mut passed = said.unwrap_or_default();
    passed.words = match passed.words.as_str() {
        "" => format!("HTTP {status}"),
        word => format!("HTTP {status}, {word}"),
    };
    Ok(passed)
}

/// What a server says of itself: `{"status":"healthy","server":"us-east"}`. JSON without a `status` that is a string
/// says nothing, and is no failure.
fn account(body: &[u8]) -> Result<Option<Passed>, String> {
    let Ok(serde_json::Value::Object(said)) = serde_json::from_slice(body) else { return Ok(None) };
    let Some(status) = said.get("status").and_then(|status| status.as_str()) else { return Ok(None) };
    if !HEALTHY.iter().any(|word| status.eq_ignore_ascii_case(word)) {
        return Err(format!("its status is \"{}\", not \"healthy\"", printable(status)));
    }
    let name = said.get("server").and_then(|name| name.as_str()).map(printable);
    Ok(Some(Passed { words: printable(status), own_name: name.filter(|name| !name.is_empty()) }))
}

/// The words of servers that are well: our own application servers', Spring Boot's, and those of the health check
/// response format (draft-inadarei-api-health-check-06 §3.1).
const HEALTHY: [&str; 4] = ["healthy", "ok", "up", "pass"];

/// `200-399, 418`.
fn ranges(expect: &[(u16, u16)]) -> String {
    let range = |(from, to): &(u16, u16)| {
        if from == to { from.to_string() } else { format!("{from}-{to}") }
    };
    expect.iter().map(range).collect::<Vec<_>>().join(", ")
}
