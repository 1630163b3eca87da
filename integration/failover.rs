//! Takeovers on real kernels: a pair of nodes in namespaces, real Nginx behind it, and a client that sends 500 requests
//! a second. Each test asserts what the client sees. Bounds are generous multiples; the figures come from the bench.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::signal::Signal;
use vipd::agent::Flight;
use vipd::event::Event;
use vipd::lab::{Frame, Moment};
use vipd::link::ServerState;
use vipd::vrrp::{Effect, Role};

#[path = "failover/authentic.rs"]
mod authentic;
#[path = "failover/elsewhere.rs"]
mod elsewhere;
#[path = "failover/heartbeat.rs"]
mod heartbeat;
#[path = "failover/kernel.rs"]
mod kernel;
#[path = "failover/losses.rs"]
mod losses;
#[path = "failover/maintenance.rs"]
mod maintenance;
#[path = "failover/pair.rs"]
mod pair;
#[path = "failover/routes.rs"]
mod routes;
#[path = "failover/tuning.rs"]
mod tuning;
#[path = "failover/vmac.rs"]
mod vmac;
#[path = "failover/websocket.rs"]
mod websocket;

use pair::{ADDRESS, NODES, PATIENCE, Pair, VIP, advertising_every, is, is_fit, pools, server_is};

/// Three times the down interval of a Backup of priority 100 at 100 ms adverts (361 ms).
const SILENCE: Duration = Duration::from_millis(1_083);
/// Ten times the skew time at the same values (61 ms).
const RESIGNED: Duration = Duration::from_millis(610);

#[test]
fn the_cable_is_pulled_and_plugged_back_in() {
    let pair = Pair::serving();
    let pulled = pair.lab.unplug("lb1").expect("pulled");
    let advert = pair.advert_of("lb2", pulled);
    assert!(advert.at.since(pulled) < SILENCE, "took {:?}", advert.at.since(pulled));
    pair.moved_to("lb2", pulled);
    let away = pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("lb1 notices");
    assert!(away.routers[0].why.contains("no carrier"), "{}", away.routers[0].why);

    // The checks of lb1 see dead servers meanwhile; its return must not fail a request.
    pair.node("lb1")
        .wait_for("its servers down", PATIENCE, |status| server_is(status, "app1", ServerState::Down))
        .expect("lb1 cannot reach them");
    let plugged = pair.lab.plug("lb1").expect("plugged");
    pair.moved_to("lb1", plugged);
    pair.assert_smooth(plugged);
}

#[test]
fn sigterm_hands_the_address_over_with_priority_zero() {
    let mut pair = Pair::serving();
    let asked = Moment::now();
    pair.node("lb1").signal(Signal::SIGTERM).expect("signalled");
    let advert = pair.advert_of("lb2", asked);
    assert!(advert.at.since(asked) < RESIGNED, "took {:?}", advert.at.since(asked));
    let resigned = pair
        .adverts(asked)
        .into_iter()
        .any(|frame| frame.advert().is_some_and(|advert| advert.priority == 0));
    assert!(resigned, "lb1 said that it goes");
    pair.moved_to("lb2", asked);
    let ended = pair.node_mut("lb1").process().wait(PATIENCE).expect("waited").expect("it ends");
    assert_eq!(ended.code(), Some(0));
    // A dead agent's socket does not answer.
    assert!(pair.node("lb1").status().is_err());
}

#[test]
fn a_killed_agent_leaves_no_address_behind_once_released() {
    let mut pair = Pair::serving();
    let killed = Moment::now();
    pair.node_mut("lb1").kill().expect("killed");
    let output = pair.release("lb1");
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("released 10.77.0.100/24 from eth0"),
        "{output:?}"
    );
    pair.moved_to("lb2", killed);
    // Again, with nothing to do, is no error.
    let output = pair.release("lb1");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_killed_agent_that_starts_again_takes_its_own_leftovers_off_first() {
    let mut pair = Pair::serving();
    pair.node_mut("lb1").kill().expect("killed");
    let lb2 = pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    assert!(is(&lb2, Role::Active));
    assert!(pair.lab.host("lb1").holds(VIP).expect("netlink"), "nobody has released it yet");
    pair.nodes.retain(|node| node.name() == "lb2");
    let started = Moment::now();
    pair.start_nodes(&["lb1"]);
    assert!(!pair.lab.host("lb1").holds(VIP).expect("netlink"), "taken off before anything is claimed");
    pair.moved_to("lb1", started);
}

