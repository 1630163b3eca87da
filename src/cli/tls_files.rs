//! The files of TLS that a config names, looked at on this machine. What is wrong with one is said at the place where
//! the config names it.

use std::io::{Error, ErrorKind};
use std::ops::Range;

use crate::config::{Config, Problem, Severity, TlsFile};
use crate::net::clock;
use crate::net::secret::Circle;
use crate::net::tls::files;
use crate::net::tls::tickets::Keys;

/// What is wrong with the files, as far as this user may see it.
pub(crate) fn problems(config: &Config, files: &[(TlsFile, Range<usize>)]) -> Vec<Problem> {
    let circle = Circle::of(&config.proxy.user);
    files.iter().flat_map(|(file, place)| look(file, place, &circle)).collect()
}

fn look(file: &TlsFile, place: &Range<usize>, circle: &Circle) -> Vec<Problem> {
    let now = i64::try_from(clock::wall_ms() / 1000).unwrap_or(i64::MAX);
    let read = match file {
        TlsFile::Pair(pair) => {
            files::identity(&pair.certificate, &pair.key, circle, now).map(|identity| identity.warnings)
        }
        TlsFile::Ca(path) => files::authorities(path).map(|_| Vec::new()),
        TlsFile::TicketKeys(path) => Keys::read(path, circle).map(|_| Vec::new()),
    };
    let warning = |text: String| Problem::new(Severity::Warning, place.clone(), text);
    match read {
        Ok(warnings) => warnings.into_iter().map(warning).collect(),
        Err(error) => vec![unread(&error, place)],
    }
}

/// A file that could not be read; only a warning when root may read it.
pub(crate) fn unread(error: &Error, place: &Range<usize>) -> Problem {
    if error.kind() != ErrorKind::PermissionDenied {
        return Problem::new(Severity::Error, place.clone(), error.to_string());
    }
    let mut problem = Problem::new(Severity::Warning, place.clone(), error.to_string());
    problem.help("root reads it: it is checked only then");
    problem
}
