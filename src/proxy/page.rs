//! What the clients of a frontend in maintenance get: a page that is held in memory, or a plain sentence.

use std::io::Write as _;

use ::http::StatusCode;

use crate::config::Maintenance;
use crate::http::Date;

/// Bytes of a page that go out with its head; the rest is written from where it is.
const FIRST: usize = 16 * 1024;

/// A page, ready to be sent.
#[derive(Clone, Debug)]
pub struct Page {
    /// From the version to the last field that is the same for everyone.
    head: Box<[u8]>,
    body: Box<[u8]>,
}

impl Default for Page {
    /// For a frontend that has none of its own.
    fn default() -> Self {
        let body = "503 Service Unavailable: down for maintenance\n";
        Self::of(503, "text/plain; charset=utf-8", 60, body)
    }
}

impl Page {
    /// The page with this text, as the config wants it sent.
    #[must_use]
    pub fn new(maintenance: &Maintenance, text: &str) -> Self {
        let Maintenance { status, retry_after, .. } = maintenance;
        Self::of(*status, maintenance.content_type(), retry_after.as_secs(), text)
    }

    fn of(status: u16, content_type: &str, retry_after: u64, body: &str) -> Self {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nRetry-After: {retry_after}\r\n",
            reason.unwrap_or("Unavailable"),
            body.len(),
        );
        Self { head: head.into_bytes().into(), body: body.as_bytes().into() }
    }

    /// Appends the response, sent at `now`, and gives what of its body is to follow.
    pub(super) fn render(&self, persistent: bool, is_head: bool, now: &Date, out: &mut Vec<u8>) -> &[u8] {
        let connection = if persistent { "keep-alive" } else { "close" };
        out.extend_from_slice(&self.head);
        out.extend_from_slice(now.field());
        // Writing to a Vec cannot fail.
        let _ = write!(out, "Connection: {connection}\r\n\r\n");
        let body = if is_head { &[][..] } else { &self.body[..] };
        let (first, rest) = body.split_at(body.len().min(FIRST));
        out.extend_from_slice(first);
        rest
    }
}
