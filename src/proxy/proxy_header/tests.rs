//! Headers as the specification has them, cut anywhere, and as it forbids them.

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn client(source: &str, destination: &str) -> Header {
    Header::Client { source: at(source), destination: at(destination) }
}

/// Version 2 with `block` behind its fixed part.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("a short one").to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, block].concat()
}

/// Whole, with bytes behind it, and incomplete at every cut.
fn understood(bytes: &[u8], expected: Header) {
    assert_eq!(parse(bytes), Ok(Some((expected, bytes.len()))), "{}", bytes.escape_ascii());
    assert_eq!(parse(&[bytes, b"GET / HTTP/1.1\r\n"].concat()), Ok(Some((expected, bytes.len()))));
    for cut in 0..bytes.len() {
        assert_eq!(parse(&bytes[..cut]), Ok(None), "{}", bytes[..cut].escape_ascii());
    }
}

#[test]
fn lines_are_understood() {
    let tcp4 = client("192.0.2.7:56324", "198.51.100.1:443");
    understood(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", tcp4);
    understood(b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", client("[2001:db8::7]:0", "[::1]:65535"));
    understood(b"PROXY UNKNOWN\r\n", Header::Nobody);
    let most = format!("PROXY UNKNOWN {}\r\n", "f".repeat(MAX_LINE - 16));
    understood(most.as_bytes(), Header::Nobody);
}

#[test]
fn lines_that_are_none_are_refused() {
    for line in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 \r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.07 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +6324 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 06324 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 65536\r\n",
        "PROXY TCP4 ::1 ::1 1 1\r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.8 1 1\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 1\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n",
        "PROXY TCP4 192.0.2.7\r198.51.100.1",
    ] {
        assert_eq!(parse(line.as_bytes()), Err(Malformed::Line), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}", "f".repeat(MAX_LINE));
    assert_eq!(parse(long.as_bytes()), Err(Malformed::LongLine));
    for other in ["GET / HTTP/1.1\r\n", "proxy TCP4", "\r\n\r\n\0\r\nQUIT\r", "\x16\x03\x01"] {
        assert_eq!(parse(other.as_bytes()), Err(Malformed::NoHeader), "{other:?}");
    }
}

const BLOCK_4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB];

#[test]
fn binary_headers_are_understood() {
    let tcp4 = client("192.0.2.7:56324", "198.51.100.1:443");
    understood(&v2(0x21, 0x11, &BLOCK_4), tcp4);
    let noop = [&BLOCK_4[..], &[0x04, 0, 2, 0, 0], &[0x20, 0, 0]].concat();
    understood(&v2(0x21, 0x11, &noop), tcp4);
    let six = [&Ipv6Addr::LOCALHOST.octets()[..], &Ipv6Addr::UNSPECIFIED.octets(), &[0, 1, 0, 2]].concat();
    understood(&v2(0x21, 0x21, &six), client("[::1]:1", "[::]:2"));
    for (command, family, length) in [
        (0x20, 0, 0),
        (0x20, 0x41, 3),
        (0x21, 0, 0),
        (0x21, 0, 9),
        (0x21, 0x12, 12),
        (0x21, 0x22, 36),
        (0x21, 0x31, 216),
    ] {
        understood(&v2(command, family, &vec![0; length]), Header::Nobody);
    }
    understood(&v2(0x20, 0, &vec![7; MAX_BINARY - FIXED]), Header::Nobody);
}

#[test]
fn binary_headers_that_are_none_are_refused() {
    let refused = |bytes: &[u8], why| assert_eq!(parse(bytes), Err(why), "{}", bytes.escape_ascii());
    refused(&v2(0x11, 0x11, &BLOCK_4), Malformed::Command(0x11));
    refused(&v2(0x22, 0x11, &BLOCK_4), Malformed::Command(0x22));
    refused(&v2(0x21, 0x41, &BLOCK_4), Malformed::Family(0x41));
    refused(&v2(0x21, 0x10, &BLOCK_4), Malformed::Family(0x10));
    refused(&v2(0x21, 0x11, &BLOCK_4[..11]), Malformed::Length(11));
    refused(&v2(0x21, 0x21, &BLOCK_4), Malformed::Length(12));
    refused(&v2(0x20, 0, &vec![0; MAX_BINARY])[..FIXED], Malformed::Length(4096));
    for tail in [&[0x04][..], &[0x04, 0, 1], &[0x03, 0, 3, 0, 0, 0]] {
        refused(&v2(0x21, 0x11, &[&BLOCK_4[..], tail].concat()), Malformed::Extension);
    }
}

#[test]
fn a_checksum_is_checked_where_there_is_one() {
    // RFC 3720 appendix B.4: 32 bytes of zeros.
    assert_eq!(crc32c(&[0; 32], 32), 0x8A91_36AA);
    let mut bytes = v2(0x21, 0x11, &[&BLOCK_4[..], &[TLV_CRC32C, 0, 4, 0, 0, 0, 0]].concat());
    let hole = bytes.len() - 4;
    assert_eq!(parse(&bytes), Err(Malformed::Checksum));
    let sum = crc32c(&bytes, hole).to_be_bytes();
    bytes[hole..].copy_from_slice(&sum);
    understood(&bytes, client("192.0.2.7:56324", "198.51.100.1:443"));
    bytes[20] ^= 1;
    assert_eq!(parse(&bytes), Err(Malformed::Checksum));
}

#[test]
fn what_is_emitted_is_understood() {
    let pairs = [("192.0.2.7:1", "198.51.100.1:80"), ("[2001:db8::7]:1", "[::1]:80")];
    for version in [SendProxy::V1, SendProxy::V2] {
        let emitted = |ends| {
            let mut out = Vec::new();
            emit(version, ends, &mut out);
            out
        };
        for (source, destination) in pairs {
            understood(&emitted(Some((at(source), at(destination)))), client(source, destination));
        }
        let mapped = emitted(Some((at("[::ffff:192.0.2.7]:1"), at("198.51.100.1:80"))));
        understood(&mapped, client("192.0.2.7:1", "198.51.100.1:80"));
        for nobody in [None, Some((at("192.0.2.7:1"), at("[::1]:80")))] {
            assert_eq!(emitted(nobody), version.nobody());
            understood(&emitted(nobody), Header::Nobody);
        }
    }
}
