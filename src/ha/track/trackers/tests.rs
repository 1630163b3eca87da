//! What is seen, how a tracker stands then, and what that does: no clock, nobody goes and looks.

use crate::config;
use crate::event::Event;
use crate::ha::track::{DataPlane, Finding, Standing};
use crate::link::{PoolReport, Report, ServerReport, TrackerState};
use crate::net::netlink::Interface;
use crate::vrrp::{Priority, Span, Time};

use super::{Trackers, adjusted};

const CONFIG: &str = r#"
[[node]]
name = "lb1"
address = "10.77.0.1"
priority = 200

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
addresses = ["10.77.0.100/24"]
track = [TRACK]

[[frontend]]
name = "web"
bind = ["10.77.0.100:80"]
pool = "app"

[[pool]]
name = "app"
check = { http = "/health" }
server = [{ name = "app1", address = "10.77.0.11:8080" }, { name = "app2", address = "10.77.0.12:8080" }, { name = "app3", address = "10.77.0.13:8080" }]
"#;

fn trackers(track: &str) -> Trackers {
    let text = CONFIG.replace("TRACK", track);
    let config = config::parse("test.toml", &text).unwrap_or_else(|errors| panic!("{errors}")).config;
    Trackers::new(&config.routers[0].track, 1)
}

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

fn attempt(trackers: &mut Trackers, passed: bool, why: &str) -> Option<Event> {
    trackers.observe(5, "web", 0, Finding::Attempt { passed, why: why.to_owned() })
}

fn fact(trackers: &mut Trackers, standing: Standing) -> Option<Event> {
    trackers.observe(5, "web", 0, Finding::Fact { standing, why: "so it is".to_owned() })
}

fn faults(trackers: &Trackers) -> Vec<String> {
    trackers.faults().collect()
}

