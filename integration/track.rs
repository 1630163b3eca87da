//! Trackers and hooks on real kernels: what a router depends on fails, and another node serves; its operator is told.
//! Real scripts, real agents, two nodes in namespaces. Where nobody but root exists, that it is said.

use std::fs::{read_to_string, remove_file, write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use vipd::event::Event;
use vipd::lab::{AppServer, Flavour, Moment};
use vipd::link::{TrackerEffect, TrackerState};
use vipd::vrrp::{Priority, Role};

#[path = "track/rig.rs"]
mod rig;

use rig::{PATIENCE, Rig, is_well, programs_run};

/// Three intervals of 100 ms: a Backup of priority 100 takes over after 361 ms.
const STEADY: Duration = Duration::from_millis(300);

/// Passes unless the node has a file `fail`; says who it is.
const CHECK: &str = "echo uid $(id -u) of $VIPD_NODE/$VIPD_ROUTER with $1\ntest ! -e {dir}/fail";
const QUICK: &str = r#"interval = "50ms", timeout = "1s", rise = 1, fall = 2"#;

/// Where programs cannot be run, the tracker says so, and there is nothing else to see.
fn can_run(rig: &Rig) -> bool {
    if programs_run() {
        return true;
    }
    let said =
        rig.wait("lb1", "a word of the tracker", |router| router.reasons[0].contains("could not be run as"));
    assert_eq!(said.role, Role::Initialize);
    false
}

#[test]
fn a_script_that_fails_moves_the_address_and_takes_it_back_when_it_passes() {
    let mut rig = Rig::hosts();
    rig.scripts("check", CHECK);
    rig.start(&format!(r#"track = [{{ script = ["{{dir}}/check", "a b"], {QUICK} }}]"#), "");
    if !can_run(&rig) {
        return;
    }
    rig.settle();
    let uid = nix::unistd::User::from_name("nobody").expect("a database").expect("nobody").uid;
    let said = format!("uid {uid} of lb1/web with a b");
    write(rig.at("lb1", "fail"), "").expect("thrown");
    rig.serves("lb2");
    let router = rig.wait("lb1", "fault", |router| router.role == Role::Initialize);
    let [tracker] = &router.trackers[..] else { panic!("{router:?}") };
    assert_eq!((tracker.state, tracker.effect), (TrackerState::Failing, TrackerEffect::Fault));
    assert_eq!(tracker.reason, format!("exited with code 1: {said}"));
    assert_eq!(router.reasons, [format!("{}: exited with code 1: {said}", tracker.name)]);
    remove_file(rig.at("lb1", "fail")).expect("thrown back");
    rig.serves("lb1");
    rig.settle();
}

#[test]
fn a_script_that_costs_priority_lowers_it_by_so_much() {
    let mut rig = Rig::hosts();
    rig.scripts("check", CHECK);
    rig.start(&format!(r#"track = [{{ script = ["{{dir}}/check"], {QUICK}, priority = -110 }}]"#), "");
    if !programs_run() {
        // Lowered on both, and their order stays.
        rig.wait("lb1", "lowered", |router| router.effective_priority == Priority::new(90));
        return rig.serves("lb1");
    }
    rig.settle();
    write(rig.at("lb1", "fail"), "").expect("thrown");
    rig.serves("lb2");
    let router = rig.wait("lb1", "Backup", |router| router.role == Role::Backup);
    assert_eq!(router.effective_priority, Priority::new(90));
    assert_eq!(router.trackers[0].effect, TrackerEffect::Priority(-110));
    remove_file(rig.at("lb1", "fail")).expect("thrown back");
    rig.serves("lb1");
}

#[test]
fn a_script_that_hangs_fails_and_holds_nothing_up() {
    let mut rig = Rig::hosts();
    // It ignores SIGTERM, so that each attempt takes the timeout and a second more.
    rig.scripts("check", "trap '' TERM\ntest -e {dir}/hang || exit 0\nsleep 600 & while :; do wait; done");
    rig.start(
        r#"track = [{ script = ["{dir}/check"], interval = "50ms", timeout = "200ms", rise = 1, fall = 2 }]"#,
        "",
    );
    if !can_run(&rig) {
        return;
    }
    rig.settle();
    let from = Moment::now();
    write(rig.at("lb1", "hang"), "").expect("thrown");
    let router = rig.wait("lb1", "fault", |router| router.role == Role::Initialize);
    assert_eq!(router.trackers[0].reason, "took longer than 200ms");
    // Until it resigned, it advertised in time.
    assert!(rig.longest_silence("lb1", from) < STEADY, "{:?}", rig.longest_silence("lb1", from));
    rig.serves("lb2");
    remove_file(rig.at("lb1", "hang")).expect("thrown back");
    rig.serves("lb1");
}

#[test]
fn a_script_that_others_could_replace_is_refused_with_the_part_and_its_mode() {
    let mut rig = Rig::hosts();
    rig.scripts("check", "exit 0");
    let bin = rig.at("lb1", "");
    rig.mode(&bin, 0o777);
    rig.start(&format!(r#"track = [{{ script = ["{{dir}}/check"], {QUICK} }}]"#), "");
    let part = bin.display().to_string();
    let part = part.trim_end_matches('/');
    let refusal = format!("{part} is writable by everyone (mode 0777)");
    let router = rig.wait("lb1", "refusal", |router| router.reasons.iter().any(|why| why.contains(&refusal)));
    assert_eq!(router.role, Role::Initialize);
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
        command.arg("check").arg("--config").arg(rig.at("lb1", "vipd.toml")).args(["--node", "lb1"]);
        rig.run("lb1", &mut command)
    };
    let output = check();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains(&refusal) && said.contains(&format!("chmod o-w {part}")), "{said}");
    // Mended while it runs.
    rig.mode(&bin, 0o755);
    if can_run(&rig) {
        rig.serves("lb1");
    }
    let output = check();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_file_is_a_switch_and_a_number_in_it_moves_the_priority() {
    let mut rig = Rig::hosts();
    rig.serving(r#"track = [{ file = "{dir}/off", interval = "50ms" }]"#, "");
    let off = rig.at("lb1", "off");
    write(&off, "").expect("thrown");
    rig.serves("lb2");
    let router = rig.wait("lb1", "fault", |router| router.role == Role::Initialize);
    assert_eq!(router.reasons, [format!("file {}: it is there", off.display())]);
    // In one step, so that no half-written number is read.
    let number = |number: &str| {
        let new = rig.at("lb1", "new");
        write(&new, number).expect("written");
        std::fs::rename(&new, &off).expect("moved into place");
    };
    number("-110\n");
    let router = rig.wait("lb1", "Backup", |router| router.role == Role::Backup);
    assert_eq!(router.effective_priority, Priority::new(90));
    number("54");
    rig.serves("lb1");
    let router = rig.wait("lb1", "254", |router| router.effective_priority == Priority::new(254));
    assert_eq!(router.trackers[0].effect, TrackerEffect::Priority(54));
    number("-254");
    rig.serves("lb2");
    rig.wait("lb1", "the least", |router| router.effective_priority == Priority::UNFIT);
    remove_file(&off).expect("thrown back");
    rig.serves("lb1");
}

#[test]
fn a_gateway_that_one_node_cannot_reach_moves_the_address_and_one_that_nobody_can_does_not() {
    let mut rig = Rig::hosts();
    let quick = r#"interval = "100ms", timeout = "100ms", rise = 1, fall = 2"#;
    rig.serving(&format!(r#"track = [{{ gateway = "10.77.0.254", {quick}, priority = -120 }}]"#), "");
    rig.on("gw", "ip route add blackhole 10.77.0.1/32");
    rig.serves("lb2");
    let router = rig.wait("lb1", "lowered", |router| router.effective_priority == Priority::new(80));
    assert_eq!(router.trackers[0].reason, "no answer to a ping within 100ms");
    rig.on("gw", "ip route del blackhole 10.77.0.1/32");
    rig.serves("lb1");
    rig.settle();
    rig.lab.unplug("gw").expect("unplugged");
    rig.wait("lb2", "lowered", |router| router.effective_priority == Priority::UNFIT);
    rig.wait("lb1", "lowered", |router| router.effective_priority == Priority::new(80));
    rig.serves("lb1");
    rig.lab.plug("gw").expect("plugged");
    rig.settle();
}

#[test]
fn another_interface_that_goes_down_moves_the_address() {
    let mut rig = Rig::hosts();
    let add = |rig: &Rig, node: &str| {
        rig.on(node, "ip link add eth1 type veth peer name far1");
        rig.on(node, "ip link set eth1 up");
        rig.on(node, "ip link set far1 up");
    };
    add(&rig, "lb1");
    add(&rig, "lb2");
    rig.serving(r#"track = [{ interface = "eth1" }]"#, "");
    rig.on("lb1", "ip link set far1 down");
    rig.serves("lb2");
    let router = rig.wait("lb1", "fault", |router| router.role == Role::Initialize);
    assert_eq!(router.reasons, ["interface eth1: it has no carrier: is the cable in?"]);
    rig.on("lb1", "ip link del eth1");
    rig.wait("lb1", "word of it", |router| router.trackers[0].reason == "there is no such interface");
    add(&rig, "lb1");
    rig.serves("lb1");
    rig.on("lb1", "ip link set eth1 down");
    rig.wait("lb1", "word of it", |router| router.trackers[0].reason.contains("`ip link set eth1 up`"));
    rig.serves("lb2");
}

#[test]
fn a_pool_of_which_one_node_sees_too_little_moves_the_address() {
    let mut rig = Rig::hosts();
    let start = |app| AppServer::start(&rig.lab, app, &Flavour::Builtin).expect("an application server");
    let _apps = ["app1", "app2", "app3"].map(start);
    let servers = [("app1", 11), ("app2", 12), ("app3", 13)];
    let servers =
        servers.map(|(name, host)| format!(r#"{{ name = "{name}", address = "10.77.0.{host}:8080" }}"#));
    let tables = format!(
        r#"
[[frontend]]
name = "web"
bind = ["10.77.0.100:3000"]
pool = "app"

[[pool]]
name = "app"
check = {{ tcp = true, interval = "100ms", timeout = "100ms", rise = 1, fall = 2 }}
server = [{}]
"#,
        servers.join(", ")
    );
    rig.serving(r#"track = [{ pool = "app", healthy = "60%", priority = -110 }]"#, &tables);
    for app in ["app2", "app3"] {
        rig.on(app, "ip route add blackhole 10.77.0.1/32");
    }
    rig.serves("lb2");
    let router = rig.wait("lb1", "lowered", |router| router.effective_priority == Priority::new(90));
    assert_eq!(router.reasons, ["pool app: 1 of its 3 servers healthy, 60% wanted (-110)"]);
    rig.on("app2", "ip route del blackhole 10.77.0.1/32");
    rig.serves("lb1");
    rig.wait("lb1", "all is well", is_well);
}

/// Appends what it is told to `log`, then waits as long as there is a file `wait`.
const HOOK: &str = "echo \"$VIPD_SEQUENCE $VIPD_FROM $VIPD_TO $VIPD_SUPERSEDED\" >> {dir}/log
read json; echo \"$json\" > {dir}/json
while test -e {dir}/wait; do sleep 0.02; done
echo told $VIPD_TO";

/// A node's hook may write these.
fn logs(rig: &Rig) {
    for (node, file) in [("lb1", "log"), ("lb1", "json"), ("lb2", "log"), ("lb2", "json")] {
        let path = rig.at(node, file);
        write(&path, "").expect("an empty file");
        rig.mode(&path, 0o666);
    }
}

/// Where programs cannot be run, the hook says so, and the router serves all the same.
fn can_be_told(rig: &Rig) -> bool {
    if programs_run() {
        return true;
    }
    let run = rig.hooked("lb1", |_| true);
    assert!(!run.succeeded && run.how.contains("could not be run as nobody"), "{run:?}");
    rig.serves("lb1");
    false
}

fn lines(path: &Path) -> Vec<String> {
    read_to_string(path).expect("the hook's file").lines().map(str::to_owned).collect()
}

#[test]
fn a_hook_is_told_of_every_transition_in_order_with_its_context() {
    let mut rig = Rig::hosts();
    rig.scripts("hook", HOOK);
    logs(&rig);
    rig.serving(r#"notify = ["{dir}/hook"]"#, "");
    if !can_be_told(&rig) {
        return;
    }
    rig.hooked("lb1", |run| run.to == Role::Active);
    rig.node("lb1").handover(false).expect("handed over");
    rig.serves("lb2");
    let run = rig.hooked("lb1", |run| run.sequence == 3);
    assert!(run.succeeded && run.to == Role::Backup, "{run:?}");
    assert_eq!(run.how, "exited with code 0: told Backup");
    let expected = ["1 Initialize Backup 0", "2 Backup Active 0", "3 Active Backup 0"];
    assert_eq!(lines(&rig.at("lb1", "log")), expected);
    rig.hooked("lb2", |run| run.to == Role::Active);
    assert_eq!(lines(&rig.at("lb2", "log")), expected[..2]);
    let json: serde_json::Value = serde_json::from_str(&lines(&rig.at("lb2", "json"))[0]).expect("JSON");
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (text("node"), text("router"), text("from"), text("to")),
        ("lb2".into(), "web".into(), "backup".into(), "active".into())
    );
    assert_eq!((text("peer"), json["sequence"].as_u64()), ("lb1".into(), Some(2)));
    assert!(!text("reason").is_empty() && json["time_ms"].as_u64().is_some(), "{json}");
    // An event each, for the log and for whoever watches.
    let told = |event: &Event| matches!(event, Event::Hooked { sequence: 3, succeeded: true, .. });
    let events = rig.node("lb1").events();
    let seen = events.wait(0, PATIENCE, |all| all.iter().any(|at| told(&at.event)).then_some(()));
    assert!(seen.is_some(), "no event of the hook");
}

#[test]
fn transitions_that_wait_are_replaced_by_the_latest_and_the_router_does_not_wait() {
    let mut rig = Rig::hosts();
    rig.scripts("hook", HOOK);
    logs(&rig);
    rig.serving(r#"notify = { run = ["{dir}/hook"], timeout = "1m" }"#, "");
    if !can_be_told(&rig) {
        return;
    }
    rig.hooked("lb1", |run| run.sequence == 2);
    write(rig.at("lb1", "wait"), "").expect("held");
    for _ in 0..3 {
        rig.node("lb1").handover(false).expect("handed over");
        rig.serves("lb2");
        rig.node("lb1").handover(true).expect("competes again");
        rig.serves("lb1");
    }
    remove_file(rig.at("lb1", "wait")).expect("let go");
    let run = rig.hooked("lb1", |run| run.sequence == 8);
    assert!(run.succeeded, "{run:?}");
    let log = lines(&rig.at("lb1", "log"));
    assert_eq!(log[2..], ["3 Active Backup 0", "8 Backup Active 4"]);
}

#[test]
fn a_hook_that_takes_too_long_is_stopped_and_said_so() {
    let mut rig = Rig::hosts();
    rig.scripts("hook", "sleep 600 & echo asleep; wait");
    let from = Moment::now();
    rig.serving(r#"notify = { run = ["{dir}/hook"], timeout = "300ms" }"#, "");
    if !can_be_told(&rig) {
        return;
    }
    let run = rig.hooked("lb1", |run| run.to == Role::Active);
    assert_eq!((run.how.as_str(), run.succeeded), ("took too long, was killed by SIGTERM: asleep", false));
    assert!(rig.longest_silence("lb1", from) < STEADY, "{:?}", rig.longest_silence("lb1", from));
    rig.serves("lb1");
}

#[test]
fn a_hook_that_others_could_replace_is_not_run_and_the_router_serves() {
    let mut rig = Rig::hosts();
    rig.scripts("hook", HOOK);
    logs(&rig);
    rig.mode(&rig.at("lb1", "hook"), 0o775);
    let group = std::os::unix::fs::chown(rig.at("lb1", "hook"), None, Some(50)).is_ok();
    rig.mode(&rig.at("lb1", "hook"), if group { 0o775 } else { 0o757 });
    rig.serving(r#"notify = ["{dir}/hook"]"#, "");
    let run = rig.hooked("lb1", |run| run.to == Role::Active);
    let by = if group { "group 50 (mode 0775)" } else { "everyone (mode 0757)" };
    assert!(!run.succeeded && run.how.contains(&format!("lb1/hook is writable by {by}")), "{run:?}");
    assert_eq!(lines(&rig.at("lb1", "log")), [""; 0]);
    rig.serves("lb1");
}

#[test]
fn the_last_transition_is_told_before_the_agent_ends() {
    let mut rig = Rig::hosts();
    rig.scripts("hook", HOOK);
    logs(&rig);
    rig.serving(r#"notify = ["{dir}/hook"]"#, "");
    if !can_be_told(&rig) {
        return;
    }
    rig.hooked("lb1", |run| run.to == Role::Active);
    rig.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    let ended = rig.node_mut("lb1").process().wait(PATIENCE).expect("waited").expect("it ends");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(lines(&rig.at("lb1", "log")).last().map(String::as_str), Some("3 Active Initialize 0"));
}
