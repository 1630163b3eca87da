//! HTTP/1.1 (RFC 9110, RFC 9112) over byte slices, where "incomplete" is not an error.
//!
//! This room must never open a socket, read a clock or import another room of ours.
