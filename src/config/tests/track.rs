//! `track` and `notify`: what they mean, what is refused, and which deltas are strange.

use std::time::Duration;

use super::*;

const VRID: &str = "vrid = 51";

/// `SMALL` with these trackers, and priorities 200 and 100.
fn tracking(items: &str) -> String {
    with(VRID, &format!("vrid = 51\ntrack = [{items}]"))
}

#[track_caller]
fn assert_tracker(items: &str, expected: &str) {
    assert_eq!(problems(&tracking(items)), [expected]);
}

#[test]
fn every_kind_is_read_with_its_defaults() {
    let text = tracking(
        r#"{ interface = "eth1" }, { pool = "app", healthy = "60%", priority = -120 },
           { script = ["/bin/x", "a b"], interval = "2s", fall = 1, user = "app" },
           { file = "/run/off" }, { gateway = "10.77.0.254" }"#,
    );
    let config = parsed(&text).config;
    let track = &config.routers[0].track;
    let names: Vec<_> = track.iter().map(|tracker| tracker.what.to_string()).collect();
    let expected =
        ["interface eth1", "pool app", "script /bin/x a b", "file /run/off", "gateway 10.77.0.254"];
    assert_eq!(names, expected);
    assert_eq!(
        track.iter().map(|tracker| tracker.cost).collect::<Vec<_>>(),
        [None, Some(120), None, None, None]
    );
    let Tracked::Script { command, pace } = &track[2].what else { panic!("{:?}", track[2]) };
    assert_eq!((command.program(), command.user.as_str()), ("/bin/x", "app"));
    let second = Duration::from_secs(1);
    assert_eq!(*pace, Pace { interval: second * 2, timeout: second, rise: 2, fall: 1 });
}

#[test]
fn what_is_shown_is_read_back_whatever_the_words_are() {
    let text = tracking(
        r#"{ script = ["/bin/x", "a \"b\" \\ \t é", ""], priority = -120 }, { file = "/run/o\"ff" },
           { pool = "app", healthy = "1%" }, { gateway = "10.77.0.254", timeout = "200ms" }"#,
    );
    let text = text.replace(VRID, "vrid = 51\nnotify = { run = [\"/bin/y\", \"'\"], timeout = \"3s\" }");
    let config = parsed(&text).config;
    assert_eq!(parsed(&show(&config)).config, config);
    assert_eq!(config.routers[0].notify.as_ref().map(|hook| hook.timeout), Some(Duration::from_secs(3)));
}

#[test]
fn a_wrong_tracker_says_what_to_write() {
    assert_tracker(
        "{ priority = -50 }",
        "{ priority = -50 }: the tracker does not say what to look at; add interface = \"eth1\", pool, script, file \
         or gateway",
    );
    assert_tracker(
        "{ file = \"/a\", gateway = \"10.77.0.254\" }",
        "\"10.77.0.254\": a tracker is either `file` or `gateway`; write two trackers",
    );
    assert_tracker(
        "{ interface = \"eth1\", priority = 50 }",
        "50: what a failure does to the priority is -253 to -1; write -50, say; without `priority` a failure is a \
         fault",
    );
    assert_tracker(
        "{ script = \"/bin/x a\" }",
        "\"/bin/x a\": expected a list of words; no shell reads it, found a string; write the program and each of \
         its arguments: [\"/usr/local/bin/check\", \"arg\"]",
    );
    assert_tracker(
        "{ script = [\"check\"] }",
        "[\"check\"]: `check` is no absolute path; $PATH is not searched: begin the program with /, and write each \
         argument as its own word",
    );
    assert_tracker(
        "{ script = [\"/bin/x\"], user = \"root\" }",
        "\"root\": scripts never run as root; write a user of its own, one that may do what the script does",
    );
    assert_tracker(
        "{ pool = \"ap\", healthy = \"50%\" }",
        "\"ap\": there is no pool `ap`; did you mean \"app\"?",
    );
    assert_tracker(
        "{ pool = \"app\", healthy = \"0%\" }",
        "\"0%\": `0%` is no share of the servers; write \"1%\" to \"100%\"",
    );
    assert_tracker(
        "{ gateway = \"router\" }",
        "\"router\": `router` is not the IPv4 address of a gateway; write it like \"10.77.0.254\"",
    );
    assert_tracker(
        "{ file = \"off\" }",
        "\"off\": `off` is no absolute path of a file; begin it with /: \"/etc/vipd/maintenance\"",
    );
    assert_tracker(
        "{ interface = \"eth1\" }, { interface = \"eth1\" }",
        "{ interface = \"eth1\" }: interface eth1 is tracked twice; remove one of the two",
    );
    let agent_alone = tracking("{ pool = \"app\", healthy = \"50%\" }");
    let (head, rest) = agent_alone.split_once("[[frontend]]").expect("a frontend");
    let pools = rest.split_once("[[pool]]").expect("a pool").1;
    assert_eq!(
        problems(&format!("{head}[[pool]]{pools}")),
        [
            "\"app\": without a [[frontend]] there is no proxy, and nobody checks this pool; add a [[frontend]], or \
          track a script instead"
        ]
    );
}

