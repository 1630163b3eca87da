//! What a node is fit for: each thing it depends on, alone and together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{self, Config};
use crate::link::{PoolReport, Report, ServerReport, ServerState};
use crate::net::netlink::{Assigned, Interface};
use crate::vrrp::{Cidr, Span, Time};

use super::{DataPlane, Link, Track, Trackers, Verdict};
use crate::ha::offers::Offers;

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

[[vrrp]]
name = "bare"
interface = "eth0"
vrid = 52
addresses = ["10.77.0.101/24"]

[[frontend]]
name = "web"
bind = ["10.77.0.100:80"]
pool = "app"

[[pool]]
name = "app"
check = { http = "/health" }
server = [{ name = "app1", address = "10.77.0.11:8080" }, { name = "app2", address = "10.77.0.12:8080" }]
"#;

const LINK: Link =
    Link { index: 7, mac: [2, 0, 0, 0, 0, 1], v4: Some(Ipv4Addr::new(10, 77, 0, 1)), v6: None };

fn config() -> Config {
    config::parse("test.toml", CONFIG).expect("a valid config").config
}

fn track(router: usize) -> Track {
    let config = config();
    Track::new(&config, &config.routers[router])
}

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

fn report(listening: bool, healthy: usize, verified_ms: Option<u64>, state: ServerState) -> Report {
    let server =
        |name: &str| ServerReport { state, ..ServerReport::fresh(name, ([10, 77, 0, 11], 8080).into()) };
    let verified_us = verified_ms.map(|ms| ms * 1_000);
    let servers = vec![server("app1"), server("app2")];
    let pool = PoolReport { name: "app".to_owned(), healthy, panics: false, queued: 0, verified_us, servers };
    Report { listening, pools: vec![pool], ..Report::default() }
}

fn good(now: u64) -> DataPlane {
    DataPlane::Reporting(report(true, 2, Some(now), ServerState::Up), at(now))
}

#[test]
fn all_is_well() {
    assert_eq!(track(0).verdict(at(10), Ok(LINK), &good(10)), Verdict::Fit(LINK));
}

#[test]
fn a_router_without_a_frontend_does_not_depend_on_the_proxy() {
    let down = DataPlane::Down("was killed by SIGKILL".to_owned());
    assert_eq!(track(1).verdict(at(10), Ok(LINK), &down), Verdict::Fit(LINK));
}

#[test]
fn no_address_without_a_listener() {
    let down = DataPlane::Down("was killed by SIGKILL".to_owned());
    let deaf = DataPlane::Reporting(report(false, 2, Some(10), ServerState::Up), at(10));
    for (plane, why) in [
        (down, "the proxy was killed by SIGKILL"),
        (DataPlane::Starting, "the proxy is starting"),
        (deaf, "the proxy does not listen"),
    ] {
        assert_eq!(track(0).verdict(at(10), Ok(LINK), &plane), Verdict::Fault(vec![why.to_owned()]));
    }
}

#[test]
fn a_pool_without_a_healthy_server_is_unfit_and_says_so() {
    let down = DataPlane::Reporting(report(true, 0, None, ServerState::Down), at(10));
    let reasons = vec!["pool app: none of its 2 servers is healthy".to_owned()];
    assert_eq!(track(0).verdict(at(10), Ok(LINK), &down), Verdict::Unfit(LINK, reasons));
    let checking = DataPlane::Reporting(report(true, 0, None, ServerState::Checking), at(10));
    let reasons = vec!["pool app: its servers are being checked".to_owned()];
    assert_eq!(track(0).verdict(at(10), Ok(LINK), &checking), Verdict::Unfit(LINK, reasons));
}

#[test]
fn a_pool_that_only_stands_in_makes_no_node_fit_and_none_unfit() {
    let sorry = "\n[[pool]]\nname = \"sorry\"\nserver = [{ name = \"s\", address = \"10.77.0.13:80\" }]\n";
    let text = CONFIG.replace("pool = \"app\"", "pool = \"app\"\nsorry_pool = \"sorry\"") + sorry;
    let config = config::parse("test.toml", &text).expect("a valid config").config;
    let mut track = Track::new(&config, &config.routers[0]);
    let mut verdict = |app: usize, sorry: usize| {
        let mut report = report(true, app, (app > 0).then_some(10), ServerState::Down);
        report.pools.push(PoolReport { name: "sorry".to_owned(), healthy: sorry, ..PoolReport::default() });
        track.verdict(at(10), Ok(LINK), &DataPlane::Reporting(report, at(10)))
    };
    assert!(matches!(verdict(0, 1), Verdict::Unfit(..)), "a healthy peer does better");
    assert_eq!(verdict(2, 0), Verdict::Fit(LINK));
}

