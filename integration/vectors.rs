//! The seeds of the fuzz targets as ordinary tests: what fuzzing found once stays found.

use std::fs;
use std::path::Path;

#[path = "fuzz/checks.rs"]
mod checks;
#[path = "fuzz/machine.rs"]
mod machine;
#[path = "fuzz/netlink.rs"]
mod netlink;
#[path = "fuzz/session.rs"]
mod session;

#[test]
fn adverts() {
    assert!(each("advert", checks::advert) >= 20);
}

#[test]
fn authentication() {
    assert!(each("auth", checks::auth) >= 20);
}

#[test]
fn claims_of_addresses() {
    assert!(each("claim", checks::claim) >= 20);
}

#[test]
fn machines() {
    assert!(each("machine", machine::machine) >= 20);
}

#[test]
fn answers_of_the_kernel() {
    assert!(each("netlink", netlink::netlink) >= 20);
}

#[test]
fn heads() {
    assert!(each("head", checks::head) >= 40);
}

#[test]
fn framings() {
    assert!(each("framing", checks::framing) >= 40);
}

#[test]
fn rewrites() {
    assert!(each("rewrite", checks::rewrite) >= 40);
}

#[test]
fn chunks() {
    assert!(each("chunked", checks::chunked) >= 40);
}

#[test]
fn proxy_headers() {
    assert!(each("proxy_header", checks::proxy_header) >= 30);
}

#[test]
fn sessions() {
    assert!(each("session", session::session) >= 60);
}

/// Runs `check` over every seed of a target and says how many there were.
fn each(target: &str, check: fn(&[u8])) -> usize {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/fuzz/corpus").join(target);
    let seeds = fs::read_dir(dir).expect("a corpus for each target");
    seeds.map(|seed| check(&fs::read(seed.expect("readable").path()).expect("readable"))).count()
}
