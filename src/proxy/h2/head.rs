//! Heads out of frames in the words of HTTP/1.1, and back.
//!
//! The `h2` crate has checked what RFC 9113 §8.2 and §8.3 ask of names and pseudo-header fields, and refused fields of
//! the connection. What is left to check is what two fields say together; what HTTP/1.1 refuses besides, it refuses when
//! it reads these words.

use ::http::header::{CONTENT_LENGTH, COOKIE, HOST, TE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use h2::RecvStream;

use crate::http::{MAX_LINES, Malformed, Response};

/// How a lane delimits a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// Its bytes; Content-Length is among the fields, and the crate holds the client to it.
    Length,
    /// In chunks.
    Chunked,
}

/// Appends to `out` the head of `request` as HTTP/1.1 has it; `ends`: it has no body.
pub(super) fn request(
    request: &Request<RecvStream>,
    ends: bool,
    out: &mut Vec<u8>,
) -> Result<Framing, Malformed> {
    let (method, fields) = (request.method(), request.headers());
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let target = if *method == Method::CONNECT { authority.unwrap_or_default() } else { path.as_bytes() };
    for part in [method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"] {
        out.extend_from_slice(part);
    }
    if let Some(authority) = authority {
        // A client that says two hosts says them to two readers (RFC 9113 §8.3.1).
        if fields.get_all(HOST).iter().any(|host| !host.as_bytes().eq_ignore_ascii_case(authority)) {
            return Err(Malformed::HostTwice);
        }
        line(b"host", authority, out);
    }
    for (name, value) in fields {
        let value = value.as_bytes();
        if value.trim_ascii().len() < value.len() {
            return Err(Malformed::PaddedValue);
        }
        if !(*name == HOST && authority.is_some() || *name == COOKIE || *name == TE) {
            line(name.as_str().as_bytes(), value, out);
        }
    }
    crumbs(fields, out);
    if fields.contains_key(TE) {
        out.extend_from_slice(b"te: trailers\r\nconnection: te\r\n");
    }
    let framing = match (ends, fields.contains_key(CONTENT_LENGTH)) {
        (true, _) => Framing::Empty,
        (false, true) => Framing::Length,
        (false, false) => Framing::Chunked,
    };
    out.extend_from_slice(if framing == Framing::Chunked {
        b"transfer-encoding: chunked\r\n\r\n"
    } else {
        b"\r\n"
    });
    Ok(framing)
}

/// "If there are multiple Cookie header fields after decompression, these MUST be concatenated into a single octet string
/// using the two-octet delimiter of 0x3b, 0x20" (RFC 9113 §8.2.3).
fn crumbs(fields: &HeaderMap, out: &mut Vec<u8>) {
    let mut before: &[u8] = b"cookie: ";
    for crumb in fields.get_all(COOKIE) {
        out.extend_from_slice(before);
        out.extend_from_slice(crumb.as_bytes());
        before = b"; ";
    }
    if before == b"; " {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a field with its CRLF.
pub(super) fn line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// What follows the head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// Another head.
    Head,
    /// Nothing.
    Nothing,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunks,
}

/// The head of a response to the client by frames, and what follows it. The words are ours: rewritten by
/// [`crate::http::rewrite_response`], or said by us.
pub(super) fn response(
    response: &Response<'_, '_>,
    is_head: bool,
) -> Result<(::http::Response<()>, Follows), Malformed> {
    let mut built = ::http::Response::new(());
    let status = StatusCode::from_u16(response.status).map_err(|_| Malformed::Status)?;
    *built.status_mut() = status;
    let (mut chunks, mut length) = (false, 0);
    let fields = built.headers_mut();
    fields.reserve(response.headers.len().min(MAX_LINES));
    // One copy of the head, which the values share.
    let head = Bytes::copy_from_slice(response.bytes);
    let part = |value: &[u8]| {
        // An empty one may be anywhere.
        let from = if value.is_empty() { 0 } else { value.as_ptr().addr() - response.bytes.as_ptr().addr() };
        head.slice(from..from + value.len())
    };
    for header in response.headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // These are about one connection, and it is not this one (RFC 9113 §8.2.2).
        if is("connection") {
            continue;
        }
        if is("transfer-encoding") {
            chunks = true;
            continue;
        }
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed::HeaderName)?;
        let value = HeaderValue::from_maybe_shared(part(header.value)).map_err(|_| Malformed::HeaderValue)?;
        if name == CONTENT_LENGTH {
            length = value.to_str().ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        }
        fields.append(name, value);
    }
    let follows = match status.as_u16() {
        100..200 => Follows::Head,
        _ if is_head => Follows::Nothing,
        204 | 304 => Follows::Nothing,
        _ if chunks => Follows::Chunks,
        _ if length > 0 => Follows::Length(length),
        _ => Follows::Nothing,
    };
    Ok((built, follows))
}

/// Adds a trailer line to those that there are.
pub(super) fn trailer(line: &[u8], trailers: &mut HeaderMap) -> Result<(), Malformed> {
    let colon = memchr::memchr(b':', line).ok_or(Malformed::Trailer)?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Malformed::HeaderName)?;
    let value = line[colon + 1..].trim_ascii();
    trailers.append(name, HeaderValue::from_bytes(value).map_err(|_| Malformed::HeaderValue)?);
    Ok(())
}
