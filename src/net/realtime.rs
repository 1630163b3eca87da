//! A thread that runs before all others (sched(7), SCHED_FIFO) and a process that is never paged out (mlockall(2)).
//!
//! Both are asked for and may be refused; whoever asks goes on without them. Neither reaches a child: new threads and
//! processes fall back to ordinary scheduling (SCHED_RESET_ON_FORK), and locks of memory are not inherited (fork(2)).
//!
//! A thread in a busy loop cannot take the machine: the kernel leaves other threads 5 % of every second
//! (`kernel.sched_rt_runtime_us`, sched(7)), and the other cores are theirs anyway. RLIMIT_RTTIME is not used: it ends
//! a process that has not slept for a while, which a flood of packets can bring about.

use std::fmt;
use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The lowest real-time priority: before every ordinary thread, behind the kernel's own.
const PRIORITY: i32 = 1;

/// Why the kernel does not grant it, and what to do.
#[derive(Debug)]
pub struct Refused {
    error: io::Error,
    help: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.error, self.help)
    }
}

impl std::error::Error for Refused {}

/// Runs the calling thread under SCHED_FIFO at the lowest priority, and gives the right to do so up
/// (RLIMIT_RTPRIO becomes 0): what this process starts cannot do the same unless it has CAP_SYS_NICE.
///
/// # Errors
/// `EPERM` with neither CAP_SYS_NICE nor RLIMIT_RTPRIO, or when a control group leaves no real time
/// (sched(7), `cpu.rt_runtime_us`).
pub fn schedule() -> Result<(), Refused> {
    let help = "it takes LimitRTPRIO=1 in the unit, or CAP_SYS_NICE, and a control group that may";
    set_scheduler().map_err(|error| Refused { error, help })?;
    // Lowering a limit is always allowed (getrlimit(2)).
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _always_allowed = setrlimit(Resource::Rtprio, none);
    Ok(())
}

/// Keeps every page of this process in memory from the moment it is first touched. The memory that is only reserved
/// (stacks, arenas) costs nothing.
///
/// # Errors
/// When RLIMIT_MEMLOCK binds us, and may not be raised (CAP_SYS_RESOURCE): beyond the limit the process would get no
/// memory at all from then on.
pub fn lock_memory() -> Result<(), Refused> {
    let help = "it takes LimitMEMLOCK=infinity in the unit, or CAP_IPC_LOCK";
    let refused = |error: rustix::io::Errno| Refused { error: error.into(), help };
    let limit = getrlimit(Resource::Memlock);
    let unlimited = Rlimit { current: None, maximum: None };
    if limit.current.is_some() && setrlimit(Resource::Memlock, unlimited).is_err() {
        lock_beyond(limit).map_err(refused)?;
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).map_err(refused)
}

/// With a limit of 0 for a moment, a lock is granted only to who is above limits (CAP_IPC_LOCK of the machine, not of
/// a user namespace).
fn lock_beyond(limit: Rlimit) -> rustix::io::Result<()> {
    setrlimit(Resource::Memlock, Rlimit { current: Some(0), ..limit })?;
    let granted = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT);
    setrlimit(Resource::Memlock, limit)?;
    granted
}

fn set_scheduler() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread; `parameters` is a valid sched_param that lives through the call, and the kernel
    // only reads it.
    #[expect(unsafe_code, reason = "no crate of ours has sched_setscheduler")]
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Field 41 of `/proc/thread-self/stat`, the policy (proc(5)), counted from behind the name.
    fn policy() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("procfs is mounted");
        let behind_name = stat.rsplit_once(") ").expect("a name in brackets").1;
        behind_name.split(' ').nth(41 - 3).expect("field 41").parse().expect("a number")
    }

    #[test]
    fn a_thread_gets_real_time_or_a_reason_and_its_children_get_neither() {
        // On a thread of its own, as the policy belongs to a thread.
        let asked = || (set_scheduler(), policy(), thread::spawn(policy).join().expect("no panic"));
        let (granted, own, inherited) = thread::spawn(asked).join().expect("no panic");
        let expected = if granted.is_ok() { libc::SCHED_FIFO } else { libc::SCHED_OTHER };
        assert_eq!((own, inherited), (expected, libc::SCHED_OTHER), "{granted:?}");
    }

    #[test]
    fn a_refusal_names_the_cause_and_the_cure() {
        let refused = Refused { error: io::Error::from_raw_os_error(libc::EPERM), help: "do that" };
        assert_eq!(refused.to_string(), "Operation not permitted (os error 1); do that");
    }
}
