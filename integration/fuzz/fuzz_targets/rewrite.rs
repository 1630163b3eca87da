//! Any head and what is passed on of it: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none rewrite`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a target runs one of the checks")]
#[path = "../checks.rs"]
mod checks;

fuzz_target!(|bytes: &[u8]| checks::rewrite(bytes));
