//! `vipd release`.

use crate::agent::{self, Released};

use super::args::Global;
use super::exit::Failure;
use super::run::failure;
use super::{keys, logs, setup};

/// A config that cannot be used is no reason to leave an address behind: what carries our tag comes off, and
/// the config's errors are said after that.
pub(crate) fn release(global: &Global) -> Result<(), Failure> {
    logs::start();
    let setup = setup::node(global);
    let config = setup.as_ref().ok().map(|setup| (&setup.config, setup.node));
    // Without its keys a node cannot say that it goes; its addresses come off all the same.
    let (mut auths, keys) = match setup.as_ref().map(keys::load) {
        Ok(Ok(auths)) => (auths, Ok(())),
        Ok(Err(wrong)) => (Vec::new(), Err(wrong)),
        Err(_) => (Vec::new(), Ok(())),
    };
    let released =
        agent::release(config, &mut auths, &global.runtime_dir()).map_err(|error| failure(&error))?;
    match released {
        Released::ByAgent(message) => println!("{message}"),
        Released::Directly(cleared) => {
            if cleared.addresses.is_empty() && cleared.routes.is_empty() && cleared.links.is_empty() {
                println!("no address of ours was left");
            }
            for route in cleared.routes {
                println!("released the route {route}");
            }
            for address in cleared.addresses {
                println!("released {} from {}", address.address, address.name);
            }
            for link in cleared.links {
                println!("removed {link}");
            }
        }
    }
    setup.map(drop).and(keys)
}
