//! The last belt: whatever still runs in a lab's namespaces when the lab goes away is killed.

use std::collections::HashSet;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::fstat;
use nix::unistd::Pid;

use super::Netns;

/// Sends SIGKILL to every process in one of `namespaces`, children that outlived their parents included. Looks again
/// until it finds none, because a process may start another while it is being looked at.
pub(super) fn kill_all_in<'a>(namespaces: impl Iterator<Item = &'a Netns>) {
    let inodes: HashSet<u64> =
        namespaces.filter_map(|netns| fstat(netns.as_fd()).ok()).map(|stat| stat.st_ino).collect();
    for _ in 0..10 {
        let found = processes_in(&inodes);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // It may be gone by now, which is just as well.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// The processes whose network namespace is one of `inodes`; never ourselves. A zombie has no namespace any more.
fn processes_in(inodes: &HashSet<u64>) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let others = pids.filter(|pid| u32::try_from(*pid) != Ok(process::id()));
    let inside = others.filter(|pid| {
        fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|netns| inodes.contains(&netns.ino()))
    });
    inside.map(Pid::from_raw).collect()
}
