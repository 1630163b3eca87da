//! Any script of what happens to a virtual router: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none machine`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../machine.rs"]
mod machine;

fuzz_target!(|bytes: &[u8]| machine::machine(bytes));