#[test]
fn health_seen_before_the_cable_came_back_proves_nothing() {
    let mut track = track(0);
    assert_eq!(track.verdict(at(10), Ok(LINK), &good(10)), Verdict::Fit(LINK));
    let pulled = Err("interface eth0 has no carrier".to_owned());
    assert!(matches!(track.verdict(at(500), pulled, &good(10)), Verdict::Fault(_)));
    let reasons = vec!["pool app: not checked yet since this node came back".to_owned()];
    assert_eq!(track.verdict(at(900), Ok(LINK), &good(899)), Verdict::Unfit(LINK, reasons));
    assert_eq!(track.verdict(at(950), Ok(LINK), &good(900)), Verdict::Fit(LINK));
    assert_eq!(track.verdict(at(999), Ok(LINK), &good(901)), Verdict::Fit(LINK));
}

#[test]
fn a_proxy_that_says_nothing_for_long_is_stuck() {
    let mut track = track(0);
    let plane = good(10);
    assert_eq!(track.verdict(at(10), Ok(LINK), &plane), Verdict::Fit(LINK));
    assert_eq!(track.deadline(at(10), &plane), Some(at(3_010)));
    assert_eq!(track.verdict(at(3_009), Ok(LINK), &plane), Verdict::Fit(LINK));
    assert!(matches!(track.verdict(at(3_010), Ok(LINK), &plane), Verdict::Unfit(..)));
    assert_eq!(track.deadline(at(3_010), &plane), None);
}

#[test]
fn operators_and_the_kernel_are_heard() {
    let mut track = track(0);
    track.standing_back = true;
    assert!(matches!(track.verdict(at(10), Ok(LINK), &good(10)), Verdict::Unfit(..)));
    track.released = true;
    assert!(matches!(track.verdict(at(10), Ok(LINK), &good(10)), Verdict::Fault(_)));
    track.released = false;
    track.refused = Some(("no".to_owned(), at(1_000)));
    assert_eq!(track.verdict(at(10), Ok(LINK), &good(10)), Verdict::Fault(vec!["no".to_owned()]));
    assert_eq!(track.deadline(at(10), &good(10)), Some(at(1_000)));
}

fn assigned(address: IpAddr, tentative: bool) -> Assigned {
    Assigned { cidr: Cidr { address, prefix: 24 }, ours: false, tentative }
}

fn interface(up: bool, running: bool, addresses: &[[u8; 4]]) -> Vec<Interface> {
    let assigned = |octets: &[u8; 4]| assigned((*octets).into(), false);
    let addresses = addresses.iter().map(assigned).collect();
    vec![Interface {
        index: 7,
        name: "eth0".to_owned(),
        mac: Some(LINK.mac),
        up,
        running,
        macvlan: None,
        addresses,
    }]
}

fn offered(interfaces: &[Interface]) -> Result<Link, String> {
    offered_by(&config(), interfaces)
}

fn offered_by(config: &Config, interfaces: &[Interface]) -> Result<Link, String> {
    let mut offers = Offers::new(config, 0);
    offers.look(interfaces);
    offers.link(&config.routers[0])
}

#[test]
fn an_interface_offers_its_own_address_never_the_service_address() {
    assert_eq!(offered(&interface(true, true, &[[10, 77, 0, 9], [10, 77, 0, 1]])), Ok(LINK));
    let other = Link { v4: Some(Ipv4Addr::new(10, 77, 0, 9)), ..LINK };
    assert_eq!(offered(&interface(true, true, &[[10, 77, 0, 100], [10, 77, 0, 9]])), Ok(other));
    let none = offered(&interface(true, true, &[[10, 77, 0, 100]])).expect_err("only the service address");
    assert!(none.contains("no IPv4 address to send adverts from"), "{none}");
}

#[test]
fn an_interface_that_cannot_serve_says_why() {
    let fault = |interfaces: &[Interface]| offered(interfaces).expect_err("a fault");
    assert!(fault(&[]).contains("there is no interface eth0"));
    assert!(fault(&interface(false, false, &[])).contains("ip link set eth0 up"));
    assert!(fault(&interface(true, false, &[])).contains("no carrier"));
}