#[test]
fn a_stopped_agent_wakes_up_listens_first_and_there_is_one_holder_again() {
    let pair = Pair::serving();
    let mark = pair.node("lb1").events().mark();
    let stopped = Moment::now();
    pair.node("lb1").signal(Signal::SIGSTOP).expect("stopped");
    pair.advert_of("lb2", stopped);
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    let woken = Moment::now();
    pair.node("lb1").signal(Signal::SIGCONT).expect("woken");
    let let_go = pair.node("lb1").events().wait(mark, PATIENCE, |events| {
        events.iter().find_map(|stamped| {
            let Event::Moved { from: Role::Active, to: Role::Backup, why, .. } = &stamped.event else {
                return None;
            };
            Some(why.clone())
        })
    });
    assert!(let_go.is_some_and(|why| why.starts_with("was away for")), "{}", pair.explain());
    pair.moved_to("lb1", woken);
    // It has listened first: nothing of it on the wire for three intervals.
    let lb1 = pair.lab.host("lb1").mac();
    let speaks =
        |frame: &Frame| frame.source == lb1 && (frame.advert().is_some() || frame.gratuitous().is_some());
    let first = pair.capture.wait_for(woken, PATIENCE, speaks).expect("it has moved");
    assert!(first.at.since(woken) > Duration::from_millis(300), "after {:?}", first.at.since(woken));
    pair.node("lb2").wait_for_role(Role::Backup, PATIENCE).expect("lb2 yields");
    pair.held_by("lb1");
}

#[test]
fn what_the_flight_recorder_has_plays_again_to_the_same_effects() {
    let mut pair = Pair::serving();
    pair.node("lb1").handover(false).expect("lb2 takes over");
    // On demand.
    let output = pair.vipd("lb2", &["debug", "dump"]);
    assert!(output.status.success(), "{output:?}");
    let flight: Flight = serde_json::from_slice(&output.stdout).expect("JSON");
    let machines = flight.dump.replay().expect("the same effects");
    assert_eq!((flight.node.as_str(), machines[0].role()), ("lb2", Role::Active));
    let moves = |effect: &&Effect| matches!(effect, Effect::Moved { .. });
    let told: Vec<_> = flight.dump.entries.iter().flat_map(|entry| &entry.effects).filter(moves).collect();
    assert!(matches!(told.last(), Some(Effect::Moved { from: Role::Backup, to: Role::Active, .. })));

    // By itself at each transition, the last one included when the agent ends.
    pair.node("lb2").signal(Signal::SIGTERM).expect("signalled");
    pair.node_mut("lb2").process().wait(PATIENCE).expect("waited").expect("it ends");
    let dir = pair.lab.dir().join("lb2/state/flight");
    let files = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("a file").path());
    let last = files.max().expect("at least one");
    let text = std::fs::read(last).expect("readable");
    let flight: Flight = serde_json::from_slice(&text).expect("JSON");
    let machines = flight.dump.replay().expect("the same effects");
    assert_eq!(machines[0].role(), Role::Initialize);
}

