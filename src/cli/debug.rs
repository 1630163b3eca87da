//! `vipd debug`: what the daemon remembers, for those who look into it.

use std::io::{Write, stdout};

use crate::link::{Reply, Request};

use super::args::{Debug, Global};
use super::client::Client;
use super::exit::{Exit, Failure};

pub(crate) fn debug(global: &Global, what: &Debug) -> Result<(), Failure> {
    match what {
        Debug::Dump => dump(global),
    }
}

fn dump(global: &Global) -> Result<(), Failure> {
    let mut client = Client::connect(&global.runtime_dir())?;
    match client.ask(&Request::Dump)? {
        Reply::Dump { json } => Ok(writeln!(stdout().lock(), "{json}")?),
        Reply::Refused { why } => Err(Failure::new(Exit::Failed, why)),
        Reply::Forbidden { why } => Err(Failure::new(Exit::Privilege, why)),
        Reply::Status(_)
        | Reply::Event(_)
        | Reply::Done { .. }
        | Reply::Maintenance(_)
        | Reply::Close { .. } => Err(client.strange("an answer to another question")),
    }
}
