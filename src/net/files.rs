//! The limit on open files: a proxy needs two for every client; and how the kernel says that it has no more of them, or of
//! what else a connection takes.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on open files to `wanted`, as far as the hard limit allows. Returns the limit in force.
///
/// # Errors
/// When the kernel refuses, which it does only for limits above the hard one.
pub fn allow(wanted: u64) -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is RLIM_INFINITY.
    let goal = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    match current {
        Some(current) if current < goal => {
            setrlimit(Resource::Nofile, Rlimit { current: Some(goal), maximum })?;
            Ok(goal)
        }
        Some(current) => Ok(current),
        None => Ok(u64::MAX),
    }
}

/// How many files this process has open, and how many it may.
///
/// # Errors
/// Without `/proc`.
pub fn used() -> io::Result<(u64, u64)> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Since Linux 6.2 this is the number (proc_pid_fd(5)); before that it is 0, and they have to be counted.
    let told = fs::metadata("/proc/self/fd")?.len();
    let used = if told > 0 { told } else { fs::read_dir("/proc/self/fd")?.count() as u64 };
    Ok((used, limit))
}

/// Whether a system call failed because this machine or this process has run out: of files, of local ports, of memory. It
/// says nothing about the other side.
#[must_use]
pub fn is_exhaustion(error: &io::Error) -> bool {
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether connect(2) has found no local port for where it should lead. That says nothing about other places: each has all
/// the ports. Connections of TCP frontends whose client closed first hold theirs for a minute more (TIME_WAIT).
#[must_use]
pub fn is_out_of_ports(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EADDRNOTAVAIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_counted() {
        let (before, limit) = used().expect("Linux");
        let files: Vec<_> = (0..40).map(|_| fs::File::open("/proc/self/stat").expect("Linux")).collect();
        let (now, _) = used().expect("Linux");
        // Other tests open and close files at the same time.
        assert!((40..=limit).contains(&now) && before <= limit, "{before}, then {now} of {limit}");
        drop(files);
    }

    #[test]
    fn the_limit_is_raised_but_never_lowered() {
        let now = allow(0).expect("reading it is allowed");
        assert!(allow(now).expect("nothing to do") >= now);
    }
}
