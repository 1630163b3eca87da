//! Arguments, the client of `agent.sock`, and what is printed.
//!
//! Every command is a file with one function: it takes its arguments, prints its result to standard output
//! and returns what went wrong as a [`Failure`], which carries the exit code. Nothing here decides anything
//! about addresses or servers, and only this room reads the config file, `$VIPD_NODE` and the terminal.

mod args;
mod check;
mod client;
mod debug;
mod exit;
mod handover;
mod keys;
mod lab;
mod logs;
mod machine;
mod maintenance;
mod pages;
mod proxy;
mod release;
mod render;
mod run;
mod setup;
mod status;
mod terminal;
mod tls_files;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
pub use exit::{Exit, Failure};

/// The whole program: parses the arguments, runs the command and says what went wrong on standard error.
pub fn main() -> ExitCode {
    let Args { global, command } = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let outcome = match command {
        Command::Run => run::run(&global),
        Command::Check(options) => check::check(&global, &options),
        Command::Status(options) => status::status(&global, &options),
        Command::Handover(options) => handover::handover(&global, options),
        Command::Maintenance(options) => maintenance::maintenance(&global, options),
        Command::Release => release::release(&global),
        Command::Lab(options) => return lab::lab(&options),
        Command::Debug(what) => debug::debug(&global, &what),
        Command::Proxy(options) => proxy::proxy(&global, options),
    };
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            terminal::say(&failure.to_string());
            failure.exit().into()
        }
    }
}

/// Help and version go to standard output and are no failure; a usage error is 64, not clap's 2.
fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    match error.print() {
        Ok(()) => exit.into(),
        Err(_) => Exit::Failed.into(),
    }
}
