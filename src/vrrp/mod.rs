//! VRRP version 3 (RFC 9568) and version 2 (RFC 3768) without I/O: bytes and time come in as arguments, effects go out as data.
//!
//! This room must never open a socket, read a clock, draw a random number or import another room of ours.
//! `ha` drives it: packets through [`accept()`], the rest and the timer straight into [`Machine::handle`].

mod accept;
mod address_set;
mod announce;
pub mod auth;
mod checksum;
mod machine;
mod stall;
pub mod timing;
mod types;
pub mod wire;

pub use accept::{Accepted, Expected, Received, Refusal, Refusals, accept, accept_heartbeat, accept_v6};
pub use address_set::AddressSet;
pub use announce::Refresh;
pub use machine::{Effect, Input, Machine, Params, Why};
pub use types::{Centis, Cidr, Dialect, Family, Preempt, Priority, Role, Span, Time, Version, Vrid};

#[cfg(test)]
mod tests;
