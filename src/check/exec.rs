//! A check by a program of the operator's: exit code 0 is a pass.
//!
//! The rules are those of the trackers' scripts, with one difference: the proxy has given up the right to become
//! somebody else, so a program runs as the proxy's own user. A proxy that stayed root runs none.

use nix::unistd::{User, geteuid};

use super::Target;
use super::words::{Outcome, Passed, RUNNING, Stage};
use crate::net::program::{Order, Program, describe};

/// Runs the program and waits for its end. Dropping the future kills what it started.
pub(super) async fn run(words: &[String], target: &Target, stage: &mut Stage) -> Outcome {
    *stage = RUNNING;
    let order = Order {
        words: words.to_vec(),
        user: ourselves()?,
        environment: vec![("VIPD_SERVER", target.name.clone()), ("VIPD_ADDRESS", target.address.to_string())],
        input: Vec::new(),
    };
    let mut program = Program::start(order).await.map_err(|why| why.to_string())?;
    let ended = program.ended().await.map_err(|error| format!("it could not be waited for: {error}"))?;
    let how = match program.first_line() {
        Some(line) => format!("{}: {line}", describe(ended)),
        None => describe(ended),
    };
    if ended.success() { Ok(Passed::new(how)) } else { Err(how) }
}

/// The name of the user that we are.
fn ourselves() -> Result<String, String> {
    let uid = geteuid();
    if uid.is_root() {
        return Err("the proxy is root, and scripts never run as root: create its user (proxy.user)".into());
    }
    match User::from_uid(uid) {
        Ok(Some(user)) => Ok(user.name),
        Ok(None) => Err(format!("the proxy runs as user id {uid}, which has no name here")),
        Err(error) => Err(format!("the user id {uid} could not be looked up: {error}")),
    }
}
