//! HTTP/2 from clients (RFC 9113): one connection, many requests at a time, each to a server over HTTP/1.1.
//!
//! The `h2` crate speaks the protocol. Here every stream becomes a `lane`: a connection that says in HTTP/1.1 what the
//! client asked by frames, and that takes an answer in HTTP/1.1 and gives it to the client by frames. A `session`
//! serves it as it serves any other client, so that choice, retries, limits, counters and our own answers are the same
//! whatever a client speaks. The crate alone does it, without a framework around it: its connection is a state machine
//! that our core polls with our own deadlines.
//!
//! What a client can make us hold: [`STREAMS`] requests, each of them like a client of HTTP/1.1, but for the bodies of
//! their responses; [`unsent::MOST`] of those written and not sent, up to that much again read and waiting for windows, and
//! twice [`unsent::LEAST`] for each stream on top, less than 2 MiB in all; [`CONNECTION_WINDOW`] of bodies that no server
//! has taken; one block of fields of `limits.head`.
//!
//! Not offered: server push, priorities, extended CONNECT (RFC 8441) and with it WebSocket, and Upgrade to h2c, which
//! RFC 9113 §3.1 has taken back.

mod calm;
mod connection;
mod head;
mod lane;
mod linger;
#[cfg(test)]
mod tests;
mod unsent;
mod wire;

use std::time::Duration;

pub(super) use connection::serve;
pub(super) use lane::Lane;

/// How a client begins that knows, or has agreed on, that HTTP/2 is spoken (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client hears that there is no room for: empty SETTINGS, and GOAWAY with ENHANCE_YOUR_CALM, which says that none of
/// its requests was looked at (RFC 9113 §6.8).
pub(super) const REFUSAL: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b";

/// Requests of one connection at a time.
const STREAMS: u32 = 128;
/// What a client may send of one body before a server has taken it: the least that RFC 9113 §6.9.2 begins with.
const STREAM_WINDOW: u32 = 65_535;
/// The same for all bodies of a connection: more than one, so that a server that is slow to read does not stop the
/// uploads to others.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of one response that wait for the connection to take them.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that were reset by the client before we knew of them (CVE-2023-44487), and streams that were reset by us
/// because of what the client did (CVE-2025-8671), before the connection ends.
const RESETS: usize = 128;
/// Streams that we have reset and whose late frames are still understood, and for how long.
const REMEMBERED: usize = 32;
const REMEMBER: Duration = Duration::from_secs(5);

/// The settings that every connection has; blocks of fields are as long as `head` at most.
fn settings(head: usize) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_frame_size(16_384)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(Some(RESETS))
        .max_concurrent_reset_streams(REMEMBERED)
        .reset_stream_duration(REMEMBER);
    builder
}
