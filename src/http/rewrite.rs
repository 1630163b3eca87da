//! What is passed on: the head as it came, without the fields that end here, with the ones that a proxy adds.
//!
//! Lines that stay are copied as they are, in runs, but for those of servers with white space before the colon. Via is
//! not added, although RFC 9110 §7.6.3 asks for it: Nginx stops compressing when it sees one, and HAProxy does not send
//! it either.

use httparse::Header;

use super::field::{Field, members};
use super::{Body, Date, Request, RequestFacts, Response, ResponseFacts, Version};

/// Where a request came from, for the server behind us.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The client's IP address in text.
    pub client: &'a str,
    /// The Host for clients that sent none: the address they connected to.
    pub host: &'a str,
    /// Whether the client spoke TLS.
    pub secure: bool,
}

/// Appends to `out` the head that a server gets for `request`: HTTP/1.1 in origin form, ready for the body in the
/// same framing. X-Forwarded-For is appended to, X-Forwarded-Proto and X-Forwarded-Host are set.
pub fn request(request: &Request<'_, '_>, facts: &RequestFacts<'_>, origin: Origin<'_>, out: &mut Vec<u8>) {
    let mut runs = Runs { head: request.bytes, from: 0, out };
    if request.version == Version::Http10 || facts.path.is_some() {
        runs.from = runs.offset(request.headers.first());
        let target = facts.path.unwrap_or(request.target);
        // An origin form begins with a slash, which `http://host?query` may leave out (RFC 9112 §3.2.1).
        let slash = if target.starts_with('?') { "/" } else { "" };
        let line = [request.method, " ", slash, target, " HTTP/1.1\r\n"];
        line.iter().for_each(|part| runs.out.extend_from_slice(part.as_bytes()));
    }
    // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that expectation"
    // (RFC 9110 §10.1.1).
    let keeps_expect = request.version == Version::Http11;
    let keeps_host = facts.path.is_none() && !facts.connect;
    let mut forwarded_for = false;
    for (at, header) in request.headers.iter().enumerate() {
        let keep = match Field::of(header.name) {
            Field::ContentLength => true,
            Field::Expect => keeps_expect,
            Field::Host => keeps_host,
            Field::Other if facts.forwards.is_some() && header.name.eq_ignore_ascii_case("max-forwards") => {
                false
            }
            Field::Date | Field::Other => !facts.names_fields || !is_named(header.name, request.headers),
            Field::ForwardedFor => {
                forwarded_for = true;
                false
            }
            Field::Connection
            | Field::ForwardedHost
            | Field::ForwardedProto
            | Field::Hop
            | Field::Lookalike
            | Field::Te
            | Field::TransferEncoding => false,
            Field::Upgrade => facts.upgrade,
        };
        if !keep {
            runs.skip(request.headers, at);
        }
    }
    runs.finish();
    if !keeps_host || facts.host.is_none() {
        field(out, "Host: ", facts.host.unwrap_or(origin.host.as_bytes()));
    }
    out.extend_from_slice(b"X-Forwarded-For: ");
    if forwarded_for {
        earlier_hops(request.headers, out);
    }
    out.extend_from_slice(origin.client.as_bytes());
    out.extend_from_slice(b"\r\nX-Forwarded-Proto: http");
    out.extend_from_slice(if origin.secure { b"s\r\n" } else { b"\r\n" });
    if let Some(host) = facts.host {
        field(out, "X-Forwarded-Host: ", host);
    }
    if let Some(forwards) = facts.forwards {
        // "an intermediary ... MUST ... generate an updated Max-Forwards field" (RFC 9110 §7.6.2).
        field(out, "Max-Forwards: ", forwards.saturating_sub(1).to_string().as_bytes());
    }
    if facts.body == Body::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    if facts.trailers {
        out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
    }
    if facts.upgrade {
        out.extend_from_slice(b"Connection: upgrade\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// How a body is written to whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Its bytes, delimited by Content-Length or by the end of the connection.
    Raw,
    /// In chunks.
    Chunked {
        /// Trailers are passed on.
        trailers: bool,
    },
}

/// The client that a response goes to.
#[derive(Clone, Copy, Debug)]
pub struct Toward {
    /// Its version: HTTP/1.0 does not know chunks.
    pub version: Version,
    /// The connection should live on after this response, as far as the client and we are concerned.
    pub persistent: bool,
}

impl Toward {
    /// How the body is delivered, and whether the connection lives on afterwards.
    #[must_use]
    pub fn deliver(self, facts: &ResponseFacts) -> (Delivery, bool) {
        let chunked = Delivery::Chunked { trailers: !facts.names_fields };
        match (facts.body, self.version) {
            (Body::Empty | Body::Length(_), _) => (Delivery::Raw, self.persistent),
            (Body::Chunked | Body::UntilClose, Version::Http11) => (chunked, self.persistent),
            (Body::Chunked | Body::UntilClose, Version::Http10) => (Delivery::Raw, false),
        }
    }
}

/// Appends to `out` the head that the client gets for `response`, which came at `now`.
pub fn response(
    response: &Response<'_, '_>,
    facts: &ResponseFacts,
    toward: Toward,
    now: &Date,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"HTTP/1.1");
    let mut runs = Runs { head: response.bytes, from: b"HTTP/1.1".len(), out };
    let mut dated = false;
    for (at, header) in response.headers.iter().enumerate() {
        let field = Field::of(header.name);
        let keep = match field {
            Field::ContentLength => facts.keeps_length,
            Field::Connection | Field::Hop | Field::Lookalike | Field::Te | Field::TransferEncoding => false,
            Field::Upgrade => response.status == 101,
            Field::Date
            | Field::Expect
            | Field::ForwardedFor
            | Field::ForwardedHost
            | Field::ForwardedProto
            | Field::Host
            | Field::Other => !facts.names_fields || !is_named(header.name, response.headers),
        };
        dated |= keep && field == Field::Date;
        if !keep {
            runs.skip(response.headers, at);
        } else if !runs.is_tight(header) {
            runs.skip(response.headers, at);
            let line = [header.name.as_bytes(), b": ", header.value, b"\r\n"];
            line.iter().for_each(|part| runs.out.extend_from_slice(part));
        }
    }
    runs.finish();
    // "A recipient with a clock that receives a response message without a Date header field MUST ... append a
    // corresponding Date header field to the message's header section if it is cached or forwarded downstream"
    // (RFC 9110 §6.6.1). An interim one may have none.
    if !dated && response.status >= 200 {
        out.extend_from_slice(now.field());
    }
    // An interim response says nothing about the connection (RFC 9110 §15.2), and behind a tunnel's there is none.
    if response.status >= 200 && !facts.switches {
        let (delivery, persistent) = toward.deliver(facts);
        if matches!(delivery, Delivery::Chunked { .. }) {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        if !persistent {
            out.extend_from_slice(b"Connection: close\r\n");
        } else if toward.version == Version::Http10 {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
    } else if response.status == 101 {
        out.extend_from_slice(b"Connection: upgrade\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Copies the lines that stay, in runs as long as they come.
struct Runs<'a> {
    head: &'a [u8],
    /// Where the run in hand begins.
    from: usize,
    out: &'a mut Vec<u8>,
}

impl Runs<'_> {
    fn skip(&mut self, headers: &[Header<'_>], at: usize) {
        let line = self.offset(headers.get(at));
        self.out.extend_from_slice(&self.head[self.from..line]);
        self.from = self.offset(headers.get(at + 1));
    }

    /// Whether the colon comes directly behind the name.
    fn is_tight(&self, header: &Header<'_>) -> bool {
        self.head.get(self.offset(Some(header)) + header.name.len()) == Some(&b':')
    }

    fn finish(self) {
        self.out.extend_from_slice(&self.head[self.from..self.head.len() - 2]);
    }

    /// Where a header's line begins in the head; the empty line behind the last one.
    fn offset(&self, header: Option<&Header<'_>>) -> usize {
        header.map_or(self.head.len() - 2, |header| header.name.as_ptr().addr() - self.head.as_ptr().addr())
    }
}

/// Whether Connection names this field, so that it ends here (RFC 9110 §7.6.1).
#[cold]
fn is_named(name: &str, headers: &[Header<'_>]) -> bool {
    let connection = headers.iter().filter(|header| Field::of(header.name) == Field::Connection);
    connection
        .flat_map(|header| members(header.value))
        .any(|option| option.eq_ignore_ascii_case(name.as_bytes()))
}

fn earlier_hops(headers: &[Header<'_>], out: &mut Vec<u8>) {
    for header in headers.iter().filter(|header| Field::of(header.name) == Field::ForwardedFor) {
        if !header.value.is_empty() {
            out.extend_from_slice(header.value);
            out.extend_from_slice(b", ");
        }
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
