//! A program that runs on a host, with a log of its own, and never outlives its value.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{PidfdFlags, pidfd_open};

use super::{Error, Host};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// Becomes readable when the program ends.
    pidfd: OwnedFd,
    log: PathBuf,
}

impl Process {
    /// Starts `command` on `host`; what it prints is appended to the file `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(host: &Host, command: &mut Command, log: &Path) -> Result<Self, Error> {
        let failed = || format!("opening {}", log.display());
        let out = OpenOptions::new().create(true).append(true).open(log).map_err(Error::at(failed()))?;
        let err = out.try_clone().map_err(Error::at(failed()))?;
        let child = host.spawn(command.stdin(Stdio::null()).stdout(out).stderr(err))?;
        let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{program} on {}", host.name());
        let pid = rustix::process::Pid::from_child(&child);
        let pidfd =
            pidfd_open(pid, PidfdFlags::empty()).map_err(Error::at(format_args!("watching {name}")))?;
        Ok(Self { name, child, pidfd, log: log.to_owned() })
    }

    /// Its process id, that of a zombie once it has ended and nobody has asked how.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Program and host, for a human.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Becomes readable when the program ends.
    pub(super) const fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Sends `signal` to the program alone, not to its children.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        send(self.pid(), signal).map_err(Error::at(format_args!("sending {signal} to {}", self.name)))
    }

    /// Kills the program (SIGKILL) and takes its exit status. Its children live on, as in life.
    ///
    /// # Errors
    /// When its end cannot be awaited.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map_err(Error::at(format_args!("killing {}", self.name)))
    }

    /// How it ended; `None` when it still runs after `within`.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn wait(&mut self, within: Duration) -> Result<Option<ExitStatus>, Error> {
        let limit = Timespec::try_from(within).map_err(Error::at("a deadline out of range"))?;
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let waited =
            poll(&mut ended, Some(&limit)).map_err(Error::at(format_args!("waiting for {}", self.name)));
        waited?;
        self.child.try_wait().map_err(Error::at(format_args!("waiting for {}", self.name)))
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The file with what it printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of what it printed.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<_> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when it has been waited for already.
        let _ = self.kill();
    }
}

/// Sends `signal` to the process `pid`.
pub(super) fn send(pid: u32, signal: Signal) -> Result<(), nix::Error> {
    let pid = i32::try_from(pid).map_err(|_| nix::Error::ESRCH)?;
    kill(Pid::from_raw(pid), signal)
}
