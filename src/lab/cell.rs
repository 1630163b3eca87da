//! A place that leaves nothing behind: the caller's program again, as the first process of namespaces of its own.
//!
//! The outer process only waits. When it ends, however it ends, the kernel kills the inner one (PR_SET_PDEATHSIG, and
//! end of file on its standard input), with it every process of its PID namespace, and with those the network
//! namespaces, links and mounts that only they held. So Ctrl-C needs no tidying code, and SIGKILL none either.
//!
//! As root this takes PID and mount namespaces. Everyone else gets a user namespace around them, in which they are
//! root of what they make and of nothing else.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid};
use tokio::signal::unix::{SignalKind, signal};

use super::Error;

/// Where the inner process is.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// An empty file system of its own, gone with the process.
    pub(super) dir: PathBuf,
    /// Its process id as the outer process's namespace sees it.
    pub(super) pid_outside: u32,
    /// Whether it took a user namespace.
    pub(super) unprivileged: bool,
}

/// Tells the inner process that it is the inner one, and by its value which kind.
const INSIDE: &str = "VIPD_LAB_CELL";
/// `sysexits.h` has EX_NOPERM for this.
const MISSING_PRIVILEGE: u8 = 77;

/// Starts this program again with the same arguments inside a cell, where the same call runs `inside`. Returns what
/// `inside` returned, as exit code; 128 + the number of the signal that stopped it; 77 without the right to build a
/// cell; 1 when building one failed. To be called while the process has one thread.
pub(super) fn run(inside: impl FnOnce(&Cell) -> u8) -> u8 {
    let result = match env::var(INSIDE) {
        Ok(kind) if process::id() == 1 => settle(kind == "user").map(|cell| inside(&cell)),
        Ok(_) | Err(_) => match enter() {
            Ok(unprivileged) => wait_outside(unprivileged),
            Err(why) => {
                eprintln!("vipd lab: {why}");
                return MISSING_PRIVILEGE;
            }
        },
    };
    result.unwrap_or_else(|error| {
        eprintln!("vipd lab: {error}");
        1
    })
}

/// Makes the next child the first process of a new PID namespace; says whether that took a user namespace.
fn enter() -> Result<bool, Error> {
    match unshare(CloneFlags::CLONE_NEWPID) {
        Ok(()) => return Ok(false),
        Err(nix::Error::EPERM) => {}
        Err(error) => return Err(Error::new(format!("creating a PID namespace: {error}"))),
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| refused(&error))?;
    let map = |file: &str, content: String| {
        fs::write(format!("/proc/self/{file}"), content).map_err(|error| refused(&error))
    };
    map("uid_map", format!("0 {user} 1"))?;
    map("setgroups", "deny".to_owned())?;
    map("gid_map", format!("0 {group} 1"))?;
    unshare(CloneFlags::CLONE_NEWPID).map_err(|error| refused(&error))?;
    Ok(true)
}

/// Why an ordinary user may not make namespaces here, with the setting that says so.
fn refused(error: &dyn std::fmt::Display) -> Error {
    let setting = |path: &str| fs::read_to_string(path).ok().map(|value| value.trim().to_owned());
    let culprits = [
        ("user.max_user_namespaces", "0", "to a number above 0"),
        ("kernel.unprivileged_userns_clone", "0", "to 1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "to 0"),
    ];
    let found = culprits.iter().find(|(name, bad, _)| {
        setting(&format!("/proc/sys/{}", name.replace('.', "/"))).as_deref() == Some(*bad)
    });
    let what = "the lab's hosts are network namespaces; making them takes root or unprivileged user namespaces, and this \
                machine refuses both";
    Error::new(match found {
        Some((name, value, remedy)) => {
            format!(
                "{what} ({error}): {name} is {value}; set it {remedy} with sysctl, or run the lab as root"
            )
        }
        None => format!(
            "{what} ({error}): look at the sysctls user.max_user_namespaces, kernel.unprivileged_userns_clone and \
             kernel.apparmor_restrict_unprivileged_userns, at the container's seccomp profile, or run the lab as root"
        ),
    })
}

/// The outer process's whole life.
fn wait_outside(unprivileged: bool) -> Result<u8, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::at("starting"))?;
    let program = env::current_exe().map_err(Error::at("finding this program"))?;
    runtime.block_on(async {
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
            .map(|kind| (kind, signal(kind)));
        let mut command = tokio::process::Command::new(&program);
        command.args(env::args_os().skip(1)).env(INSIDE, if unprivileged { "user" } else { "root" });
        // Out of the terminal's foreground group: Ctrl-C reaches the outer process only, which then ends the inner one.
        command.stdin(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut inner = command.spawn().map_err(Error::at(format_args!("starting {}", program.display())))?;
        // Held until this process ends: its closing is what the inner one watches for.
        let _held = inner.stdin.take();
        let [interrupt, terminate, hangup] = &mut signals;
        let stopped_by = tokio::select! {
            ended = inner.wait() => {
                let status = ended.map_err(Error::at("waiting for the lab"))?;
                return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
            }
            kind = caught(interrupt) => kind,
            kind = caught(terminate) => kind,
            kind = caught(hangup) => kind,
        };
        inner.kill().await.map_err(Error::at("ending the lab"))?;
        eprintln!("\nvipd lab: stopped; its processes, namespaces and files are gone");
        Ok(u8::try_from(128 + stopped_by.as_raw_value()).unwrap_or(1))
    })
}

/// Resolves when the signal comes; never when it could not be listened for (it then ends the process as by default).
async fn caught((kind, stream): &mut (SignalKind, io::Result<tokio::signal::unix::Signal>)) -> SignalKind {
    if let Ok(stream) = stream
        && stream.recv().await.is_some()
    {
        return *kind;
    }
    std::future::pending().await
}

/// The inner process's first steps: tie its life to the outer one's, then make its own file systems.
fn settle(unprivileged: bool) -> Result<Cell, Error> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(Error::at("tying the lab's life to its parent's"))?;
    // The second belt, for a parent that died before the line above.
    std::thread::spawn(|| {
        while matches!(io::stdin().read(&mut [0; 64]), Ok(1..)) {}
        process::exit(1);
    });
    // Before /proc is mounted anew, it still shows the outer PID namespace.
    let pid_outside = fs::read_link("/proc/self").ok().and_then(|pid| pid.to_str()?.parse().ok());
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::at("creating a mount namespace"))?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(Error::at("making the mounts private"))?;
    // A container that masks parts of /proc does not allow this; the old /proc does for what the lab needs.
    let _ = mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none);
    let dir = mount_point()?;
    mount(Some("vipd-lab"), &dir, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755"))
        .map_err(Error::at(format_args!("mounting a tmpfs on {}", dir.display())))?;
    Ok(Cell { dir, pid_outside: pid_outside.unwrap_or(1), unprivileged })
}

/// A directory that may disappear under a mount, seen by the lab's processes only: it holds neither this program nor
/// the directory it was started in.
fn mount_point() -> Result<PathBuf, Error> {
    let needed = [env::current_exe(), env::current_dir()];
    let in_the_way = |dir: &Path| needed.iter().flatten().any(|needed| needed.starts_with(dir));
    let candidates = ["/mnt", "/media", "/srv", "/opt", "/home", "/tmp"].map(PathBuf::from);
    let found = candidates.into_iter().find(|dir| dir.is_dir() && !in_the_way(dir));
    found.ok_or_else(|| {
        Error::new("neither /mnt, /media, /srv, /opt, /home nor /tmp can hold the lab's files")
    })
}
