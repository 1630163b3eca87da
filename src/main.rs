//! `vipd`: parse arguments, call the command, map the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    vipd::cli::main()
}
