//! `vipd handover`: a planned takeover.

use std::io::{Write, stdout};

use crate::link::{Reply, Request};

use super::args::{Global, HandoverOptions};
use super::client::Client;
use super::exit::Failure;

/// Asks the agent and prints what it did.
pub(crate) fn handover(global: &Global, options: HandoverOptions) -> Result<(), Failure> {
    let HandoverOptions { router, undo } = options;
    let mut client = Client::connect(&global.runtime_dir())?;
    let done = |reply| if let Reply::Done { message } = reply { Some(message) } else { None };
    let message = client.ask_for(&Request::Handover { router, undo }, done)?;
    Ok(writeln!(stdout(), "{message}")?)
}
