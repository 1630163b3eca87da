//! Any packet from the wire: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none advert`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks.rs"]
mod checks;

fuzz_target!(|packet: &[u8]| checks::advert(packet));
