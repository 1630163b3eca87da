//! `vipd lab`.

use super::args::{Global, LabOptions};
use super::exit::{Exit, Failure};

pub(crate) fn lab(_global: &Global, options: &LabOptions) -> Result<(), Failure> {
    let LabOptions { keep: _, quick: _, advert_interval: _ } = options;
    Err(Failure::new(Exit::Failed, "`vipd lab` is not built in yet"))
}
