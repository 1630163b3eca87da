//! Answers of our own that are no errors: sending clients to https, and being the last hop.

use std::io::Write as _;

use crate::config::Redirect;
use crate::http::{Date, Request, RequestFacts};

/// Where the client is sent: the same host, path and query by https. `host` stands in for clients that sent none.
pub(super) fn location(
    redirect: Redirect,
    request: &Request<'_, '_>,
    facts: &RequestFacts<'_>,
    host: &str,
) -> Box<[u8]> {
    let host = facts.host.unwrap_or(host.as_bytes());
    let port = host.iter().rposition(|byte| *byte == b':').filter(|colon| !host[*colon..].contains(&b']'));
    let mut location = Vec::from(b"https://");
    location.extend_from_slice(&host[..port.unwrap_or(host.len())]);
    if redirect.port != 443 {
        location.extend_from_slice(format!(":{}", redirect.port).as_bytes());
    }
    let path = request.path_and_query(facts);
    // `OPTIONS *` asks about the server as a whole.
    location.extend_from_slice(if path == "*" { b"/" } else { path.as_bytes() });
    location.into()
}

/// The answer to a request that may not be passed on any more, the Max-Forwards of which is 0: as from an origin that
/// has nothing to say of itself (RFC 9110 §7.6.2, §9.3.7), and does not send requests back (§9.3.8).
pub(super) fn last_hop(request: &Request<'_, '_>, facts: &RequestFacts<'_>) -> Option<(u16, Box<[u8]>)> {
    let status = if request.method == "TRACE" { 501 } else { 204 };
    (facts.forwards == Some(0)).then(|| (status, Box::default()))
}

/// Appends the whole response, made at `now`; it has no body, whatever the method. Without a location it sends the client nowhere.
pub(super) fn render(status: u16, location: &[u8], persistent: bool, now: &Date, out: &mut Vec<u8>) {
    let reason = match status {
        204 => "No Content",
        301 => "Moved Permanently",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        501 => "Not Implemented",
        _ => "Found",
    };
    let connection = if persistent { "keep-alive" } else { "close" };
    // Writing to a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 {status} {reason}\r\n");
    out.extend_from_slice(now.field());
    if !location.is_empty() {
        out.extend_from_slice(b"Location: ");
        out.extend_from_slice(location);
        out.extend_from_slice(b"\r\n");
    }
    // "A server MUST NOT send a Content-Length header field in any response with a status code of ... 204" (RFC 9110 §8.6).
    let length = if status == 204 { "" } else { "Content-Length: 0\r\n" };
    let _ = write!(out, "{length}Connection: {connection}\r\n\r\n");
}
