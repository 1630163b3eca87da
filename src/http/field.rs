//! The header fields that mean something to a proxy; every other one is passed on unread.

/// A header field by its meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Connection,
    ContentLength,
    /// When a response was made; one without gets ours (RFC 9110 §6.6.1).
    Date,
    Expect,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    Host,
    TransferEncoding,
    /// Content-Length or Transfer-Encoding with `_`: gateways to applications read it as `-` (RFC 3875 §4.1.18).
    Lookalike,
    /// Whether trailers are welcome (RFC 9110 §10.1.4); said anew to the next hop.
    Te,
    /// Another protocol for this connection (RFC 9110 §7.8); passed on when the request asks for it properly.
    Upgrade,
    /// Only for the next hop, and of no use to us: Keep-Alive, Proxy-Connection (RFC 9110 §7.6.1).
    Hop,
    Other,
}

impl Field {
    /// What the field of this name is; names are case-insensitive (RFC 9110 §5.1).
    #[inline]
    pub(super) fn of(name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 if is("te") => Self::Te,
            4 if is("date") => Self::Date,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") => Self::Upgrade,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Hop,
            14 if is("content-length") => Self::ContentLength,
            14 if is("content_length") => Self::Lookalike,
            15 if is("x-forwarded-for") => Self::ForwardedFor,
            16 if is("x-forwarded-host") => Self::ForwardedHost,
            16 if is("proxy-connection") => Self::Hop,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            17 if is("transfer_encoding") => Self::Lookalike,
            17 if is("x-forwarded-proto") => Self::ForwardedProto,
            _ => Self::Other,
        }
    }
}

/// The members of a comma-separated list, trimmed; empty ones are left in.
pub(super) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}
