//! Who may get a request: servers, the snapshot that the cores read, the choice, and the rise/fall tracker.
//!
//! This room must never open a socket, read a clock, draw a random number or import another room of ours: what
//! depends on those comes in as an argument.

mod balance;
mod digest;
mod failures;
mod health;
mod load;
mod maglev;
mod order;
mod outlier;
mod queue;
mod ramp;
mod rate;
mod rotation;
mod send_proxy;
mod server;
mod shares;
mod snapshot;
mod sources;
#[cfg(test)]
mod tests;
mod tried;

pub use balance::{Draw, EXACT, Key, Method, PROBES, Rule};
pub use digest::digest;
pub use failures::Failures;
pub use health::{Change, Health, Observation, Standing, Trend};
pub use load::{InFlight, Load};
pub use order::Turn;
pub use outlier::{Outliers, Rules, Tally, Verdict};
pub use queue::{Queue, Waiting, Woken};
pub use ramp::{STEPS, ramp};
pub use rate::Rate;
pub use rotation::{Rotation, Taken};
pub use send_proxy::{SIGNATURE, SendProxy};
pub use server::{Server, ServerId, Token};
pub use snapshot::Snapshot;
pub use sources::{Bounds, Over, Refusal, Seat, Sources};
pub use tried::Tried;
