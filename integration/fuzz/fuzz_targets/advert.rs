//! Any packet from the wire: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none advert`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a target runs one of the checks")]
#[path = "../checks.rs"]
mod checks;

fuzz_target!(|packet: &[u8]| checks::advert(packet));
