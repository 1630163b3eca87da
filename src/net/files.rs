//! The limit on open files: a proxy needs two for every client.

use std::io;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_but_never_lowered() {
        let now = allow(0).expect("reading it is allowed");
        assert!(allow(now).expect("nothing to do") >= now);
    }
}
