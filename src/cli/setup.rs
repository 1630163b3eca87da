//! From the file to a checked config, and to the node that this machine is.

use std::io::{ErrorKind, stderr};
use std::ops::Range;

use crate::config::{self, Config};

use super::args::Global;
use super::exit::{Exit, Failure};
use super::machine;
use super::render::problem::report;
use super::terminal::{Style, say};

/// The file of `--config`: what it is called in messages, and its text. `-` is standard input: so the agent
/// gives its proxy the very text that it checked.
pub(crate) fn read(global: &Global) -> Result<(String, String), Failure> {
    let file_name = global.config.display().to_string();
    let text = match file_name.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(&global.config),
    };
    match text {
        Ok(text) => Ok((file_name, text)),
        Err(error) => Err(unreadable(&file_name, &error)),
    }
}

/// What the commands that act as a node start from.
pub(crate) struct Setup {
    /// The checked config.
    pub(crate) config: Config,
    /// What it is called in messages.
    pub(crate) file_name: String,
    /// The text it was read from.
    pub(crate) text: String,
    /// Where it names the key files.
    pub(crate) key_files: Vec<Range<usize>>,
    /// Which of its nodes this machine is.
    pub(crate) node: usize,
}

/// The config and the node that this machine is. Warnings go to standard error, unless the agent that hands
/// its text on has said them already.
pub(crate) fn node(global: &Global) -> Result<Setup, Failure> {
    let (file_name, text) = read(global)?;
    let style = Style::of(&stderr());
    let parsed = config::parse(&file_name, &text).map_err(|errors| {
        Failure::reported(Exit::Config, report(&file_name, &text, &errors.problems, style))
    })?;
    if file_name != "-" {
        say(&report(&file_name, &text, &parsed.warnings, style));
    }
    let node = machine::identify(&parsed.outline, global)
        .map_err(|unidentified| Failure::new(Exit::Config, unidentified))?;
    Ok(Setup { config: parsed.config, file_name, text, key_files: parsed.key_files, node })
}

fn unreadable(file_name: &str, error: &std::io::Error) -> Failure {
    let kind = error.kind();
    let (exit, what_to_do) = if kind == ErrorKind::PermissionDenied {
        (Exit::Privilege, "be root, or a user who may read it")
    } else if kind == ErrorKind::InvalidData {
        (Exit::Config, "a config is text in UTF-8")
    } else {
        (Exit::Config, "say where it is with --config PATH or $VIPD_CONFIG")
    };
    Failure::new(exit, format_args!("cannot read {file_name}: {error}\n{what_to_do}"))
}
