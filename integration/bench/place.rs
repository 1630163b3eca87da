//! Where the traffic of the proxy bench runs: a network namespace of its own, with TCP as Debian sets it up.
//!
//! A machine may have BBR as its default, which paces what is sent with a timer. On a loopback that costs more than the
//! proxies do, and tells nothing of them.

use std::fs;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::stack::Failure;

const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// What Debian has; and what any namespace may have where only the machine's own may have that. Without losses they are
/// alike.
const PREFERRED: [&str; 2] = ["cubic", "reno"];

/// Moves this process there, with all that it starts from now on. Without the privilege it stays where it is. What its
/// TCP has for congestion control.
pub(crate) fn enter() -> Result<String, Failure> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        up.map_err(|error| Failure(format!("ip: {error}")))?;
        // What is not allowed leaves what was there.
        let _set = PREFERRED.iter().any(|name| fs::write(CONGESTION, name).is_ok());
    }
    Ok(fs::read_to_string(CONGESTION)?.trim().to_owned())
}
