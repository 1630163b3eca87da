//! Any advert with a trailer: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none auth`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a target runs one of the checks")]
#[path = "../checks.rs"]
mod checks;

fuzz_target!(|image: &[u8]| checks::auth(image));
