//! Whole files: what a good one means, and what several mistakes at once look like.

use std::time::Duration;

use super::*;
use crate::vrrp::{Centis, Preempt};

#[test]
fn a_small_file_has_the_documented_defaults() {
    let Parsed { config, warnings, outline, .. } = parsed(SMALL);
    assert_eq!(warnings, []);
    let (name, place) = &outline.interfaces[0];
    assert_eq!((name.as_str(), &SMALL[place.clone()]), ("eth0", "\"eth0\""));
    let router = &config.routers[0];
    assert_eq!((router.advert_interval, router.preempt), (Centis::new(10).expect("valid"), Preempt::Always));
    let check = config.pools[0].check.as_ref().expect("there is one");
    let second = Duration::from_secs(1);
    assert_eq!((check.interval, check.timeout, check.rise, check.fall), (second, second, 2, 3));
    assert_eq!(*check, Check::new(CheckKind::Http(HttpCheck::get("/health"))));
    assert_eq!(config.pools[0].servers[0].weight, 1);
    assert!(config.frontends[0].defer_accept && !config.frontends[0].fast_open);
    assert_eq!(config.proxy, ProxySettings::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!((config.limits.head, config.limits.headers), (32_768, 100));
}

#[test]
fn the_labs_file_is_valid_without_a_warning() {
    let Parsed { config, warnings, .. } = parsed(LAB);
    assert_eq!(warnings, []);
    assert_eq!(config.nodes.iter().map(|node| node.priority.get()).collect::<Vec<_>>(), [200, 100]);
    assert_eq!(
        config.frontends.iter().map(|frontend| frontend.bind[0].port()).collect::<Vec<_>>(),
        [3000, 5000]
    );
    assert_eq!(
        config.pools[config.frontends[1].pool.expect("a pool")].servers[2].address.to_string(),
        "10.77.0.13:8081"
    );
}

#[test]
fn what_show_prints_is_read_back_as_the_same_config() {
    let everything = with("check = { http = \"/health\" }", EVERYTHING)
        + "[proxy]\nthreads = 3\n[limits]\nbody = \"1.5MiB\"";
    let everything =
        everything.replace("pool = \"app\"", "pool = \"app\"\ndefer_accept = false\nfast_open = true");
    for text in [SMALL, LAB, &everything] {
        let config = parsed(text).config;
        assert_eq!(parsed(&show(&config)).config, config);
    }
}

const EVERYTHING: &str = r#"check = { http = "/health?a=\"b\"", host = "app.example.com:8080",
  expect = [200, "300-399"], interval = "1.25s", timeout = "90ms", rise = 1, fall = 7 }"#;

#[test]
fn every_error_comes_in_one_go_in_the_order_of_the_file() {
    let text = SMALL
        .replace("priority = 200", "prioritty = 200")
        .replace("\"10.77.0.100/24\"", "\"10.77.0.300/24\"")
        .replace("vrid = 51", "vrid = 0")
        .replace("pool = \"app\"", "pool = \"apps\"")
        .replace("{ http = \"/health\" }", "{ http = \"/health\", interval = 5 }");
    assert_eq!(
        problems(&text),
        [
            "prioritty: unknown key `prioritty` in [[node]]; did you mean `priority`?",
            "0: a virtual router id is 1 to 255; write a number from 1 to 255",
            "\"10.77.0.300/24\": `10.77.0.300` is not an IPv4 address; write it like \"10.77.0.100/24\"",
            "\"apps\": there is no pool `apps`; did you mean \"app\"?",
            "5: a length of time needs a unit; write \"5s\" with its unit, in quotes",
        ]
    );
}

#[test]
fn names_and_ids_that_must_be_unique_show_where_they_were_first_used() {
    let twice = |old: &str, new: &str, expected: &str| {
        let text = with(old, new);
        assert_eq!(problems(&text), [expected]);
        let first =
            parse("f", &text).expect_err("a duplicate").problems.remove(0).other.expect("a second place");
        assert!(
            first.0.end < text.rfind(expected.split(": ").next().unwrap_or_default()).unwrap_or(0),
            "{first:?}"
        );
    };
    twice(
        "name = \"lb2\"",
        "name = \"lb1\"",
        "\"lb1\": another node is called `lb1`; give each its own name",
    );
    twice(
        "10.77.0.2",
        "10.77.0.1",
        "\"10.77.0.1\": two nodes have the address 10.77.0.1; each machine has its own address",
    );
    twice("app2", "app1", "\"app1\": another server of this pool is called `app1`; give each its own name");
    let router = "[[frontend]]";
    let second = |interface: &str, vrid: u8| {
        format!(
            "[[vrrp]]\nname = \"db\"\ninterface = \"{interface}\"\nvrid = {vrid}\naddresses = \
             [\"10.77.0.101/24\"]\n{router}"
        )
    };
    assert_problem(
        router,
        &second("eth0", 51),
        "51: vrid 51 is used twice on eth0; a vrid that is free in this file: 52",
    );
    assert_eq!(problems(&with(router, &second("eth1", 51))), [""; 0]);
    let same = second("eth1", 51).replace("10.77.0.101", "10.77.0.100");
    assert_problem(router, &same, "\"10.77.0.100/24\": the address 10.77.0.100 is there twice");
    let bind = "[\"10.77.0.100:80\"]";
    assert_problem(
        bind,
        "[\"10.77.0.100:80\", \"10.77.0.100:80\"]",
        "\"10.77.0.100:80\": 10.77.0.100:80 is bound twice",
    );
}

#[test]
fn text_that_is_not_toml_is_said_without_inventing_what_is_missing() {
    let text = with("priority = 200", "priority =").replace("vrid = 51", "vrid = 0");
    let found = problems(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("not TOML"), "{found:#?}");
    assert!(found[1].starts_with("0: a virtual router id is 1 to 255"), "{found:#?}");
    let twice = problems(&with("vrid = 51", "vrid = 51\nvrid = 52"));
    assert_eq!(twice, ["vrid: not TOML: duplicate key"]);
}

#[test]
fn tables_of_the_wrong_shape_say_the_right_one() {
    assert_problem(
        "[[pool]]",
        "[pool]",
        "[pool]: `pool` stands for a list of tables, this is a table; write [[pool]] with two brackets",
    );
    assert_problem(
        "bind = [\"10.77.0.100:80\"]",
        "bind = \"10.77.0.100:80\"",
        "\"10.77.0.100:80\": expected a list, found a string; write bind = [\"10.77.0.100:80\"]",
    );
    assert_problem("{ http = \"/health\" }", "\"/health\"", "\"/health\": expected a table, found a string");
    assert_problem(
        "{ http = \"/health\" }",
        "{}",
        "{}: the check does not say what to ask; add http = \"/health\" or tcp = true",
    );
    assert_problem(
        "{ http = \"/health\" }",
        "{ tcp = true, http = \"/\" }",
        "true: a check is either `http` or `tcp`; remove one of the two",
    );
    assert_problem(
        "{ http = \"/health\" }",
        "{ tcp = true, host = \"a\" }",
        "host: unknown key `host` in check; check knows: tls, http, tcp, exec, postgres, redis, \
         grpc, interval, timeout, fast_interval, down_interval, rise, fall",
    );
    assert_eq!(problems("").len(), 2);
}
