//! VRRP version 3 (RFC 9568) without I/O: bytes and time come in as arguments, effects go out as data.
//!
//! This room must never open a socket, read a clock, draw a random number or import another room of ours.
//! `ha` drives it: packets through [`accept()`], the rest and the timer straight into [`Machine::handle`].

mod accept;
mod announce;
mod machine;
pub mod timing;
mod types;
pub mod wire;

pub use accept::{Received, Refusal, Refusals, accept};
pub use machine::{Effect, Input, Machine, Params, Why};
pub use types::{Centis, Cidr, Dialect, Preempt, Priority, Role, Span, Time, Vrid};

#[cfg(test)]
mod tests;
