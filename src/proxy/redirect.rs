//! Sending clients to https.

use std::io::Write as _;

use crate::config::Redirect;
use crate::http::{Request, RequestFacts};

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

/// Appends the whole response; it has no body, whatever the method.
pub(super) fn render(status: u16, location: &[u8], persistent: bool, out: &mut Vec<u8>) {
    let reason = match status {
        301 => "Moved Permanently",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        _ => "Found",
    };
    let connection = if persistent { "keep-alive" } else { "close" };
    // Writing to a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 {status} {reason}\r\nLocation: ");
    out.extend_from_slice(location);
    let _ = write!(out, "\r\nContent-Length: 0\r\nConnection: {connection}\r\n\r\n");
}
