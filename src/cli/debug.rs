//! `vipd debug`: what the daemon remembers, for those who look into it.

use std::io::{Write, stdout};

use crate::link::{Reply, Request};

use super::args::{Debug, Global};
use super::client::Client;
use super::exit::Failure;

pub(crate) fn debug(global: &Global, what: &Debug) -> Result<(), Failure> {
    match what {
        Debug::Dump => dump(global),
    }
}

fn dump(global: &Global) -> Result<(), Failure> {
    let mut client = Client::connect(&global.runtime_dir())?;
    let dump = |reply| if let Reply::Dump { json } = reply { Some(json) } else { None };
    let json = client.ask_for(&Request::Dump, dump)?;
    Ok(writeln!(stdout().lock(), "{json}")?)
}