#[test]
fn ipv6_adverts_come_from_a_link_local_address_that_is_ready() {
    let mut config = config();
    config.routers[0]
        .addresses
        .push(Cidr { address: Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x64).into(), prefix: 64 });
    let link_local = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);
    let mut interfaces = interface(true, true, &[[10, 77, 0, 1]]);
    let offered = |interfaces: &[Interface]| offered_by(&config, interfaces);
    interfaces[0].addresses.push(assigned(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1).into(), false));
    interfaces[0].addresses.push(assigned(link_local.into(), true));
    assert!(offered(&interfaces).expect_err("not ready").contains("no link-local IPv6 address"));
    interfaces[0].addresses[2].tentative = false;
    assert_eq!(offered(&interfaces), Ok(Link { v6: Some(link_local), ..LINK }));
}

#[test]
fn trackers_are_weighed_with_the_rest() {
    let with = |track: &str| {
        let text = CONFIG.replacen("vrid = 51", &format!("vrid = 51\ntrack = [{track}]"), 1);
        let config = config::parse("test.toml", &text).expect("a valid config").config;
        let mut found = Track::new(&config, &config.routers[0]);
        found.trackers = Trackers::new(&config.routers[0].track, 0);
        found
    };
    let reason = "file /run/off: not looked at yet".to_owned();
    let fault = Verdict::Fault(vec![reason.clone()]);
    assert_eq!(with(r#"{ file = "/run/off" }"#).verdict(at(10), Ok(LINK), &good(10)), fault);
    let mut lower = with(r#"{ file = "/run/off", priority = -60 }"#);
    let lowered = format!("{reason} (-60)");
    assert_eq!(
        lower.verdict(at(10), Ok(LINK), &good(10)),
        Verdict::Adjusted(LINK, -60, vec![lowered.clone()])
    );
    // Unfit is lower than anything that is taken off.
    lower.standing_back = true;
    let unfit = Verdict::Unfit(
        LINK,
        vec!["handed over by an operator: `vipd handover --undo` competes again".to_owned(), lowered],
    );
    assert_eq!(lower.verdict(at(10), Ok(LINK), &good(10)), unfit);
    let pool = with(r#"{ pool = "app", healthy = "50%", priority = -60 }"#);
    assert_eq!(pool.deadline(at(10), &good(10)), Some(at(3_010)));
}

#[test]
fn a_machine_that_has_just_booted_takes_no_part_yet_and_says_for_how_long() {
    let text = CONFIG.replace("vrid = 52", "vrid = 52\nstart_delay = \"30s\"");
    let config = config::parse("test.toml", &text).expect("a valid config").config;
    let mut track = Track::new(&config, &config.routers[1]);
    let reason = "the machine has just booted (start_delay)".to_owned();
    assert_eq!(
        track.verdict(at(20_000), Ok(LINK), &DataPlane::NotNeeded),
        Verdict::Fault(vec![reason.clone()])
    );
    assert_eq!(track.deadline(at(20_000), &DataPlane::NotNeeded), Some(at(30_000)));
    assert_eq!(track.with_time(at(20_000), &reason), format!("{reason}, for 10.0 s more"));
    assert_eq!(track.verdict(at(30_000), Ok(LINK), &DataPlane::NotNeeded), Verdict::Fit(LINK));
    let mut restarted = Track::new(&config, &config.routers[1]);
    assert_eq!(restarted.verdict(at(31_000), Ok(LINK), &DataPlane::NotNeeded), Verdict::Fit(LINK));
}

#[test]
fn a_node_that_flaps_is_unfit_until_the_penalty_has_decayed_and_says_for_how_long() {
    let mut track = track(1);
    (100..103).for_each(|second| track.flaps.lost(at(second * 1_000)));
    let now = at(103_000);
    let Verdict::Unfit(LINK, reasons) = track.verdict(now, Ok(LINK), &DataPlane::NotNeeded) else {
        panic!("it is held down");
    };
    assert!(reasons[0].starts_with("held down"), "{reasons:?}");
    let until = track.deadline(now, &DataPlane::NotNeeded).expect("a deadline");
    let shown = track.with_time(now, &reasons[0]);
    assert_eq!(shown, format!("{}, for {} more", reasons[0], until.since(now)));
    assert_eq!(track.verdict(until, Ok(LINK), &DataPlane::NotNeeded), Verdict::Fit(LINK));
}