#[test]
fn a_killed_proxy_takes_the_address_with_it_and_comes_back() {
    let pair = Pair::serving();
    let mark = pair.node("lb1").events().mark();
    let killed = Moment::now();
    pair.node("lb1").kill_proxy().expect("killed");
    let advert = pair.advert_of("lb2", killed);
    assert!(advert.at.since(killed) < RESIGNED, "took {:?}", advert.at.since(killed));
    let why = pair.node("lb1").events().wait(mark, PATIENCE, |events| {
        events.iter().find_map(|stamped| {
            let Event::Moved { to: Role::Initialize, why, .. } = &stamped.event else { return None };
            Some(why.clone())
        })
    });
    assert_eq!(why.as_deref(), Some("the proxy was killed by SIGKILL; it is started again in 100 ms"));
    pair.moved_to("lb1", advert.at);
    let status = pair.node("lb1").status().expect("a status");
    assert_eq!(status.proxy.expect("a proxy").deaths, 1);
}

#[test]
fn a_deleted_address_is_put_back_without_a_change_of_role() {
    let pair = Pair::serving();
    let before = pair.node("lb1").status().expect("a status");
    let deleted = Moment::now();
    pair.lab.host("lb1").delete_address(ADDRESS).expect("deleted");
    let after = pair
        .node("lb1")
        .wait_for("the address put back", PATIENCE, |status| status.routers[0].restored == 1)
        .expect("put back");
    assert_eq!(after.routers[0].since_ms, before.routers[0].since_ms, "no change of role");
    pair.served_from(Moment::now());
    pair.held_by("lb1");
    let peers = pair.adverts(deleted).into_iter().filter(|frame| frame.source != pair.lab.host("lb1").mac());
    assert_eq!(peers.count(), 0, "the peer saw nothing");
}

#[test]
fn a_server_that_dies_leaves_the_rotation_and_returns() {
    let mut pair = Pair::serving();
    let killed = Moment::now();
    pair.apps[1].kill();
    pair.node("lb1")
        .wait_for("app2 down", PATIENCE, |status| server_is(status, "app2", ServerState::Down))
        .expect("noticed");
    // What was on its way to app2 breaks; what had not reached it goes to the next server.
    let tally = pair.tally(killed);
    assert!(tally.failed <= 5, "{tally:?}");
    let without = Moment::now();
    pair.served_from(without);
    let tally = pair.tally(without);
    pair.assert_undisturbed(&tally);
    assert!(tally.served.keys().all(|(_, server)| server != "app2"), "{tally:?}");

    pair.apps[1].restart().expect("started again");
    pair.node("lb1")
        .wait_for("app2 up", PATIENCE, |status| server_is(status, "app2", ServerState::Up))
        .expect("noticed");
    let with = Moment::now();
    pair.served_from(with);
    let tally = pair.tally(with);
    pair.assert_undisturbed(&tally);
    assert!(tally.served.keys().any(|(_, server)| server == "app2"), "{tally:?}");
    pair.held_by("lb1");
}

#[test]
fn a_node_that_reaches_no_server_yields_to_one_that_does() {
    let pair = Pair::serving();
    let lb1 = pair.yields_without_servers();
    let reasons = lb1.routers[0].reasons.join("; ");
    assert!(reasons.contains("pool web: none of its 3 servers is healthy"), "{reasons}");

    let mended = Moment::now();
    for app in 11..=13 {
        pair.on("lb1", &format!("ip route del blackhole 10.77.0.{app}/32"));
    }
    pair.moved_to("lb1", mended);
    pair.assert_smooth(mended);
}

