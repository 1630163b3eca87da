//! `vipd release`.

use crate::agent::{self, Released};

use super::args::Global;
use super::exit::Failure;
use super::run::failure;
use super::{logs, setup};

/// A config that cannot be used is no reason to leave an address behind: what carries our tag comes off, and
/// the config's errors are said after that.
pub(crate) fn release(global: &Global) -> Result<(), Failure> {
    logs::start();
    let setup = setup::node(global);
    let config = setup.as_ref().ok().map(|setup| (&setup.config, setup.node));
    let released = agent::release(config, &global.runtime_dir()).map_err(|error| failure(&error))?;
    match released {
        Released::ByAgent(message) => println!("{message}"),
        Released::Directly(removed) if removed.is_empty() => println!("no address of ours was left"),
        Released::Directly(removed) => {
            for address in removed {
                println!("released {} from {}", address.address, address.name);
            }
        }
    }
    setup.map(drop)
}
