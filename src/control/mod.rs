//! The proxy process: wiring, and the single writer of the pools' snapshot.
