//! The header of the PROXY protocol, versions 1 and 2: who the client of a connection is, by the account of the proxy
//! before us (HAProxy's proxy-protocol.txt).
//!
//! Bytes in, meaning out; no I/O. A header is believed or not by whoever reads it from a socket.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::pool::{SIGNATURE, SendProxy};

/// The longest line of version 1, its end included (§2.1).
pub const MAX_LINE: usize = 107;
/// The longest header of version 2 that is taken. Addresses need 52 bytes, those of Unix 232; the rest is for TLVs, of
/// which a client's certificate is the longest.
pub const MAX_BINARY: usize = 4096;

const LINE: &[u8] = b"PROXY ";
/// Of version 2: signature, command, family, length.
const FIXED: usize = 16;
const TLV_CRC32C: u8 = 0x03;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Nothing: the connection is the sender's own (LOCAL), or its client is of a kind that we do not know (UNKNOWN,
    /// UNSPEC, UDP, Unix). The addresses of the socket stay.
    Nobody,
    /// The client, and what it connected to.
    Client {
        /// The client.
        source: SocketAddr,
        /// What it connected to.
        destination: SocketAddr,
    },
}

/// A header that is none: the sender's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Neither version begins like this.
    NoHeader,
    /// Version 1: no end within 107 bytes.
    LongLine,
    /// Version 1: not two addresses and two ports of the family that it names, or of a family that there is not.
    Line,
    /// Version 2: not the version, or not a command that there is.
    Command(u8),
    /// Version 2: not a family or a transport that there is.
    Family(u8),
    /// Version 2: too short for its addresses, or longer than [`MAX_BINARY`].
    Length(u16),
    /// Version 2: an extension reaches beyond the end.
    Extension,
    /// Version 2: the checksum is not that of the header.
    Checksum,
}

/// The header at the beginning of `bytes` and its length. `None`: all of `bytes` belongs to a header that has not come
/// whole.
///
/// # Errors
/// As soon as it can be told that there is none.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(is, must)| is == must);
    if begins(LINE) {
        line(bytes)
    } else if begins(&SIGNATURE) {
        binary(bytes)
    } else {
        Err(Malformed::NoHeader)
    }
}

/// Appends the header that tells a server of `ends`, the client and what it connected to. Addresses of two families
/// cannot be said; IPv4 in IPv6 is IPv4.
pub fn emit(version: SendProxy, ends: Option<(SocketAddr, SocketAddr)>, out: &mut Vec<u8>) {
    let ends =
        ends.map(|(from, to)| ((from.ip().to_canonical(), from.port()), (to.ip().to_canonical(), to.port())));
    match (ends, version) {
        (Some(((IpAddr::V4(source), from), (IpAddr::V4(destination), to))), SendProxy::V1) => {
            out.extend_from_slice(format!("PROXY TCP4 {source} {destination} {from} {to}\r\n").as_bytes());
        }
        (Some(((IpAddr::V6(source), from), (IpAddr::V6(destination), to))), SendProxy::V1) => {
            out.extend_from_slice(format!("PROXY TCP6 {source} {destination} {from} {to}\r\n").as_bytes());
        }
        (Some(((IpAddr::V4(source), from), (IpAddr::V4(destination), to))), SendProxy::V2) => {
            emit_binary(0x11, &source.octets(), &destination.octets(), [from, to], out);
        }
        (Some(((IpAddr::V6(source), from), (IpAddr::V6(destination), to))), SendProxy::V2) => {
            emit_binary(0x21, &source.octets(), &destination.octets(), [from, to], out);
        }
        (Some(_) | None, _) => out.extend_from_slice(version.nobody()),
    }
}

fn emit_binary(family: u8, source: &[u8], destination: &[u8], ports: [u16; 2], out: &mut Vec<u8>) {
    let length = if family == 0x11 { 12 } else { 36 };
    out.extend_from_slice(&SIGNATURE);
    out.extend_from_slice(&[0x21, family, 0, length]);
    out.extend_from_slice(source);
    out.extend_from_slice(destination);
    out.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
}

/// §2.1.
fn line(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let within = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        // The carriage return of the end may have come alone.
        let (before, _) = within.split_at(within.len().saturating_sub(1));
        return match within {
            _ if ends_a_line(before) || within.ends_with(b"\n") => Err(Malformed::Line),
            _ if within.len() == MAX_LINE => Err(Malformed::LongLine),
            _ => Ok(None),
        };
    };
    let text = &bytes[LINE.len()..end];
    let header = match text {
        _ if ends_a_line(text) => None,
        b"UNKNOWN" => Some(Header::Nobody),
        _ if text.starts_with(b"UNKNOWN ") => Some(Header::Nobody),
        _ => std::str::from_utf8(text).ok().and_then(addresses),
    };
    header.map(|header| Some((header, end + 2))).ok_or(Malformed::Line)
}

