//! A process as a file descriptor (pidfd_open(2)): its end is an event like any other, in the same millisecond.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

use super::watched::watched;

/// A child of ours; the number cannot be given to another process before the child is reaped.
#[derive(Debug)]
pub struct PidFd {
    fd: AsyncFd<OwnedFd>,
}

impl PidFd {
    /// Watches a child that has not been reaped. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// `ESRCH` when there is no such process.
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        Ok(Self { fd: watched(fd)? })
    }

    /// Waits until the process has ended. May be dropped and called again; ready for good from then on.
    ///
    /// # Errors
    /// The reactor is gone.
    pub async fn ended(&self) -> io::Result<()> {
        self.fd.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Asks the process to stop (SIGTERM).
    ///
    /// # Errors
    /// `ESRCH` when it has ended.
    pub fn terminate(&self) -> io::Result<()> {
        pidfd_send_signal(self.fd.get_ref(), Signal::TERM).map_err(Into::into)
    }

    /// Ends the process (SIGKILL).
    ///
    /// # Errors
    /// `ESRCH` when it has ended.
    pub fn kill(&self) -> io::Result<()> {
        pidfd_send_signal(self.fd.get_ref(), Signal::KILL).map_err(Into::into)
    }
}
