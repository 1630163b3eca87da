//! Single values: each wrong one says what to write instead.

use std::time::Duration;

use super::*;
use crate::vrrp::{Preempt, Span, Version};

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
        (
            "2001:db8::1",
            "`2001:db8::1` has no prefix length; write \"2001:db8::1/64\" with the prefix length of its network, \
             or \"2001:db8::1/128\"",
        ),
        (
            "2001:db8::1/129",
            "`/129` is no prefix length of IPv6; write a number from 1 to 128: \"2001:db8::1/64\"",
        ),
        ("ff02::12/64", "ff02::12 is a multicast address"),
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
        ("fd00::1", "`fd00::1` has no port; write \"[fd00::1]:80\""),
        ("[fd00::1]:0", "`0` is no port; write a number from 1 to 65535"),
        ("[fd00::x]:80", "`fd00::x` is not an IPv6 address"),
        ("0.0.0.0:8080", "0.0.0.0 is not the address of one server"),
    ] {
        assert_problem(server, &format!("\"{wrong}\""), &format!("\"{wrong}\": {expected}"));
    }
}

#[test]
fn a_frontend_speaks_http_or_passes_bytes_on() {
    let pool = "pool = \"app\"";
    let mode = |text: &str| parsed(&with(pool, &format!("{pool}\nmode = {text}"))).config.frontends[0].mode;
    assert_eq!([mode("\"tcp\""), mode("\"http\"")], [Mode::Tcp, Mode::Http]);
    assert_eq!(parsed(SMALL).config.frontends[0].mode, Mode::Http);
    let wrong = "\"udp\": `udp` is not known here; write \"http\" or \"tcp\"";
    assert_problem(pool, &format!("{pool}\nmode = \"udp\""), wrong);
    for key in ["tunnel_lifetime", "connection_lifetime"] {
        let bound = |text: &str| {
            let limits = parsed(&format!("{SMALL}[limits]\n{key} = {text}")).config.limits;
            limits.tunnel_lifetime.or(limits.connection_lifetime)
        };
        assert_eq!(bound("\"none\""), None);
        assert_eq!(bound("\"8h\""), Some(Duration::from_secs(8 * 3600)));
    }
}

#[test]
fn what_later_releases_have_is_refused_by_name() {
    let vrid = "vrid = 51";
    assert_problem(
        "check =",
        "balance = \"leastconn\"\ncheck =",
        "\"leastconn\": `leastconn` is called otherwise here; write \"least-connections\"",
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
fn what_contradicts_itself_says_both_places() {
    let vrid = "vrid = 51";
    assert_problem(
        vrid,
        "vrid = 51\nversion = 2",
        "2: version 2 of VRRP advertises in whole seconds; set advert_interval = \"1s\" or more, or use version 3",
    );
    assert_problem(
        vrid,
        "vrid = 51\npassword = \"secret\"",
        "\"secret\": only version 2 of VRRP has a password; set version = 2, or remove it: it protects nothing anyway",
    );
    assert_problem(
        vrid,
        "vrid = 51\nversion = 2\nadvert_interval = \"1s\"\npassword = \"much too long\"",
        "\"much too long\": a password of version 2 has one to eight bytes; peers cut longer ones off: write the \
         first eight",
    );
    assert_problem(
        vrid,
        "vrid = 51\ntransport = \"carrier pigeon\"",
        "\"carrier pigeon\": `carrier pigeon` is not known here; write \"multicast\" or \"unicast\"",
    );
    assert_problem(
        vrid,
        "vrid = 51\npreempt = { before = \"30s\" }",
        "{ before = \"30s\" }: this table has one key, `after`; write { after = \"30s\" }",
    );
}

#[test]
fn announcing_is_read() {
    let vrid = "vrid = 51";
    let router = |lines: &str| parsed(&with(vrid, &format!("{vrid}\n{lines}"))).config.routers.remove(0);
    let minute = Some(Span::from_millis(60_000));
    assert_eq!((router("").garp, router("").garp_refresh), (Garp::Request, minute));
    let both = router("garp = \"both\"\ngarp_refresh = \"1.5s\"");
    assert_eq!((both.garp, both.garp_refresh), (Garp::Both, Some(Span::from_millis(1_500))));
    let off = router("garp = \"reply\"\ngarp_refresh = \"off\"");
    assert_eq!((off.garp, off.garp_refresh), (Garp::Reply, None));
    assert_problem(
        vrid,
        "vrid = 51\ngarp_refresh = \"500ms\"",
        "\"500ms\": announcing again more often than once a second floods the network; write \"60s\", at least \
         \"1s\", or \"off\"",
    );
    assert_problem(
        vrid,
        "vrid = 51\ngarp_refresh = 60",
        "60: a length of time needs a unit; write \"60s\" with its unit, in quotes",
    );
    assert_problem(
        vrid,
        "vrid = 51\ngarp = \"requests\"",
        "\"requests\": `requests` is not known here; did you mean \"request\"?",
    );
    assert!(router("").verify && router("verify = \"on\"").verify && !router("verify = \"off\"").verify);
    assert_problem(
        vrid,
        "vrid = 51\nverify = \"offf\"",
        "\"offf\": `offf` is not known here; did you mean \"off\"?",
    );
}

#[test]
fn versions_transports_and_delays_are_read() {
    let text = with("vrid = 51", "vrid = 51\nversion = 2\nadvert_interval = \"2s\"\npassword = \"secret\"");
    let router = &parsed(&text).config.routers[0];
    assert_eq!((router.version, router.password), (Version::V2, Some(*b"secret\0\0")));
    let text = with("vrid = 51", "vrid = 51\ntransport = \"unicast\"\npreempt = { after = \"1.5s\" }");
    let router = &parsed(&text).config.routers[0];
    assert_eq!(
        (router.transport, router.preempt),
        (Transport::Unicast, Preempt::After(Span::from_millis(1_500)))
    );
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

#[test]
fn a_switch_is_true_or_false() {
    let pool = "pool = \"app\"";
    let wrong = format!("{pool}\ndefer_accept = \"yes\"");
    assert_problem(pool, &wrong, "\"yes\": expected true or false, found a string");
}
