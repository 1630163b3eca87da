//! The kernel settings that are in the way on this machine, without an agent that runs.

use crate::config::Config;
use crate::ha::{Advice, advice};
use crate::net::netlink::Netlink;
use crate::net::sysctl;

use super::{Error, runtime};

/// What is in the way of each router of `config` on this machine, in their order.
///
/// # Errors
/// [`Error::Failed`] when the kernel does not say which interfaces there are.
pub fn tuning(config: &Config) -> Result<Vec<Vec<Advice>>, Error> {
    let look = async { Netlink::open()?.interfaces() };
    let failed = |error| Error::Failed(format!("the interfaces of this machine are not known: {error}"));
    let interfaces = runtime()?.block_on(look).map_err(failed)?;
    Ok(config.routers.iter().map(|router| advice(config, router, &interfaces, sysctl::read)).collect())
}
