//! Routes that move with a router.

use super::*;

const VRID: &str = "vrid = 51";

fn routes(list: &str) -> String {
    with(VRID, &format!("{VRID}\nroutes = [{list}]"))
}

#[test]
fn a_route_is_read_with_its_defaults_and_shown_with_them() {
    let everything = r#"{ to = "10.8.0.0/16", via = "10.77.0.254", interface = "eth1", src = "10.77.0.100",
        metric = 50, table = 1000 }"#;
    let list =
        format!(r#"{{ to = "0.0.0.0/0", via = "10.77.0.254" }}, {everything}, {{ to = "2001:db8::/32" }}"#);
    let Parsed { config, warnings, outline, .. } = parsed(&routes(&list));
    assert_eq!(warnings, []);
    let said: Vec<_> = config.routers[0].routes.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "0.0.0.0/0 via 10.77.0.254 on eth0",
            "10.8.0.0/16 via 10.77.0.254 on eth1 in table 1000",
            "2001:db8::/32 on eth0"
        ]
    );
    let numbers: Vec<_> = config.routers[0].routes.iter().map(|route| (route.metric, route.table)).collect();
    assert_eq!(numbers, [(0, 254), (50, 1_000), (1_024, 254)]);
    assert_eq!(config.routers[0].routes[1].source, Some([10, 77, 0, 100].into()));
    assert_eq!(
        outline.interfaces.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["eth0", "eth1"]
    );
    assert_eq!(parsed(&show(&config)).config, config);
}

#[test]
fn a_wrong_route_says_what_to_write() {
    let wrong = |list: &str, expected: &str| assert_eq!(problems(&routes(list)), [expected]);
    wrong(
        r#"{ to = "10.8.1.0/16" }"#,
        "\"10.8.1.0/16\": `10.8.1.0/16` is an address in a network; write the network: \"10.8.0.0/16\"",
    );
    wrong(
        r#"{ to = "default" }"#,
        "\"default\": `default` does not say of which family; write \"0.0.0.0/0\" for everything over IPv4, \"::/0\" \
         over IPv6",
    );
    wrong(
        r#"{ to = "10.8.0.0/16", via = "fe80::1" }"#,
        "\"fe80::1\": fe80::1 is IPv6; write one route for each family",
    );
    wrong(
        r#"{ to = "10.8.0.0/16", via = "10.77.0.254/24" }"#,
        "\"10.77.0.254/24\": `10.77.0.254/24` is no address; write an address alone: \"10.77.0.254\"",
    );
    wrong(
        r#"{ to = "10.8.0.0/16", gateway = "10.77.0.254" }"#,
        "gateway: unknown key `gateway` in a route; a route \
         knows: to, via, interface, src, metric, table",
    );
    wrong(
        r#"{ to = "10.8.0.0/16", table = 0 }"#,
        "0: the number of a table is 1 to 4294967295; write a number from \
         1 to 4294967295",
    );
    let twice = r#"{ to = "10.8.0.0/16", via = "10.77.0.253" }, { to = "10.8.0.0/16", metric = 0 }"#;
    wrong(
        twice,
        "{ to = \"10.8.0.0/16\", metric = 0 }: another route to 10.8.0.0/16 has the same metric in the same table; \
         give each its own `metric`, or remove one",
    );
    assert_eq!(problems(&routes(&twice.replace("metric = 0", "metric = 9"))), [""; 0]);
}
