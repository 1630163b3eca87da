//! `accept_proxy` and `send_proxy`.

use super::*;
use crate::pool::SendProxy;

const FRONTEND: &str = "pool = \"app\"";
const POOL: &str = "check = { http = \"/health\" }";

fn accepting(networks: &str) -> String {
    SMALL.replacen(FRONTEND, &format!("{FRONTEND}\naccept_proxy = {networks}"), 1)
}

fn sending(version: &str) -> String {
    SMALL.replacen(POOL, &format!("{POOL}\nsend_proxy = {version}"), 1)
}

#[test]
fn off_unless_given_and_shown_as_they_are_read() {
    let config = parsed(SMALL).config;
    assert_eq!((config.frontends[0].accept_proxy.len(), config.pools[0].send_proxy), (0, None));
    for (text, version) in
        [("\"v1\"", Some(SendProxy::V1)), ("\"v2\"", Some(SendProxy::V2)), ("\"off\"", None)]
    {
        let config = parsed(&sending(text)).config;
        assert_eq!(config.pools[0].send_proxy, version);
        assert_eq!(parsed(&show(&config)).config, config);
    }
    let config = parsed(&accepting(r#"["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::/0"]"#)).config;
    let said: Vec<_> = config.frontends[0].accept_proxy.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::/0"]);
    assert_eq!(parsed(&show(&config)).config, config);
}

#[test]
fn networks_have_their_addresses_and_no_others() {
    for (network, inside, outside) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "::a00:1"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
        ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
        ("::/0", "2001:db8::1", "192.0.2.7"),
    ] {
        let config = parsed(&accepting(&format!("[\"{network}\"]"))).config;
        let network = config.frontends[0].accept_proxy[0];
        assert!(network.contains(inside.parse().expect("an address")), "{network} {inside}");
        assert!(!network.contains(outside.parse().expect("an address")), "{network} {outside}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (networks, what) in [
        ("[\"10.0.0.1/8\"]", "write \"10.0.0.0/8\""),
        ("[\"2001:db8::1/32\"]", "write \"2001:db8::/32\""),
        ("[\"10.0.0.0/33\"]", "is no network"),
        ("[\"10.0.0.0/+8\"]", "is no network"),
        ("[\"lb.example.com\"]", "is no network"),
        ("\"10.0.0.0/8\"", "a list of networks"),
        ("[10]", "a string"),
    ] {
        let said = problems(&accepting(networks)).join("\n");
        assert!(said.contains(what), "{networks}: {said}");
    }
    let said = problems(&sending("\"v3\"")).join("\n");
    assert!(said.contains("`v3` is not known here"), "{said}");
}
