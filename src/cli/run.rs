//! `vipd run`.

use super::args::Global;
use super::exit::{Exit, Failure};
use super::{logs, setup};

pub(crate) fn run(global: &Global) -> Result<(), Failure> {
    logs::start();
    let (_config, _node) = setup::node(global)?;
    Err(Failure::new(Exit::Failed, "`vipd run` is not built in yet"))
}