#[test]
fn with_every_server_down_the_address_stays_and_says_503() {
    let mut pair = Pair::serving();
    for app in &mut pair.apps {
        app.kill();
    }
    for node in NODES {
        pair.node(node)
            .wait_for("no healthy server", PATIENCE, |status| {
                pools(status).iter().all(|pool| pool.healthy == 0) && !is_fit(status)
            })
            .expect("noticed");
    }
    // Nobody is better off: whoever has the address keeps it, and answers.
    let mark = Moment::now();
    let holders = || NODES.map(|node| pair.lab.host(node).holds(VIP).expect("netlink"));
    let before = holders();
    assert_eq!(before.iter().filter(|holds| **holds).count(), 1, "{before:?}");
    let refused = pair.traffic.as_ref().expect("traffic").exchanges().wait(0, PATIENCE, |exchanges| {
        let late = exchanges.iter().filter(|exchange| exchange.sent >= mark);
        let refused = late.filter(|exchange| exchange.outcome.failure().as_deref() == Some("status 503"));
        (refused.count() >= 100).then_some(())
    });
    assert!(refused.is_some(), "503\n{}", pair.explain());
    assert_eq!(holders(), before);

    for app in &mut pair.apps {
        app.restart().expect("started again");
    }
    pair.node("lb1")
        .wait_for("lb1 Active and fit", PATIENCE, |status| is(status, Role::Active) && is_fit(status))
        .expect("back");
    pair.served_from(Moment::now());
    pair.held_by("lb1");
}

#[test]
fn both_nodes_started_at_once_agree_on_one_holder() {
    let mut pair = Pair::hosts();
    pair.start_nodes(&NODES);
    pair.settle();
    let settled = Moment::now();
    pair.send();
    pair.held_by("lb1");
    let takeovers = pair.node("lb2").status().expect("a status").routers[0].takeovers;
    assert!(takeovers <= 1, "lb2 served at most while lb1 was not ready");
    let others = pair.adverts(settled).into_iter().filter(|frame| frame.source != pair.lab.host("lb1").mac());
    assert_eq!(others.count(), 0);
}

#[test]
fn adverts_and_addresses_are_as_the_standards_want_them() {
    let mut pair = Pair::hosts();
    pair.start_nodes(&["lb1"]);
    let lb1 = pair.lab.host("lb1");
    let frame = pair.advert_of("lb1", Moment::now());
    let advert = frame.advert().expect("an advert");
    assert_eq!((advert.version, advert.ttl, advert.tos, advert.vrid), (3, 255, 0xC0, 51));
    let group: IpAddr = Ipv4Addr::new(224, 0, 0, 18).into();
    assert_eq!((advert.source, advert.destination), (lb1.address().into(), group));
    assert_eq!((advert.interval, advert.addresses.as_slice()), (10, &[VIP.into()][..]));
    pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("it serves");
    let shown = pair.output_on("lb1", "ip -d -json address show dev eth0");
    let ours = shown.split('{').find(|part| part.contains("10.77.0.100")).expect("the address");
    assert!(ours.contains("\"prefixlen\":24"), "{ours}");
    assert!(ours.contains("\"noprefixroute\":true"), "the route to the network is not ours: {ours}");
    assert!(pair.is_tagged("lb1"), "tagged as ours");
}

#[test]
fn an_interface_that_is_not_there_is_a_fault_until_it_comes() {
    let mut pair = Pair::hosts();
    pair.on("lb1", "ip link set eth0 name later");
    pair.start_nodes(&["lb1"]);
    let status = pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("it runs");
    assert_eq!(status.routers[0].reasons[0], "there is no interface eth0");
    for line in ["ip link set later down", "ip link set later name eth0", "ip link set eth0 up"] {
        pair.on("lb1", line);
    }
    pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("it serves");
}

#[test]
fn a_node_that_rejoins_preempts_and_fails_no_request() {
    let mut pair = Pair::hosts();
    pair.start_nodes(&["lb2"]);
    pair.node("lb2")
        .wait_for("lb2 Active and fit", PATIENCE, |status| is(status, Role::Active) && is_fit(status))
        .expect("serves alone");
    pair.send();
    let joined = Moment::now();
    pair.start_nodes(&["lb1"]);
    pair.moved_to("lb1", joined);
    pair.assert_smooth(joined);
    let first = pair.advert_of("lb1", joined);
    let priority = first.advert().map(|advert| advert.priority);
    assert_eq!(priority, Some(200), "it competes at its own priority only when it can serve");
    let refused = pair.node("lb1").status().expect("a status").refused;
    assert_eq!(refused, [], "what came before it took part is no mistake of lb2's");
}

