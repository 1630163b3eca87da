//! Any frame: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none claim`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a target runs one of the checks")]
#[path = "../checks.rs"]
mod checks;

fuzz_target!(|frame: &[u8]| checks::claim(frame));