#[test]
fn what_has_not_been_looked_at_counts_as_failed_and_the_first_attempt_decides() {
    let mut script = trackers(r#"{ script = ["/bin/x"] }"#);
    assert_eq!(faults(&script), ["script /bin/x: not looked at yet"]);
    assert_eq!(script.status()[0].state, TrackerState::Checking);
    assert!(attempt(&mut script, true, "exited with code 0").is_some());
    assert_eq!(faults(&script), [""; 0]);
    let mut script = trackers(r#"{ script = ["/bin/x"], priority = -60 }"#);
    assert_eq!(script.adjustment(), (-60, vec!["script /bin/x: not looked at yet (-60)".to_owned()]));
    attempt(&mut script, false, "exited with code 1");
    assert_eq!(script.adjustment(), (-60, vec!["script /bin/x: exited with code 1 (-60)".to_owned()]));
    assert_eq!(faults(&script), [""; 0]);
}

#[test]
fn rise_and_fall_count_and_only_a_change_is_an_event() {
    let mut script = trackers(r#"{ script = ["/bin/x"], rise = 2, fall = 3 }"#);
    attempt(&mut script, true, "fine");
    let mut changes = |passes: &[bool]| -> Vec<bool> {
        passes.iter().map(|passed| attempt(&mut script, *passed, "seen").is_some()).collect()
    };
    assert_eq!(changes(&[false, false, true, false, false]), [false; 5]);
    assert_eq!(changes(&[false]), [true]);
    assert_eq!(changes(&[true, false, true]), [false; 3]);
    assert_eq!(changes(&[true]), [true]);
}

#[test]
fn the_reason_is_what_made_it_fail_and_the_status_has_what_was_seen_last() {
    let mut script = trackers(r#"{ script = ["/bin/x"], fall = 1 }"#);
    attempt(&mut script, true, "fine");
    let event = attempt(&mut script, false, "exited with code 1: no disk").expect("it fails");
    assert_eq!(event.to_string(), "web: script /bin/x fails, a fault: exited with code 1: no disk");
    assert_eq!(attempt(&mut script, false, "took longer than 1s"), None);
    assert_eq!(faults(&script), ["script /bin/x: exited with code 1: no disk"]);
    assert_eq!(script.status()[0].reason, "took longer than 1s");
}

#[test]
fn a_refused_script_fails_at_once_and_mends_after_rise_successes() {
    let mut script = trackers(r#"{ script = ["/bin/x"] }"#);
    attempt(&mut script, true, "fine");
    assert!(fact(&mut script, Standing::Failing).is_some());
    assert_eq!(attempt(&mut script, true, "fine"), None);
    assert!(attempt(&mut script, true, "fine").is_some());
    // It may run again and fail for a reason of its own: that is what counts then.
    fact(&mut script, Standing::Failing);
    assert!(attempt(&mut script, false, "exited with code 1").is_some());
    assert_eq!(attempt(&mut script, false, "exited with code 2"), None);
    assert_eq!(faults(&script), ["script /bin/x: exited with code 1"]);
}

#[test]
fn a_file_switches_or_adjusts() {
    let mut file = trackers(r#"{ file = "/run/off" }"#);
    assert_eq!(faults(&file).len(), 1);
    fact(&mut file, Standing::Passing);
    assert_eq!((faults(&file).len(), file.adjustment().0), (0, 0));
    let event = fact(&mut file, Standing::Adjusting(-110)).expect("it adjusts");
    assert_eq!(event.to_string(), "web: file /run/off passes, priority -110: so it is");
    assert_eq!((faults(&file).len(), file.adjustment().0), (0, -110));
    assert!(fact(&mut file, Standing::Adjusting(20)).is_some());
    assert_eq!(file.adjustment(), (20, vec!["file /run/off: so it is (+20)".to_owned()]));
    fact(&mut file, Standing::Adjusting(0));
    assert_eq!(file.adjustment(), (0, Vec::new()));
    fact(&mut file, Standing::Failing);
    assert_eq!(faults(&file), ["file /run/off: so it is"]);
}

#[test]
fn adjustments_add_up() {
    let mut both =
        trackers(r#"{ file = "/a", priority = -60 }, { gateway = "10.77.0.254", priority = -50 }"#);
    assert_eq!(both.adjustment().0, -110);
    fact(&mut both, Standing::Passing);
    assert_eq!(both.adjustment(), (-50, vec!["gateway 10.77.0.254: not looked at yet (-50)".to_owned()]));
}

#[test]
fn an_effective_priority_stays_between_unfit_and_254_and_an_owners_stays() {
    for own in 1..=254_u8 {
        for by in -600..=600 {
            let expected = (i32::from(own) + by).clamp(1, 254);
            assert_eq!(i32::from(adjusted(Priority::new(own), by).get()), expected);
        }
    }
    assert_eq!(adjusted(Priority::OWNER, -253), Priority::OWNER);
    assert_eq!(adjusted(Priority::new(100), -100), Priority::UNFIT);
}

#[test]
fn another_interface_must_be_up_and_have_a_carrier() {
    let mut track = trackers(r#"{ interface = "eth1" }"#);
    let interface = |up, running| {
        vec![Interface {
            index: 3,
            name: "eth1".to_owned(),
            mac: None,
            up,
            running,
            macvlan: None,
            addresses: Vec::new(),
        }]
    };
    let mut look = |interfaces: &[Interface]| {
        let events = track.look(at(1), 1, "web", interfaces, &DataPlane::NotNeeded);
        (events.len(), faults(&track))
    };
    assert_eq!(look(&[]), (1, vec!["interface eth1: there is no such interface".to_owned()]));
    assert_eq!(look(&interface(true, true)), (1, Vec::new()));
    assert_eq!(look(&interface(true, true)), (0, Vec::new()));
    assert_eq!(
        look(&interface(true, false)),
        (1, vec!["interface eth1: it has no carrier: is the cable in?".to_owned()])
    );
    assert_eq!(look(&interface(true, false)).0, 0);
    let down = "interface eth1: it is down: `ip link set eth1 up`".to_owned();
    assert_eq!(look(&interface(false, false)), (1, vec![down]));
}

#[test]
fn a_share_of_a_pool_must_be_healthy() {
    let server = ServerReport::fresh("app1", ([10, 77, 0, 11], 8080).into());
    let plane = |healthy| {
        let servers = vec![server.clone(), server.clone(), server.clone()];
        let pool = PoolReport {
            name: "app".to_owned(),
            healthy,
            panics: false,
            queued: 0,
            verified_us: None,
            servers,
        };
        let report = Report { listening: true, pools: vec![pool], ..Report::default() };
        DataPlane::Reporting(report, at(0))
    };
    // The healthy servers of three that are just enough for each bound.
    for (bound, enough) in [(1, 1), (33, 1), (34, 2), (50, 2), (66, 2), (67, 3), (100, 3)] {
        for healthy in 0..=3 {
            let mut track = trackers(&format!(r#"{{ pool = "app", healthy = "{bound}%" }}"#));
            track.look(at(1), 1, "web", &[], &plane(healthy));
            assert_eq!(faults(&track).is_empty(), healthy >= enough, "{healthy} of 3 for {bound}%");
        }
    }
    let mut track = trackers(r#"{ pool = "app", healthy = "50%" }"#);
    let mut fault = |now, plane: &DataPlane| {
        track.look(at(now), 1, "web", &[], plane);
        (track.status()[0].reason.clone(), faults(&track).is_empty())
    };
    assert_eq!(fault(1, &DataPlane::Starting), ("the proxy is starting".to_owned(), false));
    assert_eq!(fault(1, &plane(2)), ("2 of its 3 servers healthy, 50% wanted".to_owned(), true));
    assert!(fault(2_999, &plane(2)).1);
    assert_eq!(fault(3_000, &plane(2)), ("the proxy has said nothing for 3000.000 ms".to_owned(), false));
    assert_eq!(
        fault(1, &DataPlane::Down("was killed".to_owned())),
        ("the proxy was killed".to_owned(), false)
    );
}
