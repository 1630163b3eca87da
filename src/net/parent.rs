//! A process and its parent: a child that ends when its parent does (prctl(2), PR_SET_PDEATHSIG).

use std::io;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// The environment variable in which a parent tells its child who it is, so that the child can see that it came too
/// late: a child that asked the kernel for its parent would be told of whoever took its place.
pub const VARIABLE: &str = "VIPD_PARENT_PID";

/// Who started us: the process named in [`VARIABLE`], otherwise the present parent.
pub fn started_by() -> Pid {
    let named = std::env::var(VARIABLE).ok().and_then(|pid| pid.parse().ok());
    named.map_or_else(getppid, Pid::from_raw)
}

/// Asks for SIGTERM when our parent dies. Says whether `parent` still is our parent: if it is not, it died before we
/// could ask, and no signal will come.
///
/// The kernel ties this to the *thread* that started us, and forgets it when our user changes.
///
/// # Errors
/// None that the kernel documents for a signal that exists.
pub fn end_with(parent: Pid) -> io::Result<bool> {
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    Ok(getppid() == parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_that_is_gone_is_noticed() {
        // On a thread of its own, as the signal belongs to a thread.
        let asked = std::thread::spawn(|| (end_with(started_by()), end_with(Pid::from_raw(i32::MAX))));
        let (present, gone) = asked.join().expect("it does not panic");
        assert_eq!((present.expect("a signal that exists"), gone.expect("the same")), (true, false));
    }
}
