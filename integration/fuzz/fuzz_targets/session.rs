//! A whole session of the proxy over sockets: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none session`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a target runs one of the checks")]
#[path = "../checks.rs"]
mod checks;
#[path = "../session.rs"]
mod session;

fuzz_target!(|bytes: &[u8]| session::session(bytes));
