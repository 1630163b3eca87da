//! What a head means: how long its body is, whether the connection lives on, which fields end here.

use httparse::Header;

use super::field::{Field, members};
use super::{Delivery, Malformed, Request, Response, Version};

/// How a body is delimited (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Empty,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection closes; responses only.
    UntilClose,
}

/// What a request's head means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts<'b> {
    /// How the body is delimited.
    pub body: Body,
    /// The client wants the connection to live on.
    pub persistent: bool,
    /// The method is HEAD: its response has no body, whatever its head says.
    pub is_head: bool,
    /// The request may be sent twice (RFC 9110 §9.2.2).
    pub is_idempotent: bool,
    /// The client asks for another protocol on this connection, and may have it.
    pub upgrade: bool,
    /// CONNECT: the client asks for a tunnel to [`RequestFacts::host`].
    pub connect: bool,
    /// The client sends its body when a server has told it to go on, if one does; the servers are told so (RFC 9110
    /// §10.1.1).
    pub expects: bool,
    /// The client takes trailers.
    pub(super) trailers: bool,
    /// The host that is asked for: out of the target if it is there, else of Host.
    pub host: Option<&'b [u8]>,
    /// The target in origin form if it came in absolute form.
    pub(super) path: Option<&'b str>,
    /// Connection names fields besides the ones that end here anyway.
    pub(super) names_fields: bool,
    /// How often a TRACE or OPTIONS may still be passed on; 0: not by us either (RFC 9110 §7.6.2).
    pub forwards: Option<u64>,
}

impl RequestFacts<'_> {
    /// How the body is written to the server: framed as it came.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self.body {
            // Connection may name trailers as well; which ones, nobody remembers then.
            Body::Chunked => Delivery::Chunked { trailers: !self.names_fields },
            Body::Empty | Body::Length(_) | Body::UntilClose => Delivery::Raw,
        }
    }
}

impl<'b> Request<'_, 'b> {
    /// Reads what the head means where nobody may have a tunnel.
    ///
    /// # Errors
    /// Framing that two readers could take differently, a missing or second Host, a target that is not one, CONNECT.
    pub fn facts(&self) -> Result<RequestFacts<'b>, Malformed> {
        self.facts_with(false)
    }

    /// Reads what the head means; `tunnels`: CONNECT is allowed.
    ///
    /// # Errors
    /// As [`Request::facts`], and CONNECT that announces a body: "A CONNECT request message does not have content"
    /// (RFC 9110 §9.3.6), and a reader that takes what follows for one sees other requests than we do.
    pub fn facts_with(&self, tunnels: bool) -> Result<RequestFacts<'b>, Malformed> {
        let common = Common::read(self.headers, self.version)?;
        let connect = self.method == "CONNECT";
        let (authority, path) = match connect {
            true if tunnels => (Some(tunnel_target(self.target)?), None),
            true => return Err(Malformed::Connect),
            false => target(self.method, self.target)?,
        };
        if connect && (common.length.is_some() || common.chunked) {
            return Err(Malformed::ConnectBody);
        }
        let host = common.host()?;
        if host.is_none() && self.version == Version::Http11 {
            return Err(Malformed::HostMissing);
        }
        let body = match (common.length, common.chunked) {
            (_, true) => Body::Chunked,
            (None | Some(0), false) => Body::Empty,
            (Some(length), false) => Body::Length(length),
        };
        let known = self.version == Version::Http11;
        Ok(RequestFacts {
            body,
            // "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request" (RFC 9110 §7.8).
            // It may ignore any other one too, and a tunnel behind a body has no user.
            upgrade: common.upgrade && known && !connect && body == Body::Empty && upgrades(self.headers),
            connect,
            expects: common.expects && known,
            trailers: common.te && known && welcomes_trailers(self.headers),
            persistent: common.persistent,
            is_head: self.method == "HEAD",
            is_idempotent: matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"),
            // "When a proxy receives a request with an absolute-form of request-target, the proxy MUST ignore the
            // received Host header field (if any) and instead replace it" (RFC 9112 §3.2.2). An authority form says
            // it all the more.
            host: authority.or(host),
            path,
            names_fields: common.names_fields,
            forwards: matches!(self.method, "TRACE" | "OPTIONS").then(|| forwards(self.headers)).flatten(),
        })
    }
}

/// The smallest number of Max-Forwards; what is not a number is passed on as it is.
fn forwards(headers: &[Header<'_>]) -> Option<u64> {
    let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("max-forwards"));
    let number = |header: &Header<'_>| {
        let text = std::str::from_utf8(header.value).ok()?.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit are more steps than there are.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    named.filter_map(number).min()
}

