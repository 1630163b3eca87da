//! `vipd run`.

use crate::agent;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::{keys, logs, setup};

pub(crate) fn run(global: &Global) -> Result<(), Failure> {
    logs::start();
    let setup = setup::node(global)?;
    let auths = keys::load(&setup)?;
    let setup::Setup { config, text, node, .. } = setup;
    let (runtime_dir, state_dir) = (global.runtime_dir(), global.state_dir());
    let options = agent::Options { config, config_text: text, node, auths, runtime_dir, state_dir };
    agent::run(options).map_err(|error| failure(&error))
}

/// The exit code that an error of the agent room has.
pub(crate) fn failure(error: &agent::Error) -> Failure {
    let exit = match error {
        agent::Error::Privilege(_) => Exit::Privilege,
        agent::Error::Failed(_) => Exit::Failed,
    };
    Failure::new(exit, error)
}
