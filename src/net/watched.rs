//! A file descriptor that tokio's reactor watches.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers `fd` with the reactor of the runtime it is called in.
///
/// # Errors
/// Out of memory or of epoll watches.
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and stays the same descriptor for as long as the AsyncFd owns it.
    #[expect(unsafe_code, reason = "AsyncFd::register asks for I/O safety, which OwnedFd has")]
    let watched = unsafe { AsyncFd::register(fd) };
    watched.map_err(io::Error::other)
}
