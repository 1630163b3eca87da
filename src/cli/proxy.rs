//! `vipd proxy`.

use super::args::Global;
use super::exit::{Exit, Failure};
use super::{logs, setup};

pub(crate) fn proxy(global: &Global) -> Result<(), Failure> {
    logs::start();
    let _setup = setup::node(global)?;
    Err(Failure::new(Exit::Failed, "`vipd proxy` is not built in yet"))
}