#[test]
fn a_handover_moves_the_address_and_only_to_somebody() {
    let mut pair = Pair::serving();
    let asked = Moment::now();
    let words = pair.node("lb1").handover(false).expect("lb2 takes over");
    assert!(words.starts_with("handed over web to lb2"), "{words}");
    pair.moved_to("lb2", asked);
    let back = Moment::now();
    pair.node("lb1").handover(true).expect("undone");
    pair.moved_to("lb1", back);
    pair.assert_smooth(asked);

    pair.node("lb2").signal(Signal::SIGTERM).expect("signalled");
    pair.node_mut("lb2").process().wait(PATIENCE).expect("waited").expect("it ends");
    let alone = Moment::now();
    let refused = pair.node("lb1").handover(false).expect_err("nobody is there");
    assert!(refused.to_string().contains("nobody took over"), "{refused}");
    pair.served_from(Moment::now());
    // The offer cost no request.
    pair.assert_undisturbed(&pair.tally(alone));
    pair.held_by("lb1");
}

/// What moves beside [`VIP`] where a test has both families.
const VIP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x100);

#[test]
fn both_families_move_together() {
    let mut pair = Pair::both_families(str::to_owned);
    pair.send_to(&[SocketAddr::from((VIP_V6, 3000)), SocketAddr::from((VIP, 3000))]);
    let holds = |host: &str| {
        let host = pair.lab.host(host);
        (host.holds(VIP).expect("netlink"), host.holds(VIP_V6).expect("netlink"))
    };
    assert_eq!((holds("lb1"), holds("lb2")), ((true, true), (false, false)));
    let is_v6 = |frame: &Frame| frame.advert().is_some_and(|advert| advert.source.is_ipv6());
    let frame = pair.capture.wait_for(Moment::now(), PATIENCE, is_v6).expect("an advert over IPv6");
    let advert = frame.advert().expect("an advert");
    let group = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0x12);
    assert_eq!((advert.ttl, advert.destination), (255, group.into()));

    let pulled = pair.lab.unplug("lb1").expect("pulled");
    pair.moved_to("lb2", pulled);
    assert_eq!((holds("lb1"), holds("lb2")), ((false, false), (true, true)));
    // Without a neighbour advertisement the client would go on asking lb1 for many seconds.
    let over_v6 = pair.tally_of(0, pulled);
    assert!(over_v6.longest_gap < 2 * SILENCE, "{over_v6:?}");

    let plugged = pair.lab.plug("lb1").expect("plugged");
    pair.moved_to("lb1", plugged);
    assert_eq!((holds("lb1"), holds("lb2")), ((true, true), (false, false)));
    pair.assert_smooth(plugged);
}

#[test]
fn unicast_and_version_2_fail_over_as_well() {
    let unicast = |config: &str| config.replace("vrid            = 51", "vrid = 51\ntransport = \"unicast\"");
    let version_2 = |config: &str| {
        let config = config.replace("vrid            = 51", "vrid = 51\nversion = 2\npassword = \"secret\"");
        advertising_every("1s", &config)
    };
    let edits: [&dyn Fn(&str) -> String; 2] = [&unicast, &version_2];
    for edit in edits {
        let pair = Pair::serving_with(edit);
        let before = pair.node("lb2").status().expect("a status");
        let peer = before.routers[0].peer.as_ref().expect("lb1 is heard");
        assert_eq!((peer.name.as_deref(), peer.priority.get()), (Some("lb1"), 200));
        let pulled = pair.lab.unplug("lb1").expect("pulled");
        pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
        pair.served_from(Moment::now());
        pair.held_by("lb2");
        let plugged = pair.lab.plug("lb1").expect("plugged");
        assert!(plugged > pulled);
        pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("lb1 preempts");
        pair.node("lb2").wait_for_role(Role::Backup, PATIENCE).expect("lb2 yields");
        pair.served_from(Moment::now());
        pair.held_by("lb1");
    }
}
