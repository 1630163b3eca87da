//! `vipd handover`: a planned takeover.

use std::io::{Write, stdout};

use crate::link::{Reply, Request};

use super::args::{Global, HandoverOptions};
use super::client::Client;
use super::exit::{Exit, Failure};

/// Asks the agent and prints what it did.
pub(crate) fn handover(global: &Global, options: HandoverOptions) -> Result<(), Failure> {
    let HandoverOptions { router, undo } = options;
    let mut client = Client::connect(&global.runtime_dir())?;
    match client.ask(&Request::Handover { router, undo })? {
        Reply::Done { message } => Ok(writeln!(stdout(), "{message}")?),
        Reply::Refused { why } => Err(Failure::new(Exit::Failed, why)),
        Reply::Forbidden { why } => Err(Failure::new(Exit::Privilege, why)),
        Reply::Status(_)
        | Reply::Event(_)
        | Reply::Dump { .. }
        | Reply::Maintenance(_)
        | Reply::Close { .. } => Err(client.strange("an answer to another question")),
    }
}
