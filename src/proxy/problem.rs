//! Why the proxy itself answers a request, whose fault it is, and what the client gets to read.

use std::time::Duration;
use std::{fmt, io};

use super::proxy_header;
use crate::http::{Date, Malformed};
use crate::pool::Over;

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    Client,
    Server,
    Us,
}

/// A request that no server's response answers.
#[derive(Debug)]
pub(super) enum Problem {
    /// The request's head or chunks are malformed or too large.
    Malformed(Malformed),
    /// The client speaks plain where TLS is spoken.
    PlainHttp,
    /// The head did not come in time.
    HeadTimeout,
    /// The PROXY header is malformed.
    Header(proxy_header::Malformed),
    /// The PROXY header did not come in time.
    HeaderTimeout,
    /// The connection was closed in the middle of the PROXY header.
    HeaderCutShort,
    /// The body did not come in time.
    BodyTimeout,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The client's source has as much as it may, for so long at least.
    Enough { over: Over, wait: Duration },
    /// No server of the pool may get requests.
    NoServer,
    /// The limit on connections is reached.
    Full,
    /// Every server has as many requests as it may, and as many wait as may.
    QueueFull,
    /// No server had a free place in time.
    QueueTimeout,
    /// What the client says by frames is not HTTP/2, or an attempt to use us up. It is told by GOAWAY.
    Frames(h2::Error),
    /// The client takes back more requests than people do. It is told by GOAWAY.
    TakenBack,
    /// The client left while its request waited. Nobody is answered; the status is for the log, as Nginx has it.
    Left,
    /// The client left before it had the whole response, or before the server had the whole request.
    LeftMidway,
    /// The client does not read its response.
    Unread,
    /// We ran out of files, ports or memory.
    Exhausted(io::Error),
    /// No server could be connected to; this is the last one's reason.
    Unreachable { server: String, error: io::Error },
    /// No server could be connected to in time; this is the last one.
    ConnectTimeout { server: String },
    /// No handshake of TLS came about with the last server that could be connected to.
    Unsecured { server: String, why: String },
    /// The server closed without a response.
    Unanswered { server: String },
    /// The server closed in the middle of a response that the client has a part of.
    BrokenOff { server: String },
    /// The server stopped in the middle of one.
    Stalled { server: String },
    /// The server's response is malformed.
    BadResponse { server: String, malformed: Malformed },
    /// The server did not respond, or did not read the request, in time.
    ResponseTimeout { server: String },
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<proxy_header::Malformed> for Problem {
    fn from(malformed: proxy_header::Malformed) -> Self {
        Self::Header(malformed)
    }
}

impl Problem {
    /// The status (RFC 9110 §15.5 and §15.6, RFC 6585 §4).
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Malformed(malformed) => malformed.status(),
            Self::PlainHttp | Self::Header(_) | Self::HeaderCutShort | Self::Frames(_) => 400,
            Self::HeadTimeout | Self::BodyTimeout | Self::HeaderTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::Enough { .. } | Self::TakenBack => 429,
            Self::Left | Self::LeftMidway | Self::Unread => 499,
            Self::NoServer | Self::Full | Self::QueueFull | Self::QueueTimeout | Self::Exhausted(_) => 503,
            Self::Unreachable { .. }
            | Self::Unsecured { .. }
            | Self::Unanswered { .. }
            | Self::BrokenOff { .. }
            | Self::BadResponse { .. } => 502,
            Self::ConnectTimeout { .. } | Self::ResponseTimeout { .. } | Self::Stalled { .. } => 504,
        }
    }

    /// Whether the client went away by itself: then nobody is answered, and nothing is anyone's fault.
    pub(super) fn is_left(&self) -> bool {
        matches!(self, Self::Left | Self::LeftMidway | Self::Unread)
    }

    /// Whose fault it is.
    pub(super) fn culprit(&self) -> Culprit {
        match self {
            Self::Malformed(_)
            | Self::PlainHttp
            | Self::HeadTimeout
            | Self::Header(_)
            | Self::HeaderTimeout
            | Self::HeaderCutShort
            | Self::BodyTimeout
            | Self::BodyTooLarge
            | Self::Frames(_)
            | Self::TakenBack
            | Self::Left
            | Self::LeftMidway
            | Self::Unread
            | Self::Enough { .. } => Culprit::Client,
            Self::Full | Self::Exhausted(_) => Culprit::Us,
            Self::NoServer
            | Self::QueueFull
            | Self::QueueTimeout
            | Self::Unreachable { .. }
            | Self::ConnectTimeout { .. }
            | Self::Unsecured { .. }
            | Self::Unanswered { .. }
            | Self::BrokenOff { .. }
            | Self::Stalled { .. }
            | Self::BadResponse { .. }
            | Self::ResponseTimeout { .. } => Culprit::Server,
        }
    }

    /// Some refusals are about this moment (RFC 9110 §15.6.4, §10.2.3): whoever comes again at once makes it longer.
    fn retry_after(&self) -> String {
        let wait = if let Self::Enough { wait, .. } = self {
            *wait
        } else if self.status() == 503 {
            Duration::from_secs(1)
        } else {
            return String::new();
        };
        // Whole seconds: less would be too early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        format!("Retry-After: {}\r\n", seconds.max(1))
    }

    /// Appends the whole response, made at `now`. After a client's mistake nobody knows where its next request would
    /// begin, so `persistent` is for the other ones.
    pub(super) fn render(&self, persistent: bool, is_head: bool, now: &Date, out: &mut Vec<u8>) {
        let status = self.status();
        let text = format!("{status} {}: {self}\n", reason(status));
        let connection = if persistent { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             {}Connection: {connection}\r\n",
            reason(status),
            text.len(),
            self.retry_after(),
        );
        for part in [head.as_bytes(), now.field(), b"\r\n"] {
            out.extend_from_slice(part);
        }
        if !is_head {
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        408 => "Request Timeout",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::PlainHttp => f.write_str("plain HTTP was sent to a port of HTTPS"),
            Self::HeadTimeout => f.write_str("the head of the request did not arrive in time"),
            Self::Header(malformed) => malformed.fmt(f),
            Self::HeaderTimeout => f.write_str("the PROXY header did not arrive in time"),
            Self::HeaderCutShort => {
                f.write_str("the connection was closed in the middle of the PROXY header")
            }
            Self::BodyTimeout => f.write_str("the body of the request did not arrive in time"),
            Self::BodyTooLarge => f.write_str("the body of the request is too large"),
            Self::Enough { over: Over::Connections, .. } => {
                f.write_str("too many connections from your address")
            }
            Self::Enough { over: Over::ConnectionRate, .. } => {
                f.write_str("connections from your address come too fast")
            }
            Self::Enough { over: Over::RequestRate, .. } => {
                f.write_str("requests from your address come too fast")
            }
            Self::Frames(error) => write!(f, "no HTTP/2: {error}"),
            Self::TakenBack => f.write_str("requests are taken back too fast"),
            Self::Left => f.write_str("the client left before a server had its request"),
            Self::LeftMidway => f.write_str("the client left in the middle of its request or response"),
            Self::Unread => f.write_str("the client did not read its response in time"),
            Self::NoServer => f.write_str("no healthy server"),
            Self::Full => f.write_str("too many connections"),
            Self::QueueFull => f.write_str("every server is busy, and enough requests wait"),
            Self::QueueTimeout => f.write_str("every server was busy for too long"),
            Self::Exhausted(error) => write!(f, "the proxy ran out of resources: {}", error.kind()),
            Self::Unreachable { server, error } => {
                write!(f, "{server} cannot be connected to: {}", error.kind())
            }
            Self::ConnectTimeout { server } => write!(f, "{server} did not accept the connection in time"),
            Self::Unsecured { server, why } => write!(f, "no TLS with {server}: {why}"),
            Self::Unanswered { server } => write!(f, "{server} closed the connection without a response"),
            Self::BrokenOff { server } => {
                write!(f, "{server} closed the connection in the middle of its response")
            }
            Self::Stalled { server } => write!(f, "{server} stopped in the middle of its response"),
            Self::BadResponse { server, malformed } => {
                write!(f, "malformed response from {server}: {malformed}")
            }
            Self::ResponseTimeout { server } => write!(f, "{server} did not respond in time"),
        }
    }
}
