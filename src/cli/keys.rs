//! The key files of a config, read on the machine that signs with them. What is wrong with one is said at the place
//! where the config names it.

use std::io::{ErrorKind, stderr};
use std::ops::Range;
use std::path::Path;

use crate::config::{self, Config, Problem, Severity};
use crate::net::secret;
use crate::vrrp::auth::{Auth, KeyId, Keys, Policy};

use super::exit::{Exit, Failure};
use super::render::problem::report;
use super::setup::Setup;
use super::terminal::Style;

/// What signs and verifies for each router of the config that authenticates.
///
/// # Errors
/// Everything that is wrong with the key files.
pub(crate) fn load(setup: &Setup) -> Result<Vec<Option<Auth>>, Failure> {
    let (auths, problems) = read(&setup.config, &setup.key_files, Severity::Error);
    if problems.is_empty() {
        return Ok(auths);
    }
    let report = report(&setup.file_name, &setup.text, &problems, Style::of(&stderr()));
    Err(Failure::reported(Exit::Config, report))
}

/// What is wrong with the key files, as far as this user may see it.
pub(crate) fn problems(config: &Config, key_files: &[Range<usize>]) -> Vec<Problem> {
    read(config, key_files, Severity::Warning).1
}

/// `hidden` is how bad it is that a file may not be read.
fn read(config: &Config, key_files: &[Range<usize>], hidden: Severity) -> (Vec<Option<Auth>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut places = key_files.iter().cloned();
    let mut of_router = |auth: &config::Auth| {
        let place = places.next().unwrap_or_default();
        match one(&auth.key_file, auth.policy, &place, hidden) {
            Ok(auth) => Some(auth),
            Err(wrong) => {
                problems.extend(wrong);
                None
            }
        }
    };
    let auths = config.routers.iter().map(|router| router.auth.as_ref().and_then(&mut of_router)).collect();
    (auths, problems)
}

fn one(path: &Path, policy: Policy, place: &Range<usize>, hidden: Severity) -> Result<Auth, Vec<Problem>> {
    let problem = |severity, message: String| Problem::new(severity, place.clone(), message);
    let text = secret::read(path).map_err(|error| {
        if error.kind() != ErrorKind::PermissionDenied {
            return vec![problem(Severity::Error, error.to_string())];
        }
        let mut problem = problem(hidden, error.to_string());
        problem.help("root reads it: its keys are checked only then");
        vec![problem]
    })?;
    let shown = path.display();
    let keys = Keys::parse(&text).map_err(|wrong| {
        let lines = wrong.into_iter().map(|wrong| problem(Severity::Error, format!("{shown}: {wrong}")));
        lines.collect::<Vec<_>>()
    })?;
    let known = keys.ids().map(|id| id.to_string()).collect::<Vec<_>>().join(", ");
    Auth::new(policy, keys).ok_or_else(|| vec![no_such_key(problem, path, policy.active, &known)])
}

/// `active` and the key file contradict each other.
fn no_such_key(
    problem: impl Fn(Severity, String) -> Problem,
    path: &Path,
    active: KeyId,
    known: &str,
) -> Problem {
    let shown = path.display();
    let message = format!("`active` is {active}, and {shown} has no key {active}, only {known}");
    let mut problem = problem(Severity::Error, message);
    problem.help(format!("add a line `{active} HEX` on every node, or make another key active"));
    problem
}
