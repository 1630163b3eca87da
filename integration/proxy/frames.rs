//! HTTP/2 frame by frame, for clients that do not keep to the rules.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::rig::Rig;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of RST_STREAM or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A block of fields as RFC 7541 §6.2.2 has it, without Huffman.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short one"));
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

pub(crate) const ASK: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a.com"), (":path", "/")];

/// A client that says what it likes.
pub(crate) struct Rude(pub(crate) TcpStream);

impl Rude {
    pub(crate) fn connect(rig: &Rig) -> Self {
        Self::over(TcpStream::connect(rig.address).expect("someone listens"))
    }

    /// Says the preface and empty settings.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        let mut client = Self(stream);
        client.send(PREFACE);
        client.send(&frame(SETTINGS, 0, 0, &[]));
        client
    }

    /// As if it had room for everything.
    pub(crate) fn open_windows(&mut self) {
        const WIDEST: u32 = (1 << 31) - 1;
        let mut initial = vec![0, 4];
        initial.extend(WIDEST.to_be_bytes());
        self.send(&frame(SETTINGS, 0, 0, &initial));
        self.send(&frame(WINDOW_UPDATE, 0, 0, &(WIDEST - 65_535).to_be_bytes()));
    }

    /// Whether the proxy still takes it.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    pub(crate) fn ask(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(fields)));
    }

    /// The next frame; `None` at the end, in order or by reset.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing comes"),
            read => read.ok()?,
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("it fits")];
        self.0.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], stream, payload })
    }

    /// The next frame of a kind.
    pub(crate) fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }
}
