//! Trailer fields (RFC 9110 §6.5): which lines are well-formed, and which may be passed on.

use super::field::Field;

/// A trailer line without its CRLF, when it is `field-name ":" field-value`; whether it may be passed on.
///
/// "A sender MUST NOT generate a trailer field unless the sender knows the corresponding header field name's definition
/// permits a trailer field section" (RFC 9110 §6.5.1). What an application means by a field, a proxy does not know; what
/// would frame, route, authorise or control the message, when a server merges trailers into its header, ends here.
pub(super) fn check(line: &[u8]) -> Option<bool> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]);
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let printable = |b: &u8| *b == b'\t' || *b >= b' ' && *b != 0x7f;
    if name.is_empty() || !name.bytes().all(token) || !value.iter().all(printable) {
        return None;
    }
    let ours = Field::of(name) != Field::Other;
    Some(!ours && !CONTROL.iter().any(|field| name.eq_ignore_ascii_case(field)))
}

/// Fields that only make sense before the content: routing, authentication, modifiers of the request, control of the
/// response, and what says how to read the content.
const CONTROL: [&str; 25] = [
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expires",
    "forwarded",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "trailer",
    "vary",
    "warning",
    "www-authenticate",
];
