//! What can be wrong with a message, in words for the one who sent it.

use std::fmt;

/// Why a head or a chunked body is refused. From a client it means [`Malformed::status`], from a server 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The first byte cannot begin an HTTP message; TLS on a plain port looks like this.
    NotHttp,
    /// More than one empty line before the first line.
    EmptyLines,
    /// A line ends with LF alone.
    BareLineFeed,
    /// A CR that is not followed by LF.
    BareCarriageReturn,
    /// A line begins with a space or a tab: obsolete line folding, or a space before the first header.
    FoldedLine,
    /// White space between a header's name and the colon.
    SpaceBeforeColon,
    /// A header's name is empty or has a byte that is not allowed in it.
    HeaderName,
    /// A header's value has a control character.
    HeaderValue,
    /// White space before or behind a header's value, where there is no line that it could belong to: in HTTP/2.
    PaddedValue,
    /// The first line is not `method SP target SP version`.
    RequestLine,
    /// The first line is not `version SP status SP reason`.
    StatusLine,
    /// The status is not in 100..=599.
    Status,
    /// The target is not `/path`, `http://host/path`, or `*` for OPTIONS, or has bytes that are not allowed in it.
    Target,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// More than one Host.
    HostTwice,
    /// Host is not `name[:port]`.
    Host,
    /// Content-Length is not one decimal number of at most 18 digits.
    ContentLength,
    /// More than one Content-Length.
    ContentLengthTwice,
    /// Both Content-Length and Transfer-Encoding.
    LengthAndCoding,
    /// Content_Length or Transfer_Encoding, which applications behind a gateway cannot tell from the real one.
    Lookalike,
    /// Transfer-Encoding in a message of HTTP/1.0, which does not know it.
    CodingInOldVersion,
    /// Transfer-Encoding whose last coding is not one plain `chunked`.
    TransferEncoding,
    /// A well-formed transfer coding besides `chunked`: not implemented here.
    UnknownCoding,
    /// A version other than 1.0 and 1.1.
    Version,
    /// CONNECT where there are no tunnels.
    Connect,
    /// CONNECT with Content-Length or Transfer-Encoding.
    ConnectBody,
    /// 101 from a server that nobody asked to switch.
    Switched,
    /// The head is longer than the limit.
    HeadTooLong,
    /// The head has more header lines than the limit.
    TooManyHeaders,
    /// A chunk's size is not 1 to 15 hexadecimal digits directly before CRLF or `;`.
    ChunkSize,
    /// A chunk's extension has a control character or is longer than 256 bytes.
    ChunkExtension,
    /// A chunk's data is not followed by CRLF.
    ChunkEnd,
    /// A trailer line is malformed or the trailers are longer than 8 KiB.
    Trailer,
}

impl Malformed {
    /// The status that a client is answered with (RFC 9110 §15.5 and §15.6, RFC 6585 §5).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::HeadTooLong | Self::TooManyHeaders => 431,
            Self::UnknownCoding | Self::Connect => 501,
            Self::Version => 505,
            Self::NotHttp
            | Self::EmptyLines
            | Self::BareLineFeed
            | Self::BareCarriageReturn
            | Self::FoldedLine
            | Self::SpaceBeforeColon
            | Self::HeaderName
            | Self::HeaderValue
            | Self::PaddedValue
            | Self::RequestLine
            | Self::StatusLine
            | Self::Status
            | Self::Target
            | Self::HostMissing
            | Self::HostTwice
            | Self::Host
            | Self::ContentLength
            | Self::ContentLengthTwice
            | Self::LengthAndCoding
            | Self::Lookalike
            | Self::CodingInOldVersion
            | Self::TransferEncoding
            | Self::ConnectBody
            | Self::Switched
            | Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkEnd
            | Self::Trailer => 400,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "not HTTP (TLS to a plain port?)",
            Self::EmptyLines => "empty lines before the first line",
            Self::BareLineFeed => "a line ends with LF alone",
            Self::BareCarriageReturn => "a CR without LF",
            Self::FoldedLine => "a header line begins with white space",
            Self::SpaceBeforeColon => "white space before a header's colon",
            Self::HeaderName => "a header's name is malformed",
            Self::HeaderValue => "a header's value has a control character",
            Self::PaddedValue => "white space around a header's value",
            Self::RequestLine => "the request line is malformed",
            Self::StatusLine => "the status line is malformed",
            Self::Status => "the status is not in 100..599",
            Self::Target => "the request target is malformed",
            Self::HostMissing => "HTTP/1.1 without Host",
            Self::HostTwice => "more than one Host",
            Self::Host => "Host is malformed",
            Self::ContentLength => "Content-Length is not one decimal number",
            Self::ContentLengthTwice => "more than one Content-Length",
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::Lookalike => "a header's name is one of framing with `_` for `-`",
            Self::CodingInOldVersion => "Transfer-Encoding in HTTP/1.0",
            Self::TransferEncoding => "Transfer-Encoding is not one final chunked",
            Self::UnknownCoding => "a transfer coding other than chunked",
            Self::Version => "a version other than HTTP/1.0 and HTTP/1.1",
            Self::Connect => "CONNECT is not served",
            Self::ConnectBody => "CONNECT with a body",
            Self::Switched => "101 without a request to switch",
            Self::HeadTooLong => "the head is too long",
            Self::TooManyHeaders => "too many header lines",
            Self::ChunkSize => "a chunk's size is malformed",
            Self::ChunkExtension => "a chunk's extension is malformed or too long",
            Self::ChunkEnd => "a chunk is longer than its size",
            Self::Trailer => "the trailers are malformed or too long",
        })
    }
}

impl std::error::Error for Malformed {}
