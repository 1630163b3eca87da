//! `vipd lab` as a newcomer runs it: the story ends well, and nothing is left however it ends.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{PidfdFlags, pidfd_open};

#[test]
fn story_ends_well() {
    let _turn = one_at_a_time();
    let output = vipd_lab(&[]).output().expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    assert!(text.contains("Everything happened as it should."), "{text}");
    let rows = ["steady state", "app2 killed", "cable of lb1 pulled", "vipd handover", "proxy of lb1 killed"];
    let (_, table) = text.split_once("time to take over").expect("a table");
    for row in rows {
        assert!(table.contains(row), "no row {row:?} in {text}");
    }
    assert!(!text.contains('\x1b'), "colours are for terminals");
}

#[test]
fn nothing_is_left_after_sigkill() {
    let _turn = one_at_a_time();
    let (mut lab, _output) = running_lab();
    let inside = processes_inside(&lab);
    assert!(inside.len() > 3, "the lab and its application servers: {}", inside.len());
    lab.kill().expect("killed");
    lab.wait().expect("ended");
    for process in &inside {
        assert!(ends(process), "it outlived the lab");
    }
}

#[test]
fn ctrl_c_ends_it_with_130_and_leaves_nothing() {
    let _turn = one_at_a_time();
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    let (mut lab, _output) = running_lab();
    let inside = processes_inside(&lab);
    let pid = Pid::from_raw(i32::try_from(lab.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("sent");
    assert_eq!(lab.wait().expect("ended").code(), Some(130));
    for process in &inside {
        assert!(ends(process), "it outlived the lab");
    }
    assert_eq!(fs::read_to_string("/proc/self/mounts").expect("mounts"), mounts);
}

/// The story measures times, and a lab beside it would be in them.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn vipd_lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command.arg("lab").args(arguments).stdin(Stdio::null());
    command
}

/// A lab that has started its application servers.
fn running_lab() -> (Child, BufReader<ChildStdout>) {
    let mut lab = vipd_lab(&["--keep"]).stdout(Stdio::piped()).spawn().expect("started");
    let mut output = BufReader::new(lab.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("application servers on") {
        line.clear();
        assert_ne!(output.read_line(&mut line).expect("a line"), 0, "the lab ended");
    }
    (lab, output)
}

/// Handles to every process in the PID namespace that `lab` made.
fn processes_inside(lab: &Child) -> Vec<OwnedFd> {
    let lab = lab.id();
    let children = fs::read_to_string(format!("/proc/{lab}/task/{lab}/children")).expect("children");
    let first: u32 = children.trim().parse().expect("one child");
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let inside = namespace(first).expect("its namespace");
    assert_ne!(Some(&inside), namespace(std::process::id()).as_ref());
    let everyone = fs::read_dir("/proc").expect("/proc").flatten();
    let pids: HashSet<u32> = everyone.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let members = pids.into_iter().filter(|pid| namespace(*pid).as_ref() == Some(&inside));
    members.filter_map(handle).collect()
}

/// `None` when it has ended meanwhile.
fn handle(pid: u32) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

fn ends(process: &OwnedFd) -> bool {
    let soon = Timespec { tv_sec: 10, tv_nsec: 0 };
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&soon)) == Ok(1)
}
