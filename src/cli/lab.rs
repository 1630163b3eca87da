//! `vipd lab`.

use std::process::ExitCode;

use crate::lab::story;

use super::args::LabOptions;

pub(crate) fn lab(options: &LabOptions) -> ExitCode {
    let LabOptions { keep, quick, advert_interval } = *options;
    ExitCode::from(story::command(story::Options { keep, quick, advert_interval }))
}
