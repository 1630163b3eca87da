//! `heartbeat` of a `[[vrrp]]` and of a `[[node]]`.

use super::*;

const AUTH: &str = "auth = { key_file = \"/etc/vipd/keys\", active = 1 }";

/// The small config with a router that authenticates and these lines behind it.
fn router(lines: &str) -> String {
    with("vrid = 51", &format!("vrid = 51\n{AUTH}\n{lines}"))
}

#[test]
fn a_port_and_an_address_of_its_own_are_optional() {
    let of = |text: &str| {
        let parsed = parsed(text);
        assert_eq!(parsed.warnings, []);
        assert_eq!(parse("shown", &show(&parsed.config)).expect("valid").config, parsed.config);
        let nodes = parsed.config.nodes.iter().map(|node| node.heartbeat.to_string()).collect::<Vec<_>>();
        (parsed.config.routers[0].heartbeat.map(|heartbeat| heartbeat.port), nodes.join(" "))
    };
    assert_eq!(of(SMALL), (None, "10.77.0.1 10.77.0.2".to_owned()));
    assert_eq!(of(&router("heartbeat = {}")), (Some(8112), "10.77.0.1 10.77.0.2".to_owned()));
    let text = router("heartbeat = { port = 694 }");
    let text = text.replace("priority = 200", "priority = 200\nheartbeat = \"192.168.9.1\"");
    assert_eq!(of(&text), (Some(694), "192.168.9.1 10.77.0.2".to_owned()));
}

#[test]
fn what_is_wrong_says_what_to_write() {
    let wrong = |heartbeat: &str, expected: &str| {
        assert_eq!(problems(&router(&format!("heartbeat = {heartbeat}"))), [expected]);
    };
    wrong("8112", "8112: expected a table, found an integer");
    wrong("{ port = 0 }", "0: a port is 1 to 65535; write a number from 1 to 65535");
    wrong("{ ports = 1 }", "ports: unknown key `ports` in heartbeat; did you mean `port`?");
    let text = SMALL.replace("priority = 200", "priority = 200\nheartbeat = \"192.168.9.1:8112\"");
    assert_eq!(
        problems(&text),
        ["\"192.168.9.1:8112\": `192.168.9.1:8112` has a port, a node's address has none"]
    );
}

/// The text of the other line that a problem points to.
fn other_place(text: &str) -> String {
    let errors = parse("vipd.toml", text).expect_err("it contradicts itself");
    let (place, _) = errors.problems[0].other.clone().expect("it names another line");
    text[place].to_owned()
}

#[test]
fn it_needs_auth_and_a_peer() {
    let text = with("vrid = 51", "vrid = 51\nheartbeat = { port = 8112 }");
    assert_eq!(
        problems(&text),
        ["{ port = 8112 }: a heartbeat needs `auth`: anyone can send UDP; add auth = { key_file = \
          \"/etc/vipd/keys\", active = 1 }"]
    );
    assert_eq!(other_place(&text), "\"web\"");

    let text = router("heartbeat = {}");
    let (before, rest) = text.split_once("[[node]]\nname = \"lb2\"").expect("two nodes");
    let alone = format!("{before}{}", &rest[rest.find("[[vrrp]]").expect("a router")..]);
    assert_eq!(
        problems(&alone),
        [
            "{}: a heartbeat needs peers, and there is no other [[node]]; add a [[node]] for each peer, or remove it"
        ]
    );
}

#[test]
fn a_router_with_ipv6_addresses_alone_has_one_over_either_family() {
    let v6 = router("heartbeat = {}").replace("10.77.0.100/24", "fe80::51/64\", \"2001:db8::100/64");
    let v6 = v6.replace("10.77.0.100:80", "[2001:db8::100]:80");
    assert_eq!(problems(&v6), [""; 0]);
    let over = |first: &str, second: &str| {
        let text = v6.replace("priority = 200", &format!("priority = 200\nheartbeat = \"{first}\""));
        text.replace("priority = 100", &format!("priority = 100\nheartbeat = \"{second}\""))
    };
    let both = parsed(&over("fd00:9::1", "fd00:9::2")).config;
    let nodes: Vec<_> = both.nodes.iter().map(|node| node.heartbeat.to_string()).collect();
    assert_eq!(nodes, ["fd00:9::1", "fd00:9::2"]);
    assert_eq!(parse("shown", &show(&both)).expect("valid").config, both);

    let mixed = over("fd00:9::1", "192.168.9.2");
    assert_eq!(
        problems(&mixed),
        [
            "\"192.168.9.2\": heartbeats from IPv4 do not go to a node that has them over IPv6; give each node a \
          `heartbeat` of one family: heartbeat = \"fd00:9::2\""
        ]
    );
    assert_eq!(other_place(&mixed), "\"fd00:9::1\"");
    assert_eq!(
        problems(&over("fe80::1", "fd00:9::2")),
        [
            "\"fe80::1\": fe80::1 is an address on one link, and does not say on which; write one that is known \
          beyond it: of fd00::/8, for instance"
        ]
    );
}

#[test]
fn two_routers_of_one_vrid_cannot_share_a_port() {
    let two = |port: u16| {
        let second = format!(
            "{AUTH}\nheartbeat = {{ port = 8112 }}\n\n[[vrrp]]\nname = \"other\"\ninterface = \"eth1\"\nvrid = 51\n\
             addresses = [\"10.88.0.100/24\"]\n{AUTH}\nheartbeat = {{ port = {port} }}"
        );
        let addresses = "addresses = [\"10.77.0.100/24\"]";
        with(addresses, &format!("{addresses}\n{second}"))
    };
    assert_eq!(problems(&two(8113)), [""; 0]);
    assert_eq!(
        problems(&two(8112)),
        [
            "{ port = 8112 }: two routers of vrid 51 share the UDP port 8112; give one of them another port, or \
          another vrid"
        ]
    );
}

#[test]
fn an_address_for_heartbeats_is_one_machines_own_and_used() {
    let nodes = |first: &str, second: &str| {
        let text = router("heartbeat = {}");
        let text = text.replace("priority = 200", &format!("priority = 200\n{first}"));
        text.replace("priority = 100", &format!("priority = 100\n{second}"))
    };
    let own = "heartbeat = \"192.168.9.1\"";
    let twice = "two nodes send heartbeats from";
    assert_eq!(
        problems(&nodes(own, own)),
        [format!("\"192.168.9.1\": {twice} 192.168.9.1; each machine has its own address")]
    );
    assert_eq!(
        problems(&nodes("heartbeat = \"10.77.0.2\"", "")),
        [format!("\"10.77.0.2\": {twice} 10.77.0.2; each machine has its own address")]
    );
    let moving = nodes("heartbeat = \"10.77.0.100\"", "");
    assert_eq!(
        problems(&moving),
        [
            "\"10.77.0.100\": 10.77.0.100 moves, and heartbeats come from an address that stays; write the machine's \
          own address"
        ]
    );
    assert_eq!(other_place(&moving), "\"10.77.0.100/24\"");
    assert_eq!(
        problems(&SMALL.replace("priority = 200", &format!("priority = 200\n{own}"))),
        [
            "warning: \"192.168.9.1\": no [[vrrp]] has a heartbeat: this address is not used; add heartbeat = { port = \
          8112 } to a [[vrrp]], or remove it"
        ]
    );
}
