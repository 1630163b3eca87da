//! `vipd lab`.

use std::process::ExitCode;

use crate::lab::story;

use super::args::LabOptions;

pub(crate) fn lab(options: &LabOptions) -> ExitCode {
    let LabOptions { keep, quick: _, advert_interval: _ } = options;
    ExitCode::from(story::command(story::Options { keep: *keep }))
}
