//! Who may get a request: servers, the snapshot that the cores read, the choice, and the rise/fall tracker.
//!
//! This room must never open a socket, read a clock or import another room of ours.

mod balance;
mod health;
mod server;
mod snapshot;
#[cfg(test)]
mod tests;

pub use balance::{Rotation, Tried, Turn};
pub use health::{Change, Health, Observation, Standing};
pub use server::{Server, ServerId};
pub use snapshot::Snapshot;