#[test]
fn a_wrong_hook_says_what_to_write() {
    let notify = |value: &str, expected: &str| {
        assert_problem(VRID, &format!("vrid = 51\nnotify = {value}"), expected);
    };
    notify(
        "[\"on-change\"]",
        "[\"on-change\"]: `on-change` is no absolute path; $PATH is not searched: begin the program with /, and \
         write each argument as its own word",
    );
    notify(
        "{ user = \"app\" }",
        "{ user = \"app\" }: notify has no `run`; add run = [\"/usr/local/bin/on-change\"]",
    );
    notify("\"/bin/x\"", "\"/bin/x\": expected a table, found a string");
    assert_eq!(parsed(&with(VRID, "vrid = 51\nnotify = []\ntrack = []")).config, parsed(SMALL).config);
}

#[test]
fn a_delta_that_never_flips_the_election_is_a_warning() {
    assert_tracker(
        "{ file = \"/a\", priority = -20 }",
        "warning: -20: -20 can never flip the election: lb1 has 200, lb2 has 100; write -101 or less, or leave \
         `priority` out: a failure is a fault then",
    );
    // At the same priority the Active keeps the role.
    assert_tracker(
        "{ file = \"/a\", priority = -100 }",
        "warning: -100: -100 can never flip the election: lb1 has 200, lb2 has 100; write -101 or less, or leave \
         `priority` out: a failure is a fault then",
    );
    assert_eq!(problems(&tracking("{ file = \"/a\", priority = -101 }")), [""; 0]);
    // Two that flip it together are meant to.
    let pair = "{ file = \"/a\", priority = -60 }, { file = \"/b\", priority = -60 }";
    assert_eq!(problems(&tracking(pair)), [""; 0]);
    let never =
        tracking("{ file = \"/a\", priority = -120 }").replace(VRID, "vrid = 51\npreempt = \"never\"");
    assert_eq!(
        problems(&never),
        [
            "warning: -120: with preempt = \"never\" a lower priority never flips the election; leave `priority` out: \
          a failure is a fault then, and another node takes over"
        ]
    );
    let owner = tracking("{ file = \"/a\", priority = -253 }")
        .replace("priority = 200", "priority = 255")
        .replace("addresses = [\"10.77.0.100/24\"]", "addresses = [\"10.77.0.1/24\"]")
        .replace("bind = [\"10.77.0.100:80\"]", "bind = [\"10.77.0.1:80\"]");
    assert_eq!(
        problems(&owner),
        [
            "warning: -253: lb1 owns the addresses and stays at 255: this never flips the election; leave `priority` \
          out: a failure is a fault then, and the owner takes no part"
        ]
    );
}

#[test]
fn a_delta_that_moves_the_addresses_for_nothing_is_a_warning() {
    // 100 - 101 is less than 2: no delta fits between the two nodes and 1.
    assert_tracker(
        "{ gateway = \"10.77.0.254\", priority = -200 }",
        "warning: -200: -200 takes lb1 and lb2 both down to 1: when both fail, the addresses move for nothing; \
         give lb2 a priority further from 1, so that the order stays when both fail",
    );
    let near = tracking("{ gateway = \"10.77.0.254\", priority = -200 }").replace("= 100", "= 150");
    assert_eq!(
        problems(&near),
        [
            "warning: -200: -200 takes lb1 and lb2 both down to 1: when both fail, the addresses move for nothing; \
          write -51: enough for lb2 to take over, and their order stays when both fail"
        ]
    );
    assert_tracker(
        "{ interface = \"eth0\" }",
        "warning: { interface = \"eth0\" }: eth0 is this router's own interface: it is a fault anyway; remove this \
         tracker",
    );
    assert_tracker(
        "{ gateway = \"10.77.0.254\", interval = \"200ms\" }",
        "warning: { gateway = \"10.77.0.254\", interval = \"200ms\" }: an attempt may take 1s, longer than its \
         interval of 200ms; add timeout = \"200ms\", or what hangs is found out late",
    );
}
