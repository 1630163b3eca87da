//! `vipd release`.

use super::args::Global;
use super::exit::{Exit, Failure};
use super::{logs, setup};

pub(crate) fn release(global: &Global) -> Result<(), Failure> {
    logs::start();
    let (_config, _node) = setup::node(global)?;
    Err(Failure::new(Exit::Failed, "`vipd release` is not built in yet"))
}
