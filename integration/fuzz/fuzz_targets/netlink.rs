//! Any answers to a look at the kernel: `cargo fuzz run --fuzz-dir integration/fuzz --sanitizer none netlink`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../netlink.rs"]
mod netlink;

fuzz_target!(|bytes: &[u8]| netlink::netlink(bytes));
