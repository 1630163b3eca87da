//! Kernel settings that are in the way of the address.

use std::fs;

use vipd::vrrp::Role;

use super::pair::{PATIENCE, Pair};

const SETTING: &str = "/proc/sys/net/ipv4/conf/eth0/promote_secondaries";
const LINE: &str = "write `net.ipv4.conf.eth0.promote_secondaries = 1` to /etc/sysctl.d/vipd.conf";

/// Undoes on `host` what the lab sets.
fn spoil(pair: &Pair, host: &str) {
    let write = || fs::write("/proc/sys/net/ipv4/conf/all/promote_secondaries", "0");
    pair.lab.host(host).run(write).expect("a thread there").expect("written");
}

fn value(pair: &Pair, host: &str) -> String {
    pair.lab.host(host).run(|| fs::read_to_string(SETTING)).expect("a thread there").expect("read")
}

#[test]
fn a_setting_in_the_way_is_told_and_changed_when_asked() {
    let mut pair = Pair::hosts();
    spoil(&pair, "lb1");
    pair.start_nodes(&["lb1"]);
    let active = pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("it serves all the same");
    let advice = &active.routers[0].advice;
    assert!(advice.len() == 1 && advice[0].contains(LINE), "{advice:?}");
    assert!(pair.node("lb1").explain().contains(LINE), "it is in the log");
    let said = String::from_utf8_lossy(&pair.vipd("lb1", &["status"]).stdout).into_owned();
    assert!(said.contains("takes every other one of it off too"), "{said}");
    let checked = pair.vipd("lb1", &["check"]);
    assert!(checked.status.success(), "it is a warning: {checked:?}");
    assert!(String::from_utf8_lossy(&checked.stderr).contains(LINE), "{checked:?}");
    assert_eq!(value(&pair, "lb1").trim(), "0", "nobody asked for a change");

    spoil(&pair, "lb2");
    pair.configure("lb2", |config| config.replace("vrid            = 51", "vrid = 51\nsysctl = \"set\""));
    pair.start_nodes(&["lb2"]);
    let backup = pair.node("lb2").wait_for_role(Role::Backup, PATIENCE).expect("it takes part");
    assert_eq!(backup.routers[0].advice, [""; 0]);
    assert_eq!(value(&pair, "lb2").trim(), "1");
    assert!(pair.node("lb2").explain().contains("`net.ipv4.conf.eth0.promote_secondaries = 1` is set now"));
    let checked = pair.vipd("lb2", &["check"]);
    assert!(!String::from_utf8_lossy(&checked.stderr).contains("promote_secondaries"), "{checked:?}");
}
