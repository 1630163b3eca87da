//! What the config says of good and of bad files.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::vrrp::{Centis, Preempt};

const SMALL: &str = r#"
[[node]]
name = "lb1"
address = "10.77.0.1"
priority = 200

[[node]]
name = "lb2"
address = "10.77.0.2"
priority = 100

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
addresses = ["10.77.0.100/24"]

[[frontend]]
name = "web"
bind = ["10.77.0.100:80"]
pool = "app"

[[pool]]
name = "app"
check = { http = "/health" }
server = [{ name = "app1", address = "10.77.0.11:8080" }, { name = "app2", address = "10.77.0.12:8080" }]
"#;

const LAB: &str = include_str!("../../config/lab.toml");

fn parsed(text: &str) -> Parsed {
    parse("vipd.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// `SMALL` with one piece replaced; the piece must be there.
fn with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old} is not in the small config");
    SMALL.replacen(old, new, 1)
}

/// Each problem as `text at the place: message; help`.
fn problems(text: &str) -> Vec<String> {
    let list = match parse("vipd.toml", text) {
        Ok(parsed) => parsed.warnings,
        Err(errors) => errors.problems,
    };
    list.into_iter()
        .map(|problem| {
            let kind = if problem.severity == Severity::Warning { "warning: " } else { "" };
            let help = problem.help.map_or(String::new(), |help| format!("; {help}"));
            format!("{kind}{}: {}{help}", &text[problem.place.clone()], problem.message)
        })
        .collect()
}

/// One piece replaced gives exactly this problem.
#[track_caller]
fn assert_problem(old: &str, new: &str, expected: &str) {
    assert_eq!(problems(&with(old, new)), [expected]);
}

#[test]
fn a_small_file_has_the_documented_defaults() {
    let Parsed { config, warnings, outline } = parsed(SMALL);
    assert_eq!(warnings, []);
    let (name, place) = &outline.interfaces[0];
    assert_eq!((name.as_str(), &SMALL[place.clone()]), ("eth0", "\"eth0\""));
    let router = &config.routers[0];
    assert_eq!((router.advert_interval, router.preempt), (Centis::new(10).expect("valid"), Preempt::Always));
    let check = config.pools[0].check.as_ref().expect("there is one");
    let second = Duration::from_secs(1);
    assert_eq!((check.interval, check.timeout, check.rise, check.fall), (second, second, 2, 3));
    let (path, host) = ("/health".to_owned(), None);
    assert_eq!(check.kind, CheckKind::Http { path, host, expect: vec![(200, 399)] });
    assert_eq!(config.pools[0].servers[0].weight, 1);
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
    assert_eq!(config.pools[config.frontends[1].pool].servers[2].address.to_string(), "10.77.0.13:8081");
}

