//! Routes that move with the address.

use std::time::Duration;

use vipd::event::Event;
use vipd::lab::Moment;
use vipd::vrrp::Role;

use super::pair::{NODES, PATIENCE, Pair};

/// One that moves, and one whose next hop is nowhere.
const ROUTES: &str = r#"vrid = 51
routes = [
  { to = "10.8.0.0/16", via = "10.77.0.50", src = "10.77.0.100", metric = 5 },
  { to = "10.9.0.0/16", table = 100 },
]"#;

fn pair_with(routes: &str) -> Pair {
    let mut pair = Pair::hosts_with(|config| config.replace("vrid            = 51", routes));
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send();
    pair
}

fn routes_of(pair: &Pair, node: &str) -> [String; 2] {
    ["show proto 118", "show proto 118 table 100"].map(|line| {
        // A table that was never used is an error to ip(8).
        let shown = pair.attempt_on(node, &format!("ip route {line}"));
        String::from_utf8_lossy(&shown.stdout).trim().to_owned()
    })
}

/// Exactly `name` has both.
fn routed_by(pair: &Pair, name: &str) {
    for node in NODES {
        let expected = if node == name {
            [
                "10.8.0.0/16 via 10.77.0.50 dev eth0 src 10.77.0.100 metric 5",
                "10.9.0.0/16 dev eth0 scope link",
            ]
        } else {
            ["", ""]
        };
        assert_eq!(routes_of(pair, node), expected, "{node}\n{}", pair.explain());
    }
}

#[test]
fn routes_move_with_the_address_and_come_back_when_removed() {
    let mut pair = pair_with(ROUTES);
    routed_by(&pair, "lb1");
    let pulled = pair.lab.unplug("lb1").expect("pulled");
    pair.moved_to("lb2", pulled);
    routed_by(&pair, "lb2");
    // What lb2 sends there has the address that moves as its source.
    let way = pair.output_on("lb2", "ip route get 10.8.0.1");
    assert!(way.starts_with("10.8.0.1 via 10.77.0.50 dev eth0 src 10.77.0.100"), "{way}");
    let plugged = pair.lab.plug("lb1").expect("plugged");
    pair.moved_to("lb1", plugged);
    routed_by(&pair, "lb1");

    let mark = pair.node("lb1").events().mark();
    let removed = Moment::now();
    pair.on("lb1", "ip route delete 10.8.0.0/16 proto 118");
    let back = pair.node("lb1").events().wait(mark, PATIENCE, |events| {
        let is_it = |event: &Event| {
            matches!(event, Event::RouteRestored { route, .. } if route == "10.8.0.0/16 via 10.77.0.50 on eth0")
        };
        events.iter().any(|stamped| is_it(&stamped.event)).then(Moment::now)
    });
    let took = back.expect("it is back").since(removed);
    println!("back after {took:?}");
    // The sweep alone would take up to three seconds.
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    routed_by(&pair, "lb1");

    // What a killed agent leaves behind goes with `vipd release`, and the routes of others stay.
    pair.on("lb1", "ip route add 10.10.0.0/16 via 10.77.0.50");
    pair.node_mut("lb1").kill().expect("killed");
    let output = pair.release("lb1");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("released the route 10.8.0.0/16 via 10.77.0.50"), "{output:?}");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.served_from(Moment::now());
    routed_by(&pair, "lb2");
    assert!(pair.output_on("lb1", "ip route show").contains("10.10.0.0/16"));
}

#[test]
fn a_route_over_ipv6_gets_its_source_back_with_the_address() {
    let pair = Pair::both_families(|config| {
        let route = r#"{ to = "2001:db8:8::/48", via = "2001:db8::50", src = "2001:db8::100", metric = 5 }"#;
        config.replace("vrid            = 51", &format!("vrid = 51\nroutes = [{route}]"))
    });
    let whole = "2001:db8:8::/48 via 2001:db8::50 dev eth0 src 2001:db8::100 metric 5";
    let shown = || pair.output_on("lb1", "ip -6 route show proto 118");
    assert!(shown().starts_with(whole), "{}", shown());
    pair.on("lb1", "ip address delete 2001:db8::100/64 dev eth0");
    pair.node("lb1")
        .wait_for("the address and its route", PATIENCE, |status| {
            status.routers[0].restored == 1 && status.routers[0].routes[0].held && shown().starts_with(whole)
        })
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", shown(), pair.explain()));
}

#[test]
fn what_a_killed_agent_left_is_removed_by_the_next_one_before_it_serves() {
    let mut pair = pair_with(ROUTES);
    pair.node_mut("lb1").kill().expect("killed");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    assert!(routes_of(&pair, "lb1")[0].contains("10.8.0.0/16"), "nobody has removed it yet");
    pair.nodes.retain(|node| node.name() == "lb2");
    // Its config has no routes any more.
    pair.configure("lb1", |config| config.replace(ROUTES, "vrid = 51"));
    pair.start_nodes(&["lb1"]);
    assert_eq!(routes_of(&pair, "lb1"), ["", ""]);
}

#[test]
fn a_route_that_the_kernel_refuses_is_told_and_the_address_serves_without_it() {
    let refused = r#"vrid = 51
routes = [
  { to = "10.8.0.0/16", via = "192.168.99.1" },
  { to = "10.7.0.0/16", via = "10.77.0.50" },
]"#;
    let mut pair = Pair::hosts_with(|config| config.replace("vrid            = 51", refused));
    pair.on("lb1", "ip route add 10.7.0.0/16 via 10.77.0.11");
    pair.start_nodes(&NODES);
    pair.settle();
    pair.send();
    pair.held_by("lb1");
    let status = pair.node("lb1").status().expect("a status");
    let problems = status.routers[0].routes.iter().map(|route| route.problem.clone().unwrap_or_default());
    assert_eq!(
        problems.collect::<Vec<_>>(),
        [
            "192.168.99.1 is in no network of eth0: write the next hop as this node reaches it",
            "another route to 10.7.0.0/16 has the metric 0 in table 254: write a lower `metric`, or remove that one",
        ]
    );
    let said = String::from_utf8_lossy(&pair.vipd("lb1", &["status"]).stdout).into_owned();
    assert!(said.contains("10.8.0.0/16 via 192.168.99.1 on eth0, not here: 192.168.99.1 is in no"), "{said}");

    // Once it can be added, it is.
    pair.on("lb1", "ip route delete 10.7.0.0/16 via 10.77.0.11");
    pair.node("lb1")
        .wait_for("the route", PATIENCE, |status| status.routers[0].routes[1].held)
        .expect("tried again");
}
