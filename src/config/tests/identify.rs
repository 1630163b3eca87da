//! Which node of the file a machine is.

use std::net::IpAddr;

use super::*;

#[test]
fn a_machine_is_found_by_flag_then_variable_then_hostname_then_address() {
    let config = parsed(SMALL).config;
    let local: Vec<IpAddr> = vec!["127.0.0.1".parse().expect("valid"), "10.77.0.2".parse().expect("valid")];
    let clues = Clues { flag: Some("lb1"), variable: Some("lb2"), hostname: Some("lb2"), addresses: &local };
    assert_eq!(config.identify(&clues), Ok(0));
    let clues = Clues { flag: None, variable: Some("lb1"), ..clues };
    assert_eq!(config.identify(&clues), Ok(0));
    let clues = Clues { variable: Some(""), hostname: Some("lb1.example.com"), ..clues };
    assert_eq!(config.identify(&clues), Ok(0));
    let clues = Clues { hostname: Some("build7"), ..clues };
    assert_eq!(config.identify(&clues), Ok(1));
    let nowhere = Clues { hostname: Some("build7"), addresses: &local[..1], ..Clues::default() };
    assert_eq!(
        config.identify(&nowhere).expect_err("no clue").to_string(),
        "this machine is no node of the config: the hostname is `build7`; the addresses of this machine are \
         127.0.0.1\nnodes of the config: lb1 (10.77.0.1), lb2 (10.77.0.2)\nsay which one it is with --node NAME or \
         $VIPD_NODE"
    );
    let mistyped = Clues { flag: Some("lb12"), hostname: Some("lb1"), addresses: &local, ..Clues::default() };
    let error = config.identify(&mistyped).expect_err("a wrong name ends the search");
    assert!(error.named && error.to_string().ends_with("did you mean `lb1`?"), "{error}");
}
