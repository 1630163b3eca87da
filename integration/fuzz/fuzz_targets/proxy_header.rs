//! Any bytes as the PROXY header of a connection: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none proxy_header`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a target runs one of the checks")]
#[path = "../checks.rs"]
mod checks;

fuzz_target!(|bytes: &[u8]| checks::proxy_header(bytes));
