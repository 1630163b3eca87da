//! `per_source` of a frontend.

use std::time::Duration;

use super::*;
use crate::pool::{Bounds, Rate};

const POOL: &str = "pool = \"app\"";

fn limited(per_source: &str) -> String {
    with(POOL, &format!("{POOL}\nper_source = {per_source}"))
}

fn per_source(text: &str) -> PerSource {
    let config = parsed(&limited(text)).config;
    assert_eq!(parsed(&show(&config)).config, config, "shown as it is read");
    config.frontends[0].per_source.clone().expect("it is given")
}

#[test]
fn off_unless_given() {
    assert_eq!(parsed(SMALL).config.frontends[0].per_source, None);
    let config = parsed(&limited("\"off\"")).config;
    assert_eq!(config.frontends[0].per_source, None);
    assert_eq!(parsed(&show(&config)).config, config);
}

#[test]
fn limits_are_read_and_shown() {
    let read = per_source("{ connections = 100, connection_rate = \"50/s\", request_rate = \"600/m\" }");
    let rate = |count, seconds| Rate { count, period: Duration::from_secs(seconds), burst: count };
    let bounds = Bounds {
        connections: Some(100),
        connection_rate: Some(rate(50, 1)),
        request_rate: Some(rate(600, 60)),
    };
    assert_eq!(read, PerSource::new(bounds));
    let read = per_source(
        "{ request_rate = \"1/h\", request_burst = 5, ipv6_prefix = 56, table = 2048, except = [\"10.0.0.0/8\"] }",
    );
    let rate = Rate { burst: 5, ..rate(1, 3600) };
    assert_eq!(read.bounds, Bounds { request_rate: Some(rate), ..Bounds::default() });
    assert_eq!((read.ipv6_prefix, read.table, read.except.len()), (56, 2048, 1));
}

#[test]
fn a_source_is_an_ipv4_address_or_a_network_of_ipv6() {
    let read = per_source("{ connections = 1, except = [\"10.0.0.0/8\", \"2001:db8:ffff::/48\"] }");
    let source = |text: &str| {
        let source = read.source(text.parse().expect("an address"));
        source.map_or("none".to_owned(), |source| source.to_string())
    };
    for (address, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("10.1.2.3", "none"),
        ("::ffff:10.1.2.3", "none"),
        ("2001:db8:ffff::1", "none"),
    ] {
        assert_eq!(source(address), expected, "{address}");
    }
    let whole = per_source("{ connections = 1, ipv6_prefix = 128 }");
    let address = "2001:db8::7".parse().expect("an address");
    assert_eq!(whole.source(address), Some(address));
}

#[test]
fn what_is_wrong_is_said() {
    for (text, what) in [
        ("{}", "per_source limits nothing"),
        ("100", "expected a table or \"off\", found an integer"),
        ("{ connections = 0 }", "a number of connections is 1 to 1000000"),
        ("{ request_rate = 50 }", "a rate needs a period; write \"50/s\""),
        ("{ request_rate = \"0/s\" }", "a rate is 1 to 1000000 in its period; write \"1/m\""),
        ("{ request_rate = \"5/d\" }", "`5/d` is no rate; write a number and s, m or h"),
        ("{ request_rate = \"+5/s\" }", "`+5/s` is no rate"),
        ("{ request_rate = \"99999999999/s\" }", "a rate is 1 to 1000000"),
        ("{ request_rate = \"5/s\", request_burst = 0 }", "a burst is 1 to 1000000"),
        (
            "{ connections = 1, request_burst = 5 }",
            "`request_burst` is about a `request_rate`, and there is none",
        ),
        ("{ connections = 1, ipv6_prefix = 0 }", "a prefix of IPv6 is 1 to 128"),
        ("{ connections = 1, table = 10 }", "a number of sources is 1024 to 16777216"),
        ("{ conections = 1 }", "did you mean `connections`?"),
    ] {
        let said = problems(&limited(text)).join("\n");
        assert!(said.contains(what), "{text}: {said}");
    }
    let tcp = limited("{ request_rate = \"5/s\" }").replacen(POOL, "pool = \"app\"\nmode = \"tcp\"", 1);
    let said = problems(&tcp).join("\n");
    assert!(said.contains("a frontend with mode = \"tcp\" sees no requests"), "{said}");
}

#[test]
fn what_strikes_all_clients_or_none_is_strange() {
    let limits = "\n[limits]\nconnections = 50000\n";
    for (text, what) in [
        (limited("{ connections = 10000 }"), "limits.connections is 10000 for all sources together"),
        (
            limited("{ connections = 10, table = 2048 }") + limits,
            "a table of 2048 has no place for each of 50000 clients: some count together; add table = 200000",
        ),
        (
            limited("{ connections = 10 }").replacen("10.77.0.100:80", "127.0.0.1:80", 1),
            "all its clients are one source",
        ),
    ] {
        let said = problems(&text).join("\n");
        assert!(said.contains("warning: ") && said.contains(what), "{said}");
    }
    let believing = "{ connections = 10 }\naccept_proxy = [\"127.0.0.1/32\"]";
    let said = problems(&limited(believing).replacen("10.77.0.100:80", "127.0.0.1:80", 1)).join("\n");
    assert!(!said.contains("one source"), "{said}");
}
