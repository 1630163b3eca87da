//! Giving privileges up: user, groups, capabilities (capabilities(7)) and the way back (PR_SET_NO_NEW_PRIVS).
//!
//! Credentials belong to a thread, and a new thread inherits them: this must run before any other thread is started.

use std::ffi::CString;
use std::fmt;

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Uid, User, geteuid, initgroups, setgid, setuid};

/// Who the process is after [`shed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The user it was asked to become.
    Changed,
    /// It was not root and stays who it was.
    Unprivileged,
    /// Still root: there is no such user.
    NoSuchUser,
    /// Still root: the kernel refuses to change, as in a user namespace that maps no other user.
    Refused(Errno),
}

/// A privilege could not be given up; the process must not go on.
#[derive(Debug)]
pub struct Error {
    what: &'static str,
    why: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.why)
    }
}

impl std::error::Error for Error {}

/// Becomes `user` when we are root and it exists, keeps CAP_NET_BIND_SERVICE (if we have it) and nothing else in any
/// capability set, and makes sure that no program we execute can get more (PR_SET_NO_NEW_PRIVS).
///
/// The signal of [`super::parent::end_with`] must be asked for after this: the kernel forgets it when the
/// user changes (prctl(2), PR_SET_PDEATHSIG).
///
/// # Errors
/// When something that we have cannot be given up.
pub fn shed(user: &str) -> Result<Identity, Error> {
    bound_capabilities()?;
    let identity = change_user(user)?;
    keep_only_bind()?;
    prctl::set_no_new_privs().map_err(failed("set no_new_privs"))?;
    Ok(identity)
}

const KEPT: Capability = Capability::CAP_NET_BIND_SERVICE;

/// Takes everything else out of the bounding set. That needs CAP_SETPCAP; without it no_new_privs does the same work.
fn bound_capabilities() -> Result<(), Error> {
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)
        .map_err(failed("read capabilities"))?
    {
        return Ok(());
    }
    let bounding = caps::read(None, CapSet::Bounding).map_err(failed("read the bounding set"))?;
    for other in bounding.into_iter().filter(|it| *it != KEPT) {
        caps::drop(None, CapSet::Bounding, other).map_err(failed("shrink the bounding set"))?;
    }
    Ok(())
}

fn change_user(name: &str) -> Result<Identity, Error> {
    if geteuid() != Uid::from_raw(0) {
        return Ok(Identity::Unprivileged);
    }
    let Some(user) = User::from_name(name).map_err(failed("look up the user"))? else {
        return Ok(Identity::NoSuchUser);
    };
    let c_name = CString::new(name).map_err(failed("look up the user"))?;
    // Capabilities survive the change, so that the one we keep can be kept; the rest goes right after.
    prctl::set_keepcaps(true).map_err(failed("keep capabilities over the change of user"))?;
    let changed =
        initgroups(&c_name, user.gid).and_then(|()| setgid(user.gid)).and_then(|()| setuid(user.uid));
    prctl::set_keepcaps(false).map_err(failed("stop keeping capabilities"))?;
    match changed {
        Ok(()) => Ok(Identity::Changed),
        Err(refusal @ (Errno::EPERM | Errno::EINVAL)) => Ok(Identity::Refused(refusal)),
        Err(other) => Err(failed("change the user")(other)),
    }
}

fn keep_only_bind() -> Result<(), Error> {
    let set = |set, value: &CapsHashSet| caps::set(None, set, value).map_err(failed("give up capabilities"));
    let permitted = caps::read(None, CapSet::Permitted).map_err(failed("read capabilities"))?;
    let kept: CapsHashSet = permitted.into_iter().filter(|it| *it == KEPT).collect();
    caps::clear(None, CapSet::Ambient).map_err(failed("clear the ambient set"))?;
    // In this order: the effective set may never be larger than the permitted one.
    set(CapSet::Effective, &kept)?;
    set(CapSet::Permitted, &kept)?;
    set(CapSet::Inheritable, &CapsHashSet::new())
}

fn failed<E: fmt::Display>(what: &'static str) -> impl Fn(E) -> Error {
    move |error| Error { what, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs::read_to_string;
    use std::thread;

    use super::*;

    /// `/proc/thread-self/status`: credentials are a thread's own.
    fn status() -> HashMap<String, String> {
        let status = read_to_string("/proc/thread-self/status").expect("procfs is mounted");
        let line = |line: &str| line.split_once(':').map(|(key, value)| (key.into(), value.trim().into()));
        status.lines().filter_map(line).collect()
    }

    #[test]
    fn a_thread_keeps_the_right_to_bind_low_ports_and_nothing_else() {
        // Without a user to change to, as a change of user would reach every thread of the tests.
        let shed_on_a_thread = thread::spawn(|| (status(), shed("no-such-user"), status()));
        let (before, identity, after) = shed_on_a_thread.join().expect("it does not panic");
        let root = geteuid() == Uid::from_raw(0);
        let expected = if root { Identity::NoSuchUser } else { Identity::Unprivileged };
        assert_eq!(identity.expect("all can be given up"), expected);

        let had = u64::from_str_radix(&before["CapPrm"], 16).expect("hexadecimal");
        let kept = format!("{:016x}", had & KEPT.bitmask());
        assert_eq!([&after["CapPrm"], &after["CapEff"]], [&kept, &kept]);
        let none = "0000000000000000";
        assert_eq!([&after["CapInh"], &after["CapAmb"], &after["NoNewPrivs"]], [none, none, "1"]);
        if had & Capability::CAP_SETPCAP.bitmask() != 0 {
            assert_eq!(after["CapBnd"], format!("{:016x}", KEPT.bitmask()));
        }
    }
}