/// What a response is an answer to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answering {
    /// The method was HEAD.
    pub is_head: bool,
    /// The request asked for another protocol.
    pub upgrade: bool,
    /// The method was CONNECT.
    pub connect: bool,
}

/// What a response's head means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFacts {
    /// How the body is delimited.
    pub body: Body,
    /// The server wants the connection to live on.
    pub persistent: bool,
    /// 101, or 2xx to CONNECT: the connection is something else from here on.
    pub switches: bool,
    /// Content-Length is passed on: not in 1xx and 204, where it must not be.
    pub(super) keeps_length: bool,
    /// Connection names fields besides the ones that end here anyway.
    pub(super) names_fields: bool,
}

impl Response<'_, '_> {
    /// Reads what the head means.
    ///
    /// # Errors
    /// Framing that two readers could take differently, and 101 that nobody asked for or that does not say to what.
    pub fn facts(&self, to: Answering) -> Result<ResponseFacts, Malformed> {
        let common = Common::read(self.headers, self.version)?;
        if self.status == 101 && !(to.upgrade && upgrades(self.headers)) {
            return Err(Malformed::Switched);
        }
        // "A client MUST ignore any Content-Length or Transfer-Encoding header fields received in a successful response
        // to CONNECT" (RFC 9110 §9.3.6): what our client does not see, it cannot take for something.
        let tunnels = to.connect && (200..300).contains(&self.status);
        let switches = self.status == 101 || tunnels;
        let bodiless = self.status < 200 || self.status == 204 || tunnels;
        let body = match (common.length, common.chunked) {
            _ if bodiless || to.is_head || self.status == 304 => Body::Empty,
            (_, true) => Body::Chunked,
            (Some(0), false) => Body::Empty,
            (Some(length), false) => Body::Length(length),
            (None, false) => Body::UntilClose,
        };
        Ok(ResponseFacts {
            body,
            switches,
            persistent: common.persistent && body != Body::UntilClose,
            keeps_length: !bodiless,
            names_fields: common.names_fields,
        })
    }
}

/// What requests and responses have in common.
struct Common<'b> {
    /// The Host, and whether there was another one.
    host: Option<&'b [u8]>,
    host_twice: bool,
    length: Option<u64>,
    chunked: bool,
    persistent: bool,
    names_fields: bool,
    /// Connection names Upgrade, or TE: only then they are meant for this hop (RFC 9110 §7.8, §10.1.4).
    upgrade: bool,
    te: bool,
    /// Expect has 100-continue.
    expects: bool,
}

impl<'b> Common<'b> {
    fn read(headers: &[Header<'b>], version: Version) -> Result<Self, Malformed> {
        let mut common = Self {
            host: None,
            host_twice: false,
            length: None,
            chunked: false,
            persistent: version == Version::Http11,
            names_fields: false,
            upgrade: false,
            te: false,
            expects: false,
        };
        let mut coding = None;
        let mut closes = false;
        for header in headers {
            match Field::of(header.name) {
                Field::ContentLength if common.length.is_some() => return Err(Malformed::ContentLengthTwice),
                Field::ContentLength => common.length = Some(length(header.value)?),
                Field::TransferEncoding if coding.is_some() => return Err(Malformed::TransferEncoding),
                Field::TransferEncoding => coding = Some(header.value),
                Field::Lookalike => return Err(Malformed::Lookalike),
                Field::Connection => closes |= common.connection(header.value),
                Field::Host => common.host_twice |= common.host.replace(header.value).is_some(),
                Field::Expect => common.expects |= members(header.value).any(is_continue),
                Field::Date
                | Field::ForwardedFor
                | Field::ForwardedHost
                | Field::ForwardedProto
                | Field::Te
                | Field::Upgrade
                | Field::Hop
                | Field::Other => {}
            }
        }
        common.persistent &= !closes;
        if let Some(coding) = coding {
            common.coding(coding, version)?;
        }
        Ok(common)
    }

    /// The Host of a request. An answer may have as many as it likes, of any form: it means nothing there.
    fn host(&self) -> Result<Option<&'b [u8]>, Malformed> {
        match self.host {
            Some(_) if self.host_twice => Err(Malformed::HostTwice),
            Some(host) if !is_host(host) => Err(Malformed::Host),
            host => Ok(host),
        }
    }

