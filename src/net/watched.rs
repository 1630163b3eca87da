//! A file descriptor that tokio's reactor watches.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers `fd` with the reactor of the runtime it is called in: there is something to read. Nobody of ours waits
/// until it can write, and a socket that could would wake us each time a packet has left.
///
/// # Errors
/// Out of memory or of epoll watches.
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watched_for(fd, Interest::READABLE)
}

/// The same for what owns a descriptor, and for some events only.
///
/// # Errors
/// As [`watched`].
pub(super) fn watched_for<T: AsRawFd + Into<OwnedFd> + Send + Sync + 'static>(
    owner: T,
    interest: Interest,
) -> io::Result<AsyncFd<T>> {
    // SAFETY: what can become an OwnedFd has it in it: it is open and stays the same descriptor for as long as the
    // AsyncFd has its owner.
    #[expect(unsafe_code, reason = "AsyncFd asks for I/O safety, which OwnedFd has")]
    let watched = unsafe { AsyncFd::register_with_interest(owner, interest) };
    watched.map_err(io::Error::other)
}
