//! A file descriptor that tokio's reactor watches.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers `fd` with the reactor of the runtime it is called in: there is something to read. Nobody of ours waits
/// until it can write, and a socket that could would wake us each time a packet has left.
///
/// # Errors
/// Out of memory or of epoll watches.
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and stays the same descriptor for as long as the AsyncFd owns it.
    #[expect(unsafe_code, reason = "AsyncFd asks for I/O safety, which OwnedFd has")]
    let watched = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    watched.map_err(io::Error::other)
}
