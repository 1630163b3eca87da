//! TOML → raw → [`Config`]: every error at once, each with its line and column and what to write instead.
//!
//! [`parse`] walks the spanned TOML tree with `table`'s reader, which collects mistakes and goes on
//! (`raw`), then `resolve` checks what concerns several places of the file: names, references,
//! duplicates. `lint` looks for what is allowed and still strange. [`Config::identify`] says which node of
//! the file this machine is.
//!
//! This room must never open a file, ask the machine anything, or let an unchecked value out.

mod address;
mod auth;
mod balance;
mod blind;
mod checks;
mod heartbeat;
mod identify;
mod lint;
mod maintenance;
mod nearest;
mod passive;
mod per_source;
mod placed;
mod pools;
mod problem;
mod proxy_protocol;
mod quantity;
mod queue;
mod raw;
mod request_route;
mod resolve;
mod routes;
mod settings;
mod show;
mod sysctl;
mod table;
mod tls;
mod track;
mod valid;
mod value;
mod vmac;

#[cfg(test)]
mod tests;

pub use balance::{Balance, HashKey};
pub use checks::{Check, CheckKind, HttpCheck, Method, PostgresCheck, RedisCheck, Role};
pub use heartbeat::Heartbeat;
pub use identify::{Clues, Unidentified};
pub use maintenance::Maintenance;
pub use nearest::nearest;
pub use passive::Passive;
pub use per_source::PerSource;
pub use placed::Elsewhere;
pub use problem::{Errors, Outline, Parsed, Problem, Program, Severity, line_column};
pub use proxy_protocol::Network;
pub use quantity::{advert_interval, duration, duration_text};
pub use queue::Queue;
pub use request_route::{Pattern, Redirect, RequestRoute};
pub use routes::Route;
pub use show::show;
pub use sysctl::Sysctl;
pub use tls::{ClientAuth, FrontendTls, KeyPair, PoolTls, TlsFile, TlsSettings, TlsVersion, Verify};
pub use track::{Command, Hook, Pace, Tracked, Tracker};
pub use valid::{
    Auth, Config, Frontend, Garp, Limits, Mode, Node, Pool, ProxySettings, Router, Server, Transport,
};

use toml::de::DeTable;

use problem::Problems;

/// Reads a config. `file_name` is only for the words of the errors.
///
/// # Errors
/// Everything that is wrong with `text`, in the order of the file; never empty.
pub fn parse(file_name: &str, text: &str) -> Result<Parsed, Errors> {
    let (tree, mistakes) = DeTable::parse_recoverable(text);
    let mut problems = Problems::new(text);
    for mistake in &mistakes {
        problems.syntax(mistake.message(), mistake.span());
    }
    let file = raw::read(tree.get_ref(), &mut problems);
    resolve::cross_check(&file, &mut problems);
    let outline = file.outline();
    if problems.none() {
        lint::lint(&file, &mut problems);
        let (key_files, tls_files) = (file.key_files(), file.tls_files());
        let pages = maintenance::pages(&file.frontends);
        if let Some(config) = resolve::config(file) {
            return Ok(Parsed { config, warnings: problems.finish(), outline, key_files, tls_files, pages });
        }
    }
    let (file_name, text) = (file_name.to_owned(), text.to_owned());
    Err(Errors { file_name, text, problems: problems.finish(), outline: Box::new(outline) })
}
