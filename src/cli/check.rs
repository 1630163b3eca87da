//! `vipd check`: is the config right, also for this machine?

use std::io::{Write, stderr, stdout};
use std::path::Path;

use crate::agent::{self, Advice};
use crate::config::{self, Config, Outline, Problem, Program, Severity, Sysctl, Unidentified, nearest};
use crate::net::program::account;
use crate::net::trusted;

use super::args::{CheckOptions, Global};
use super::exit::{Exit, Failure};
use super::keys;
use super::machine;
use super::pages;
use super::render::problem::report;
use super::setup;
use super::terminal::{Style, say};
use super::tls_files;

/// Prints everything that is wrong, or that nothing is.
pub(crate) fn check(global: &Global, options: &CheckOptions) -> Result<(), Failure> {
    let (file_name, text) = setup::read(global)?;
    let (config, mut problems, outline, files) = match config::parse(&file_name, &text) {
        Ok(parsed) => {
            let config::Parsed { config, warnings, outline, key_files, tls_files, pages } = parsed;
            (Some(config), warnings, outline, (key_files, tls_files, pages))
        }
        Err(errors) => (None, errors.problems, *errors.outline, Default::default()),
    };
    let (key_files, tls_files, pages) = files;
    let identified = machine::identify(&outline, global);
    if identified.is_ok() {
        problems.extend(missing_interfaces(&outline, &machine::interfaces()));
        problems.extend(config.iter().flat_map(|config| keys::problems(config, &key_files)));
        problems.extend(config.iter().flat_map(|config| tls_files::problems(config, &tls_files)));
        problems.extend(pages::problems(&pages));
        problems.extend(unfit_programs(&outline));
        problems.extend(config.iter().flat_map(|config| settings_in_the_way(config, &outline)));
        problems.sort_by_key(|problem| problem.place.start);
    }
    let report = report(&file_name, &text, &problems, Style::of(&stderr()));
    match config {
        Some(config) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            say(&report);
            valid(&config, &file_name, identified, options)
        }
        Some(_) | None => Err(Failure::reported(Exit::Config, report)),
    }
}

fn valid(
    config: &Config,
    file_name: &str,
    identified: Result<usize, Unidentified>,
    options: &CheckOptions,
) -> Result<(), Failure> {
    let here = match identified {
        Ok(node) => format!("this machine is {}", config.nodes[node].name),
        Err(unidentified) if unidentified.named => return Err(Failure::new(Exit::Config, unidentified)),
        Err(unidentified) => {
            say(&format!("note: interfaces were not checked: {unidentified}"));
            "interfaces not checked".to_owned()
        }
    };
    let summary = format!("{file_name} is valid: {}; {here}", counts(config));
    let mut out = stdout().lock();
    if options.show {
        say(&summary);
        out.write_all(config::show(config).as_bytes())?;
    } else {
        writeln!(out, "{summary}")?;
    }
    Ok(out.flush()?)
}

/// The routers whose interface is not among those of this machine.
pub(crate) fn missing_interfaces(outline: &Outline, here: &[String]) -> Vec<Problem> {
    let missing = outline.interfaces.iter().filter(|(name, _)| !here.contains(name));
    missing
        .map(|(name, place)| {
            let message = format!("this machine has no interface `{name}`");
            let mut problem = Problem::new(Severity::Error, place.clone(), message);
            match nearest(name, here.iter().map(String::as_str)) {
                Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
                None => problem.help(format!("interfaces of this machine: {}", here.join(", "))),
            };
            problem
        })
        .collect()
}

/// The kernel settings of this machine that are in the way of a router, unless the agent is to change them.
fn settings_in_the_way(config: &Config, outline: &Outline) -> Vec<Problem> {
    let found = agent::tuning(config).unwrap_or_default();
    let advised = config.routers.iter().zip(found).filter(|(router, _)| router.sysctl == Sysctl::Advise);
    let problem = |interface: &str, advice: &Advice| {
        let named = outline.interfaces.iter().find(|(name, _)| name == interface);
        let place = named.map_or(0..0, |(_, place)| place.clone());
        let mut problem = Problem::new(Severity::Warning, place, advice.what.clone());
        problem.help(advice.what_to_do());
        problem
    };
    let each = |(router, found): (&config::Router, Vec<Advice>)| {
        found.iter().map(|one| problem(&router.interface, one)).collect::<Vec<_>>()
    };
    advised.flat_map(each).collect()
}

/// The programs that the agent of this machine would refuse to run, and why.
fn unfit_programs(outline: &Outline) -> Vec<Problem> {
    let problem = |program: &Program| {
        let (message, help) = objection(program)?;
        let mut problem = Problem::new(Severity::Error, program.place.clone(), message);
        problem.help(help);
        Some(problem)
    };
    outline.programs.iter().filter_map(problem).collect()
}

/// What is wrong with a program, and what to do.
fn objection(program: &Program) -> Option<(String, String)> {
    let user = match account(&program.user) {
        Ok(user) => user,
        Err(why) => return Some((why.to_string(), "write a user that exists and is not root".to_owned())),
    };
    let why = trusted::program(Path::new(&program.path), &[user.uid.as_raw()]).err()?;
    Some((why.to_string(), why.help()))
}

fn counts(config: &Config) -> String {
    let servers = config.pools.iter().map(|pool| pool.servers.len()).sum();
    [
        (config.nodes.len(), "node"),
        (config.routers.len(), "virtual router"),
        (config.frontends.len(), "frontend"),
        (config.pools.len(), "pool"),
        (servers, "server"),
    ]
    .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
    .join(", ")
}
