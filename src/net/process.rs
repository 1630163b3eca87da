//! What the kernel does for a process as a whole: it ends with its parent, and it may open so many files.

use std::io;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Asks for SIGTERM when the parent dies (prctl(2), PR_SET_PDEATHSIG). Says whether `parent` still is the parent: if
/// it is not, it died before we could ask, and no signal will come.
///
/// The kernel ties this to the *thread* that started us, and forgets it when our user changes.
///
/// # Errors
/// The kernel's, which there is none known of.
pub fn die_with_parent(parent: Pid) -> io::Result<bool> {
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    Ok(getppid() == parent)
}

/// Raises the number of files that may be open (RLIMIT_NOFILE) to the hard limit and gives it.
///
/// # Errors
/// The kernel's.
pub fn raise_open_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_the_hard_limit_allows() {
        let raised = raise_open_files().expect("the hard limit is always allowed");
        assert_eq!(getrlimit(Resource::Nofile).current, Some(raised).filter(|it| *it != u64::MAX));
    }
}
