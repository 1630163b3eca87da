//! What can be wrong with a config: problems with their place, and the collector that the readers write to.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use super::tls::TlsFile;
use super::track::Command;
use super::valid::Config;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The config cannot be used.
    Error,
    /// The config can be used; this is probably not what was meant.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Where, in bytes of the text; on character boundaries.
    pub place: Range<usize>,
    /// A few words for beside the place.
    pub label: Option<String>,
    /// A second place that belongs to it, and a few words for it.
    pub other: Option<(Range<usize>, String)>,
    /// What to write or do instead.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `place`.
    pub fn new(severity: Severity, place: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), place, label: None, other: None, help: None }
    }

    /// Puts a few words beside the place.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Shows a second place.
    pub fn other(&mut self, place: Range<usize>, label: impl Into<String>) -> &mut Self {
        self.other = Some((place, label.into()));
        self
    }

    /// Says what to write or do instead.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
}

/// What a config comes out as when it can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The checked config.
    pub config: Config,
    /// What is allowed and still strange, in the order of the file.
    pub warnings: Vec<Problem>,
    /// What the file says about machines.
    pub outline: Outline,
    /// Where the key file of each router that has one is named, in the order of the file.
    pub key_files: Vec<Range<usize>>,
    /// The files of TLS, and where each is named.
    pub tls_files: Vec<(TlsFile, Range<usize>)>,
    /// The maintenance pages, and where each is named.
    pub pages: Vec<(PathBuf, Range<usize>)>,
}

/// What a file says about machines, as far as it could be read, for whoever compares it with a real one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The nodes: names and addresses.
    pub nodes: Vec<(String, IpAddr)>,
    /// The interfaces of the routers, and where each is named.
    pub interfaces: Vec<(String, Range<usize>)>,
    /// The programs that the agent runs.
    pub programs: Vec<Program>,
}

/// A program that the file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: String,
    /// Whom it runs as.
    pub user: String,
    /// Where it is named.
    pub place: Range<usize>,
}

impl Program {
    pub(super) fn of(command: &Command, place: Range<usize>) -> Self {
        Self { path: command.program().to_owned(), user: command.user.clone(), place }
    }
}

/// Why a config cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    /// What the caller called the file.
    pub file_name: String,
    /// The text of the file.
    pub text: String,
    /// The problems in the order of the file, each an error; at least one.
    pub problems: Vec<Problem>,
    /// What the file says about machines, so that what is wrong with that can be said in the same go.
    pub outline: Box<Outline>,
}

impl fmt::Display for Errors {
    /// One line a problem, `file:line:column: message; help`, for logs. People at a terminal get the lines
    /// shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let (line, column) = line_column(&self.text, problem.place.start);
            let end_of_last = if index == 0 { "" } else { "\n" };
            write!(f, "{end_of_last}{}:{line}:{column}: {}", self.file_name, problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Line and column, both from 1, of a byte of the text; the column counts characters.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Why a single value is wrong, before anyone knows where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Collects problems while the file is read on.
pub(super) struct Problems<'t> {
    text: &'t str,
    list: Vec<Problem>,
    /// Lines that are not TOML. What else is wrong there, or absent anywhere, is probably a consequence.
    torn_lines: Vec<usize>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new(), torn_lines: Vec::new() }
    }

    /// The text is not TOML at this place.
    pub(super) fn syntax(&mut self, message: &str, span: Option<Range<usize>>) {
        let place = self.clamp(span.unwrap_or(0..0));
        self.torn_lines.push(line_column(self.text, place.start).0);
        self.list.push(Problem::new(Severity::Error, place, format!("not TOML: {message}")));
    }

    /// Whether the file was not read whole, so that an absent thing may be there all the same.
    pub(super) fn torn(&self) -> bool {
        !self.torn_lines.is_empty()
    }

    pub(super) fn error(&mut self, place: Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, place, message.into())
    }

    pub(super) fn warning(&mut self, place: Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, place, message.into())
    }

    /// Something is not there; no error while part of the file could not be read.
    pub(super) fn missing(&mut self, place: Range<usize>, message: impl Into<String>, help: &str) {
        if !self.torn() {
            self.error(place, message).help(help);
        }
    }

    pub(super) fn wrong(&mut self, place: Range<usize>, wrong: Wrong) {
        self.error(place, wrong.message).help = wrong.help;
    }

    /// Whether nothing is wrong so far.
    pub(super) fn none(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        let (text, torn) = (self.text, self.torn_lines);
        self.list.retain(|problem| {
            problem.message.starts_with("not TOML")
                || !torn.contains(&line_column(text, problem.place.start).0)
        });
        self.list.sort_by_key(|problem| problem.place.start);
        self.list
    }

    fn add(&mut self, severity: Severity, place: Range<usize>, message: String) -> &mut Problem {
        let place = self.clamp(place);
        self.list.push(Problem::new(severity, place, message));
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// The same place within the text and on character boundaries.
    fn clamp(&self, place: Range<usize>) -> Range<usize> {
        let floor = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(place.start), floor(place.end));
        start..end.max(start)
    }
}
