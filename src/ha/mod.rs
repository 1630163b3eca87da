//! The agent's one loop: packets, timer and network events in, effects out. One thread, no queue.
//!
//! `agent` drives it: [`Ha::ready`] waits, [`Ha::turn`] acts. This room decides nothing about the protocol
//! (`vrrp` does) and must never wait for the proxy, a client of `agent.sock`, or what a tracker looks at: [`Scouts`]
//! go and look, and what they find comes back through [`Ha::set_tracker`].

mod agenda;
mod alarm;
mod claims;
mod conflict;
mod contest;
mod driver;
mod flap;
mod flood;
mod heartbeat;
mod instance;
mod lag;
mod lookout;
mod offers;
mod pace;
mod paths;
mod perform;
mod place;
mod recorder;
mod refusing;
mod release;
mod scout;
mod track;
mod tuning;
mod vip;
mod vmac;
mod ways;
mod wires;

pub use driver::{Ha, Wake};
pub use recorder::{Dump, Entry, Recorded};
pub use release::{Cleared, release};
pub use scout::{Found, Scouts};
pub use track::{DataPlane, Finding, Standing};
pub use tuning::{Advice, advice};
pub use vip::Removed;