fn ends_a_line(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

fn addresses(text: &str) -> Option<Header> {
    let mut words = text.split(' ');
    let family = words.next()?;
    let mut address = || {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (address()?, address()?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
    let header = Header::Client {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    };
    words.next().is_none().then_some(header)
}

/// Digits, without a sign and without zeros in front.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}

/// §2.2.
fn binary(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let Some(&command) = bytes.get(12) else { return Ok(None) };
    if !matches!(command, 0x20 | 0x21) {
        return Err(Malformed::Command(command));
    }
    let Some(&family) = bytes.get(13) else { return Ok(None) };
    let is_local = command == 0x20;
    // UNSPEC has no addresses that we know; what is behind the fixed part is its own matter. So it is for LOCAL.
    let needed = match family {
        _ if is_local => None,
        0x00 => None,
        0x11 | 0x12 => Some(12),
        0x21 | 0x22 => Some(36),
        0x31 | 0x32 => Some(216),
        _ => return Err(Malformed::Family(family)),
    };
    let Some(&[high, low]) = bytes.get(14..FIXED) else { return Ok(None) };
    let length = u16::from_be_bytes([high, low]);
    let end = FIXED + usize::from(length);
    if end > MAX_BINARY || needed.is_some_and(|needed| usize::from(length) < needed) {
        return Err(Malformed::Length(length));
    }
    let Some(header) = bytes.get(..end) else { return Ok(None) };
    let Some(needed) = needed else { return Ok(Some((Header::Nobody, end))) };
    extensions(header, FIXED + needed)?;
    Ok(Some((ends(family, &header[FIXED..]).unwrap_or(Header::Nobody), end)))
}

/// The addresses of TCP; those of all else are not the addresses of a connection of ours.
fn ends(family: u8, block: &[u8]) -> Option<Header> {
    let (source, destination, ports): (IpAddr, IpAddr, &[u8]) = match family {
        0x11 => {
            let (source, rest) = block.split_first_chunk::<4>()?;
            let (destination, ports) = rest.split_first_chunk::<4>()?;
            ((*source).into(), (*destination).into(), ports)
        }
        0x21 => {
            let (source, rest) = block.split_first_chunk::<16>()?;
            let (destination, ports) = rest.split_first_chunk::<16>()?;
            ((*source).into(), (*destination).into(), ports)
        }
        _ => return None,
    };
    let &[a, b, c, d] = ports.first_chunk()?;
    let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(Header::Client {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    })
}

/// Walks the extensions from `at` on: type, length, value. All are skipped but the checksum (§2.2.3).
fn extensions(header: &[u8], mut at: usize) -> Result<(), Malformed> {
    while at < header.len() {
        let Some(&[kind, high, low]) = header.get(at..at + 3) else { return Err(Malformed::Extension) };
        let value = at + 3;
        at = value + usize::from(u16::from_be_bytes([high, low]));
        let Some(said) = header.get(value..at) else { return Err(Malformed::Extension) };
        if kind == TLV_CRC32C {
            let said = u32::from_be_bytes(said.try_into().map_err(|_| Malformed::Extension)?);
            if said != crc32c(header, value) {
                return Err(Malformed::Checksum);
            }
        }
    }
    Ok(())
}

/// The checksum of a header with zeros for the checksum itself, which is at `hole` (RFC 3720 appendix B.4).
fn crc32c(header: &[u8], hole: usize) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    let byte = |crc: u32, (at, byte): (usize, &u8)| {
        let byte = if (hole..hole + 4).contains(&at) { 0 } else { *byte };
        (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc))
    };
    !header.iter().enumerate().fold(u32::MAX, byte)
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => f.write_str("the connection does not begin with a PROXY header"),
            Self::LongLine => write!(f, "the line of the PROXY header does not end within {MAX_LINE} bytes"),
            Self::Line => f.write_str("the line of the PROXY header is malformed"),
            Self::Command(command) => {
                write!(f, "the PROXY header has the version and command {command:#04x}")
            }
            Self::Family(family) => write!(f, "the PROXY header has the family and transport {family:#04x}"),
            Self::Length(length) => {
                write!(f, "the PROXY header is {length} bytes long, too short for its addresses or too long")
            }
            Self::Extension => f.write_str("an extension of the PROXY header reaches beyond its end"),
            Self::Checksum => f.write_str("the checksum of the PROXY header is wrong"),
        }
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests;