    /// Reads one Connection field; whether it says `close`, which wins over everything else.
    fn connection(&mut self, value: &[u8]) -> bool {
        let mut closes = false;
        for option in members(value) {
            if option.eq_ignore_ascii_case(b"close") {
                closes = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.persistent = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if option.eq_ignore_ascii_case(b"te") {
                self.te = true;
            } else if !option.is_empty() {
                self.names_fields = true;
            }
        }
        closes
    }

    /// RFC 9112 §6.1 and §6.3, without the leniency they allow.
    fn coding(&mut self, value: &[u8], version: Version) -> Result<(), Malformed> {
        if version == Version::Http10 {
            return Err(Malformed::CodingInOldVersion);
        }
        if self.length.is_some() {
            return Err(Malformed::LengthAndCoding);
        }
        self.chunked = value.eq_ignore_ascii_case(b"chunked");
        if self.chunked {
            return Ok(());
        }
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let last = members(value).last().is_some_and(is_chunked);
        let once = members(value).filter(|coding| is_chunked(coding)).count() == 1;
        let plain = members(value).all(|coding| !coding.is_empty() && coding.iter().all(is_token));
        Err(if last && once && plain { Malformed::UnknownCoding } else { Malformed::TransferEncoding })
    }
}

/// Whether there is one Upgrade field, with one protocol that can be tunnelled. h2c cannot: requests would go by unseen,
/// and RFC 9113 §3.1 has taken it back.
fn upgrades(headers: &[Header<'_>]) -> bool {
    let mut fields = headers.iter().filter(|header| Field::of(header.name) == Field::Upgrade);
    let (Some(field), None) = (fields.next(), fields.next()) else { return false };
    let part = |part: &[u8]| !part.is_empty() && part.iter().all(is_token);
    let mut parts = field.value.splitn(2, |b| *b == b'/');
    parts.all(part) && !field.value.eq_ignore_ascii_case(b"h2c")
}

fn welcomes_trailers(headers: &[Header<'_>]) -> bool {
    let mut te = headers.iter().filter(|header| Field::of(header.name) == Field::Te);
    te.any(|header| members(header.value).any(|member| member.eq_ignore_ascii_case(b"trailers")))
}

fn is_continue(expectation: &[u8]) -> bool {
    expectation.eq_ignore_ascii_case(b"100-continue")
}

fn is_token(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b)
}

fn length(value: &[u8]) -> Result<u64, Malformed> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let read = || value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    digits.then(read).ok_or(Malformed::ContentLength)
}

/// The authority and the path of an absolute-form target; neither for the other forms (RFC 9112 §3.2).
fn target<'b>(method: &str, target: &'b str) -> Result<(Option<&'b [u8]>, Option<&'b str>), Malformed> {
    // As HAProxy has it: printable ASCII without a fragment. Some servers cut at `#` and some do not.
    if !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(Malformed::Target);
    }
    if target.starts_with('/') || target == "*" && method == "OPTIONS" {
        return Ok((None, None));
    }
    let scheme = target.find("://").ok_or(Malformed::Target)?;
    if !target[..scheme].eq_ignore_ascii_case("http") && !target[..scheme].eq_ignore_ascii_case("https") {
        return Err(Malformed::Target);
    }
    let rest = &target[scheme + 3..];
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.is_empty() || authority.starts_with(':') || !is_host(authority.as_bytes()) {
        return Err(Malformed::Target);
    }
    // "If a proxy receives an OPTIONS request with an absolute-form of request-target in which the URI has an empty
    // path and no query component, then the last proxy on the request chain MUST send a request-target of "*""
    // (RFC 9112 §3.2.4).
    let path = match path {
        "" if method == "OPTIONS" => "*",
        "" => "/",
        path => path,
    };
    Ok((Some(authority.as_bytes()), Some(path)))
}

/// "authority-form = uri-host ":" port" (RFC 9112 §3.2.3); neither may be empty.
fn tunnel_target(target: &str) -> Result<&[u8], Malformed> {
    let authority = target.as_bytes();
    let (host, port) = target.rsplit_once(':').ok_or(Malformed::Target)?;
    let numbered =
        port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if host.is_empty() || !numbered || !is_host(authority) { Err(Malformed::Target) } else { Ok(authority) }
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2): a name, an IPv4 address or an IPv6 address in brackets. Nothing in it can be
/// taken for the end of an authority, a list or user information.
fn is_host(value: &[u8]) -> bool {
    let named = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(b);
    let literal = |b: &u8| b.is_ascii_hexdigit() || b":.".contains(b);
    let (host, port) = match value.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            (end > 0 && rest[..end].iter().all(literal), &rest[end + 1..])
        }
        None => {
            let (name, port) = value.split_at(memchr::memchr(b':', value).unwrap_or(value.len()));
            (name.iter().all(named), port)
        }
    };
    host && (port.is_empty() || port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit))
}
