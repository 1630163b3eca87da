//! What a peer can be asked to do, whichever program it is.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;
use vipd::lab::{Host, Mac, Process};

/// How long anything may take that must happen: many times what it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often something is looked at that says nothing by itself when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A VRRP speaker that is not ours, set up on a host. A failure of its own ends the test with its log.
pub(crate) trait Peer {
    /// What the program says about the config that was written for it; `None`: nothing.
    fn objections(&self) -> Option<String>;
    /// Starts it, and returns when it competes.
    fn start(&mut self);
    /// Ends it in an orderly way (SIGTERM), and returns when it has ended.
    fn terminate(&mut self);
    /// Kills everything of it at once (SIGKILL): it says nothing and leaves the address behind.
    fn kill(&mut self);
    /// Takes away what a killed one left behind, as an operator would.
    fn release(&self);
    /// Whether its host has the address in use.
    fn holds(&self) -> bool;
    /// From which card the address is to be reached while it holds it.
    fn mac(&self) -> Mac;
    /// The end of its log.
    fn explain(&self) -> String;
}

/// Looks until `true`; says whether it came to that within [`PATIENCE`].
pub(crate) fn eventually(mut is: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    true
}

/// Returns when `process` has printed `words`.
///
/// # Panics
/// When it ends instead, or does not print them.
pub(crate) fn wait_for_line(process: &mut Process, words: &str) {
    let printed = eventually(|| {
        assert!(process.is_running(), "{} ended:\n{}", process.name(), process.log_tail(40));
        fs::read_to_string(process.log()).is_ok_and(|text| text.contains(words))
    });
    assert!(printed, "{} never said {words:?}:\n{}", process.name(), process.log_tail(40));
}

/// Whether any interface of a host that is in service has the address.
pub(crate) fn holds(host: &Host, address: IpAddr) -> bool {
    let mut command = Command::new("ip");
    command.args(["-oneline", "address", "show", "up", "to", &address.to_string()]);
    let output = host.run(|| command.output()).expect("inside").expect("ip");
    assert!(output.status.success(), "{output:?}");
    !output.stdout.is_empty()
}
