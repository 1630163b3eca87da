//! How a command ends: sysexits(3) where it has a code that fits, so that systemd can tell a wrong config,
//! which restarting does not mend, from a bad day.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed at run time.
    Failed = 1,
    /// The command line is wrong (EX_USAGE).
    Usage = 64,
    /// The daemon is not running (EX_UNAVAILABLE).
    Unavailable = 69,
    /// A privilege is missing (EX_NOPERM).
    Privilege = 77,
    /// The config is invalid (EX_CONFIG).
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// Ends the command with `exit`, saying `error: message`: what is wrong and what to do next.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: format!("error: {message}") }
    }

    /// Ends the command with `exit`, saying `report` as it is.
    pub fn reported(exit: Exit, report: String) -> Self {
        Self { exit, message: report }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Failure {
    /// Standard output went away. Whoever closed it (`vipd status | head`) wants no more and no complaint.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::reported(Exit::Done, String::new());
        }
        Self::new(Exit::Failed, format_args!("cannot print: {error}"))
    }
}
