//! What happens to interfaces and addresses behind the agent's back, and a node that comes and goes.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use vipd::lab::Moment;
use vipd::vrrp::{Priority, Role};

use super::VIP_V6;
use super::pair::{ADDRESS, NODES, PATIENCE, Pair, VIP, is, is_fit};

#[test]
fn an_address_removed_by_hand_is_back_and_announced_within_a_moment() {
    let pair = Pair::serving();
    let removed = Moment::now();
    pair.lab.host("lb1").delete_address(ADDRESS).expect("removed");
    let mac = pair.lab.host("lb1").mac();
    let announced = pair.capture.wait_for(removed, PATIENCE, |frame| {
        frame.source == mac && frame.gratuitous().is_some_and(|arp| arp.sender == VIP)
    });
    let took = announced.expect("announced again").at.since(removed);
    println!("back after {took:?}");
    assert!(took < Duration::from_millis(500), "{took:?}\n{}", pair.explain());
    pair.node("lb1")
        .wait_for("restored", PATIENCE, |status| status.routers[0].restored == 1)
        .expect("counted");
    pair.held_by("lb1");
    assert_eq!(pair.adverts(removed).iter().filter(|frame| frame.source != mac).count(), 0);
}

#[test]
fn the_kernel_is_asked_what_there_is_even_when_it_says_nothing() {
    let mut pair = Pair::hosts();
    pair.start_nodes(&["lb1"]);
    pair.node("lb1").wait_for("two sweeps", PATIENCE, |status| status.sweeps >= 2).expect("it sweeps");
}

#[test]
fn an_interface_that_is_taken_down_and_up_moves_the_address_and_back() {
    let pair = Pair::serving();
    let down = Moment::now();
    pair.on("lb1", "ip link set eth0 down");
    pair.moved_to("lb2", down);
    let up = Moment::now();
    pair.on("lb1", "ip link set eth0 up");
    pair.moved_to("lb1", up);
}

#[test]
fn whom_a_node_asked_for_while_its_cable_was_out_is_asked_again_when_it_is_in() {
    let mut pair = Pair::both_families(str::to_owned);
    pair.send_to(&[SocketAddr::from((VIP_V6, 3000))]);
    pair.lab.unplug("lb1").expect("pulled");
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.served_from(Moment::now());
    pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("it has noticed");
    // What a connection does that is left behind.
    let send = || UdpSocket::bind("[::]:0")?.send_to(b"?", "[2001:db8::50]:9");
    pair.lab.host("lb1").run(send).expect("a thread there").expect("sent");
    assert!(pair.output_on("lb1", "ip -6 neigh show 2001:db8::50 dev eth0").contains("INCOMPLETE"));
    let plugged = pair.lab.plug("lb1").expect("plugged");
    pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("it serves again");
    pair.served_from(Moment::now());
    pair.assert_smooth(plugged);
}

#[test]
fn an_interface_that_is_deleted_and_made_anew_is_taken_up_again() {
    let pair = Pair::serving();
    let removed = Moment::now();
    pair.lab.remove_card("lb1").expect("gone");
    pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("no part without an interface");
    pair.advert_of("lb2", removed);
    pair.node("lb2").wait_for_role(Role::Active, PATIENCE).expect("lb2 takes over");
    pair.served_from(Moment::now());
    let inserted = Moment::now();
    pair.lab.insert_card("lb1").expect("there again");
    pair.moved_to("lb1", inserted);
}

#[test]
fn a_node_whose_cable_flaps_is_held_down_and_says_for_how_long() {
    let pair = Pair::serving();
    for _ in 0..3 {
        pair.node("lb1")
            .wait_for("lb1 Active and fit", PATIENCE, |status| is(status, Role::Active) && is_fit(status))
            .expect("not held down yet");
        let pulled = pair.lab.unplug("lb1").expect("unplugged");
        pair.node("lb1").wait_for_role(Role::Initialize, PATIENCE).expect("the fault is seen");
        pair.moved_to("lb2", pulled);
        pair.lab.plug("lb1").expect("plugged in");
    }
    let status = pair.node("lb1").wait_for("lb1 held down", PATIENCE, |status| {
        let reasons = &status.routers[0].reasons;
        is(status, Role::Backup)
            && reasons.iter().any(|why| why.starts_with("held down") && why.ends_with("more"))
    });
    let status = status.expect("held down");
    assert_eq!(status.routers[0].effective_priority, Priority::UNFIT);
    pair.held_by("lb2");
}

#[test]
fn a_machine_that_has_just_booted_waits_and_a_restarted_daemon_does_not() {
    // Looked at when it is this test's turn: until then the other ones may take any time.
    let mut pair = Pair::hosts_with(|config| {
        let text = std::fs::read_to_string("/proc/uptime").expect("Linux");
        let uptime: f64 = text.split(' ').next().and_then(|up| up.parse().ok()).expect("seconds");
        let delay = format!("vrid = 51\nstart_delay = \"{:.0}s\"", uptime + 8.0);
        config.replace("vrid            = 51", &delay)
    });
    pair.start_nodes(&NODES);
    let waiting = |status: &vipd::link::Status| {
        status.routers[0].reasons.iter().any(|why| why.starts_with("the machine has just booted"))
    };
    pair.node("lb1")
        .wait_for("its time", PATIENCE, |status| is(status, Role::Initialize) && waiting(status))
        .expect("it takes no part yet");
    pair.node("lb1").wait_for_role(Role::Active, PATIENCE).expect("its time has come");
}
