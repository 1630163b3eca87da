//! `vipd proxy`.

use std::io::ErrorKind;

use crate::control;

use super::args::{Global, ProxyOptions};
use super::exit::{Exit, Failure};
use super::{logs, setup};

pub(crate) fn proxy(global: &Global, options: ProxyOptions) -> Result<(), Failure> {
    logs::start();
    let setup::Setup { config, node, .. } = setup::node(global)?;
    let (runtime_dir, maintenance) = (global.runtime_dir(), options.maintenance);
    let options = control::Options { config, node, runtime_dir, maintenance };
    control::run(options).map_err(|error| failure(&error))
}

fn failure(error: &control::Error) -> Failure {
    let exit = match error {
        control::Error::Privilege(_) => Exit::Privilege,
        control::Error::Tls(why) if why.kind() == ErrorKind::PermissionDenied => Exit::Privilege,
        control::Error::Tls(_) => Exit::Config,
        control::Error::Start(why) if why.kind() == ErrorKind::PermissionDenied => Exit::Privilege,
        control::Error::Start(_) | control::Error::Kernel(_) => Exit::Failed,
    };
    Failure::new(exit, error)
}
