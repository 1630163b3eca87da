//! VRRP version 3 (RFC 9568) without I/O: bytes and time come in as arguments, effects go out as data.
//!
//! This room must never open a socket, read a clock, draw a random number or import another room of ours.

mod types;

pub use types::{Centis, Cidr, Dialect, Preempt, Priority, Role, Span, Time, Vrid};
