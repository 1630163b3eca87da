//! A network namespace, held by a file descriptor: it lives as long as the value or a process in it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};

use super::Error;

/// A network namespace without a name or a mount; clones share it. Work enters it on a thread of its own, because a
/// thread that has entered a namespace is no good for anything else.
#[derive(Clone, Debug)]
pub struct Netns {
    fd: Arc<OwnedFd>,
}

impl Netns {
    /// A new, empty namespace.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN in the user namespace, or past `user.max_net_namespaces`.
    pub fn create() -> Result<Self, Error> {
        let made = thread::spawn(|| -> io::Result<OwnedFd> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(File::open("/proc/thread-self/ns/net")?.into())
        });
        let fd = join(made).map_err(|error| {
            let hint = match error.raw_os_error() {
                Some(libc::EPERM) => " (it takes root, or a user namespace: `unshare -rn`)",
                _ => "",
            };
            Error::new(format!("creating a network namespace: {error}{hint}"))
        })?;
        Ok(Self { fd: Arc::new(fd) })
    }

    /// Runs `work` inside and returns what it returns. Sockets opened and processes spawned by it belong to the
    /// namespace for good, files under `/proc/sys/net` and `/proc/net` are the namespace's own.
    ///
    /// # Panics
    /// When `work` does, with the same payload.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| self.enter().map(|()| work()));
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs `work` inside on a thread called `name` that outlives this call.
    ///
    /// # Errors
    /// When the thread cannot be started. A namespace that cannot be entered ends the thread with an error.
    pub fn thread<R: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<JoinHandle<Result<R, Error>>, Error> {
        let netns = self.clone();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || netns.enter().map(|()| work()))
            .map_err(Error::at(format_args!("starting the thread {name}")))
    }

    /// The number under which this process holds the namespace: `/proc/PID/fd/N` for `nsenter --net=`.
    pub fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn enter(&self) -> Result<(), Error> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET).map_err(Error::at("entering a network namespace"))
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
