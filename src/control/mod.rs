//! The proxy process: wiring, and the single writer of the pools' snapshot.

mod client;
mod desk;
