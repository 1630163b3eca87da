//! The service manager's socket (sd_notify(3)), told without ever waiting for it.
//!
//! `sd_notify` waits while the manager's queue is full. A manager that hangs would then hold an agent that is fit to
//! serve, and with it the address.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sd_notify::NotifyState;

/// Tells the manager, if there is one and it has room for it.
///
/// # Errors
/// `WouldBlock` when the manager does not read, and what else the kernel says of its socket.
pub fn tell(state: &NotifyState<'_>) -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(format!("{state}\n").as_bytes(), &address).map(|_| ())
}