#[test]
fn what_show_prints_is_read_back_as_the_same_config() {
    let everything = with("check = { http = \"/health\" }", EVERYTHING)
        + "[proxy]\nthreads = 3\n[limits]\nbody = \"1.5MiB\"";
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
fn addresses_say_what_is_wrong_with_them() {
    let cidr = "\"10.77.0.100/24\"";
    for (wrong, expected) in [
        (
            "10.77.0.100",
            "`10.77.0.100` has no prefix length; write \"10.77.0.100/24\" with the prefix length of its \
             network, or \"10.77.0.100/32\"",
        ),
        (
            "10.77.0.100/33",
            "`/33` is no prefix length of IPv4; write a number from 1 to 32: \"10.77.0.100/24\"",
        ),
        (
            "10.77.0.0/24",
            "10.77.0.0 is the network itself, no host of 10.77.0.0/24; write the address that clients \
             connect to, with the prefix length of its network",
        ),
        (
            "10.77.0.255/24",
            "10.77.0.255 is its broadcast address, no host of 10.77.0.255/24; write the address that clients \
             connect to, with the prefix length of its network",
        ),
        ("fd00::1/64", "`fd00::1` is IPv6, which this release does not have yet; use an IPv4 address"),
        ("224.0.0.18/32", "224.0.0.18 is a multicast address"),
    ] {
        assert_problem(cidr, &format!("\"{wrong}\""), &format!("\"{wrong}\": {expected}"));
    }
    let node = "\"10.77.0.2\"";
    for (wrong, expected) in [
        (
            "10.77.0.2/24",
            "`10.77.0.2/24` has a prefix length, a node's address has none; write \"10.77.0.2\"",
        ),
        ("10.77.0.2:80", "`10.77.0.2:80` has a port, a node's address has none"),
        (
            "lb2.example.com",
            "`lb2.example.com` is a name; names are not looked up; write it like \"10.77.0.1\"",
        ),
        ("::1", "`::1` is IPv6, which this release does not have yet; use an IPv4 address"),
    ] {
        assert_problem(node, &format!("\"{wrong}\""), &format!("\"{wrong}\": {expected}"));
    }
    let server = "\"10.77.0.11:8080\"";
    for (wrong, expected) in [
        ("10.77.0.11", "`10.77.0.11` has no port; write \"10.77.0.11:80\""),
        ("app1:8080", "`app1` is a name; names are not looked up; write it like \"10.77.0.11:8080\""),
        ("10.77.0.11:0", "`0` is no port; write a number from 1 to 65535"),
        ("10.77.0.11:http", "`http` is no port; write a number from 1 to 65535"),
        (
            "[fd00::1]:8080",
            "`[fd00::1]:8080` is IPv6, which this release does not have yet; use an IPv4 address",
        ),
        ("0.0.0.0:8080", "0.0.0.0 is not the address of one server"),
    ] {
        assert_problem(server, &format!("\"{wrong}\""), &format!("\"{wrong}\": {expected}"));
    }
}

#[test]
fn what_later_releases_have_is_refused_by_name() {
    let vrid = "vrid = 51";
    assert_problem(
        vrid,
        "vrid = 51\nversion = 2",
        "2: this release does not speak VRRP version 2 yet; write 3, and let keepalived peers speak it with \
         `vrrp_version 3`",
    );
    assert_problem(
        vrid,
        "vrid = 51\ntransport = \"unicast\"",
        "\"unicast\": this release does not have \"unicast\" yet; write \"multicast\"",
    );
    assert_problem(
        vrid,
        "vrid = 51\npreempt = { after = \"30s\" }",
        "{ after = \"30s\" }: this release does not have `after` yet; write \"always\" or \"never\"",
    );
    assert_problem(
        "pool = \"app\"",
        "pool = \"app\"\nmode = \"tcp\"",
        "\"tcp\": this release does not have \"tcp\" yet; write \"http\"",
    );
    assert_problem(
        "check =",
        "balance = \"leastconn\"\ncheck =",
        "\"leastconn\": this release does not have \"leastconn\" yet; write \"round-robin\"",
    );
    assert_eq!(
        problems(&format!("{SMALL}[admin]\nlisten = 1")),
        ["admin: this release does not have `admin` yet; remove it"]
    );
    let named = "vrid = 51\nversion = 3\ntransport = \"multicast\"\npreempt = \"never\"";
    assert_eq!(parsed(&with(vrid, named)).config.routers[0].preempt, Preempt::Never);
    let named = with("check =", "balance = \"round-robin\"\ncheck =");
    assert_eq!(parsed(&named).config, parsed(SMALL).config);
}

#[test]
fn numbers_outside_their_range_say_the_range() {
    assert_problem(
        "priority = 100",
        "priority = 300",
        "300: a priority is 1 to 255; write 2 to 254, or 255 for the owner of the addresses",
    );
    assert_problem(
        "priority = 100",
        "priority = 0",
        "0: a priority is 1 to 255; 0 is what a node sends when it gives up; write 2 to 254, or 255 for the \
         owner",
    );
    assert_problem(
        "priority = 100",
        "priority = \"100\"",
        "\"100\": expected a priority, an integer without quotes, found a string; write 100",
    );
    assert_problem(
        "vrid = 51",
        "vrid = 256",
        "256: a virtual router id is 1 to 255; write a number from 1 to 255",
    );
    let app1 = "{ name = \"app1\", address = \"10.77.0.11:8080\"";
    assert_problem(
        app1,
        &format!("{app1}, weight = 0"),
        "0: a weight is 1 to 256; a server that shall get no requests is left out of the file",
    );
    assert_problem(
        app1,
        &format!("{app1}, weight = 257"),
        "257: a weight is 1 to 256; write a number from 1 to 256",
    );
    assert_problem(
        "\"/health\"",
        "\"/health\", expect = \"200-700\"",
        "\"200-700\": `200-700` is no status and no range of statuses; write 200, \"200-399\" or [200, \
         \"300-399\"], within 100-599",
    );
    assert_eq!(
        problems(&format!("{SMALL}[limits]\nhead = \"2GiB\"")),
        ["\"2GiB\": a head is 1KiB to 1MiB; write \"32KiB\", or leave the key out"]
    );
    assert_eq!(
        problems(&format!("{SMALL}[limits]\nhead = 32768")),
        ["32768: a size needs a unit; write \"32768KiB\" with its unit, in quotes"]
    );
}

#[test]
fn advert_intervals_are_whole_hundredths_of_a_second_within_the_protocol() {
    let interval = |text: &str| with("vrid = 51", &format!("vrid = 51\nadvert_interval = {text}"));
    for (text, centis) in
        [("\"10ms\"", 1), ("\"100ms\"", 10), ("\"1s\"", 100), ("\"1.25s\"", 125), ("\"40.95s\"", 4095)]
    {
        assert_eq!(parsed(&interval(text)).config.routers[0].advert_interval.get(), centis);
    }
    for (text, expected) in [
        ("100", "100: a length of time needs a unit; write \"100ms\" with its unit, in quotes"),
        ("\"100\"", "\"100\": `100` is not a length of time; write a unit: \"100ms\" or \"100s\""),
        (
            "\"125ms\"",
            "\"125ms\": an advert interval is sent in whole hundredths of a second; write \"120ms\" or \
             \"130ms\"",
        ),
        (
            "\"0s\"",
            "\"0s\": `0s` is outside the intervals of VRRP version 3; write \"10ms\" to \"40.95s\"; 100ms \
             takes over in about 0.36 s",
        ),
        (
            "\"41s\"",
            "\"41s\": `41s` is outside the intervals of VRRP version 3; write \"10ms\" to \"40.95s\"; 100ms \
             takes over in about 0.36 s",
        ),
        ("\"1sec\"", "\"1sec\": `1sec` is not a length of time; write \"1s\""),
    ] {
        assert_eq!(problems(&interval(text)), [expected]);
    }
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
fn what_is_strange_is_a_warning_and_the_config_is_usable() {
    let warning = |old: &str, new: &str, expected: &str| {
        let text = with(old, new);
        parsed(&text);
        assert_eq!(problems(&text), [format!("warning: {expected}")]);
    };
    warning(
        "10.77.0.100:80",
        "10.77.0.7:80",
        "\"10.77.0.7:80\": 10.77.0.7 is no address of a [[vrrp]]: it does not move on a failover; addresses \
         that move: 10.77.0.100",
    );
    warning(
        "priority = 100",
        "priority = 1",
        "1: priority 1 is what a node competes with while it is not fit to serve; write 2 to 254: this node \
         could not be told from an unfit one",
    );
    warning(
        "priority = 100",
        "priority = 255",
        "255: priority 255 is for the node whose own address is the virtual one; write 254 or less: 255 \
         takes over at once when it starts, whatever `preempt` says",
    );
    warning(
        "10.77.0.2",
        "10.77.0.100",
        "100: 10.77.0.100 is this node's own address, so its priority should be 255; write 255, or use a \
         virtual address that no machine has",
    );
    warning(
        "10.77.0.12:8080",
        "10.77.0.11:8080",
        "\"10.77.0.11:8080\": two servers of this pool are 10.77.0.11:8080: it gets the requests of both; \
         use one server with a `weight`",
    );
    warning(
        "10.77.0.12:8080",
        "10.77.0.100:80",
        "\"10.77.0.100:80\": this server is a frontend of this file: requests would run in a circle",
    );
    warning(
        "{ http = \"/health\" }",
        "{ tcp = true, interval = \"200ms\" }",
        "{ tcp = true, interval = \"200ms\" }: a check may take 1s, longer than its interval of 200ms; add \
         timeout = \"200ms\", or a server that hangs is found out late",
    );
    warning(
        "[[pool]]",
        "[[pool]]\nname = \"spare\"\nserver = [{ name = \"a\", address = \"10.77.0.9:80\" }]\n[[pool]]",
        "\"spare\": no frontend uses the pool `spare`; add a [[frontend]] with pool = \"spare\", or remove \
         the pool",
    );
    for fine in ["0.0.0.0:80", "127.0.0.1:80"] {
        assert_eq!(problems(&with("10.77.0.100:80", fine)), [""; 0]);
    }
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
        "host: unknown key `host` in check; check knows: http, tcp, interval, timeout, rise, fall",
    );
    assert_eq!(problems("").len(), 2);
}

#[test]
fn durations_and_sizes_are_exact() {
    for (text, micros) in
        [("1us", 1), ("1.5ms", 1_500), ("0.25s", 250_000), ("1m", 60_000_000), ("24h", 86_400_000_000)]
    {
        assert_eq!(duration(text), Ok(Duration::from_micros(micros)));
    }
    for wrong in [
        "",
        "s",
        ".5s",
        "1.s",
        "1.2.3s",
        "-1s",
        "1 s",
        "1e3s",
        "25h",
        "99999999999999999999h",
        "0.0000000001us",
    ] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
    for (text, bytes) in [("512B", 512), ("32KiB", 32_768), ("1.5MiB", 1_572_864), ("10MB", 10_000_000)] {
        assert_eq!(quantity::parse_size(text).ok(), Some(bytes));
    }
    for wrong in ["32", "32K", "1.3B", "", "KiB", "99999999999999GiB"] {
        assert!(quantity::parse_size(wrong).is_err(), "{wrong}");
    }
}

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

#[test]
fn nearest_finds_slips_and_leaves_strangers_alone() {
    let keys = ["name", "address", "priority", "weight"];
    for (typed, meant) in
        [("nmae", "name"), ("adress", "address"), ("prio", "priority"), ("Weight", "weight")]
    {
        assert_eq!(nearest(typed, keys), Some(meant));
    }
    for stranger in ["state", "x", "", "virtual_ipaddress"] {
        assert_eq!(nearest(stranger, keys), None);
    }
}

#[test]
fn lines_and_columns_count_from_one_and_columns_count_characters() {
    let text = "a\nüb = 1\n";
    assert_eq!(line_column(text, 0), (1, 1));
    assert_eq!(line_column(text, 4), (2, 2));
    assert_eq!(line_column(text, 999), (3, 1));
}

proptest! {
    /// Any file, damaged anywhere: an answer, never a panic, and never an error without words and a place.
    #[test]
    fn damage_never_panics_and_always_has_a_place(cuts in prop::collection::vec((0..SMALL.len(), 0..12_usize, "[ -~\n\u{e9}]{0,6}"), 1..4)) {
        let mut bytes = SMALL.as_bytes().to_vec();
        for (at, length, insert) in cuts {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, insert.bytes());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(errors) = parse("damaged", &text) {
            prop_assert!(!errors.problems.is_empty());
            for problem in &errors.problems {
                prop_assert!(text.get(problem.place.clone()).is_some() && !problem.message.is_empty());
            }
        }
    }

    /// What is printed is read back, for every length that the config can hold to the microsecond.
    #[test]
    fn durations_round_trip(micros in 0..86_400_000_000_u64) {
        let length = Duration::from_micros(micros);
        prop_assert_eq!(duration(&duration_text(length)), Ok(length));
    }

    /// The same for sizes.
    #[test]
    fn sizes_round_trip(bytes in 0..u64::MAX) {
        prop_assert_eq!(quantity::parse_size(&quantity::size_text(bytes)).ok(), Some(bytes));
    }
}

const SAMPLE: &str = include_str!("../../config/vipd.toml");

/// `# key = value` without its `# `: a default that the sample states.
fn stated(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let (key, _) = line.split_once(" = ")?;
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(line)
}

#[test]
fn the_sample_states_every_default_and_each_is_true() {
    let all: Vec<&str> = SAMPLE.lines().map(|line| stated(line).unwrap_or(line)).collect();
    let all = all.join("\n");
    let (plain, spelt_out) = (parsed(SAMPLE), parsed(&all));
    assert_eq!(plain.warnings, []);
    assert_eq!(plain.config, spelt_out.config);
    // Every key that `show` prints, which is every key there is, stands in the sample.
    for line in show(&plain.config).lines() {
        let Some((key, _)) = line.split_once('=') else { continue };
        let key = key.trim();
        let states = |line: &str| line.split_once('=').is_some_and(|(known, _)| known.trim() == key);
        assert!(
            key.starts_with('{') || key == "check" || all.lines().any(states),
            "the sample does not state {key}"
        );
    }
    for key in ["expect", "interval", "timeout", "rise", "fall", "weight"] {
        assert!(all.contains(&format!("{key} = ")), "the sample does not state {key}");
    }
}

#[test]
fn a_false_default_in_the_sample_would_be_noticed() {
    let lie = SAMPLE.replace("# grace = \"10s\"", "# grace = \"11s\"");
    let all: Vec<&str> = lie.lines().map(|line| stated(line).unwrap_or(line)).collect();
    assert_ne!(parsed(&all.join("\n")).config, parsed(SAMPLE).config);
}
