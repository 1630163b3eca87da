//! Networks that lose packets, hear one way only, or fall in two halves: what is left when they are whole again.

use vipd::event::Alarm;
use vipd::lab::{Frame, Moment};
use vipd::link::Status;
use vipd::vrrp::Role;

use super::pair::{NODES, PATIENCE, Pair, VIP, is};

/// Drops what matches before the host sees it.
fn lose(pair: &Pair, node: &str, what: &str) {
    let chain = format!("chain in {{ type filter hook ingress device eth0 priority 0; {what} drop; }}");
    pair.on(node, &format!("nft table netdev lost {{ {chain}; }}"));
}

fn lose_no_more(pair: &Pair, node: &str) {
    pair.on(node, "nft delete table netdev lost");
}

/// The pair is as it was: lb1 serves, lb2 is ready to, and the client's requests are answered by lb1.
fn is_whole_again(pair: &Pair) {
    pair.settle();
    pair.served_from(Moment::now());
    pair.held_by("lb1");
}

/// Servers whose answers get lost look dead, three at a time now and then, and the node without any yields. Who yields
/// three times is held down for a minute, as it should be; how long that takes is not what is looked for.
#[test]
fn with_a_third_of_all_packets_lost_the_pair_recovers() {
    let pair = Pair::serving_with(|config| config.replace("[[vrrp]]", "[[vrrp]]\nhold_down = \"0s\""));
    let heard = |status: &Status| status.routers[0].adverts_received;
    let before = heard(&pair.node("lb2").status().expect("a status"));
    NODES.iter().for_each(|node| lose(&pair, node, "numgen random mod 10 < 3"));
    let lb2 = pair.node("lb2");
    lb2.wait_for("forty adverts", PATIENCE, |status| heard(status) >= before + 40).expect("most arrive");
    NODES.iter().for_each(|node| lose_no_more(&pair, node));
    is_whole_again(&pair);
}

#[test]
fn a_backup_that_hears_nobody_serves_beside_the_active_is_named_and_the_client_stays_with_the_better() {
    let pair = Pair::serving();
    lose(&pair, "lb2", "ip protocol 112");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("it believes that lb1 is gone");
    let two_actives = |status: &Status| {
        let alarms = &status.routers[0].alarms;
        is(status, Role::Active) && alarms.iter().any(|raised| raised.alarm == Alarm::TwoActives)
    };
    pair.node("lb1").wait_for("the alarm", PATIENCE, two_actives).expect("lb1 hears it");
    pair.served_from(Moment::now());
    assert!(pair.lab.host("lb2").holds(VIP).expect("netlink"), "nobody told it better");
    lose_no_more(&pair, "lb2");
    is_whole_again(&pair);
}

/// Whichever of the two hears the other one first: the loser has announced last, and has to say that it was there.
#[test]
fn two_halves_that_meet_again_have_one_active_and_the_client_knows_which() {
    let pair = Pair::serving();
    for _ in 0..4 {
        pair.lab.part(&NODES).expect("parted");
        let parted = Moment::now();
        pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("nobody else is in its half");
        let lb2 = pair.lab.host("lb2").mac();
        let announced = |frame: &Frame| frame.source == lb2 && frame.gratuitous().is_some();
        pair.capture.wait_for(parted, PATIENCE, announced).expect("it says so");
        pair.served_from(Moment::now());
        pair.lab.join(&NODES).expect("joined");
        is_whole_again(&pair);
    }
}
