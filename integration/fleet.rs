//! As many routers as a network can have, each with addresses of both families, at the default interval: what grows with
//! the square of their number or worse shows here first.

use std::fs;
use std::time::Duration;

use vipd::lab::{Lab, Node, Setup, Topology};
use vipd::link::Status;
use vipd::vrrp::Role;

const ROUTERS: usize = 255;
const PATIENCE: Duration = Duration::from_secs(30);

fn config() -> String {
    let nodes = [("lb1", 1, 200), ("lb2", 2, 100)].map(|(name, last, priority)| {
        format!("[[node]]\nname = \"{name}\"\naddress = \"10.77.0.{last}\"\npriority = {priority}\n")
    });
    let routers = (1..=ROUTERS).map(|vrid| {
        format!(
            "[[vrrp]]\nname = \"r{vrid}\"\ninterface = \"eth0\"\nvrid = {vrid}\nhold_down = \"0s\"\n\
             addresses = [\"10.78.{vrid}.1/32\", \"10.78.{vrid}.2/32\", \"fd78::{vrid:x}:1/128\", \"fd78::{vrid:x}:2/128\"]\n"
        )
    });
    nodes.into_iter().chain(routers).collect()
}

fn all(role: Role) -> impl FnMut(&Status) -> bool {
    move |status| status.routers.iter().filter(|router| router.role == role).count() == ROUTERS
}

#[test]
fn all_routers_of_a_node_move_together_and_stay_where_they_are() {
    let lab = Lab::build(&Topology::pair()).expect("a lab");
    let file = lab.dir().join("vipd.toml");
    fs::write(&file, config()).expect("written");
    let setup = Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config: file };
    let lb1 = Node::start(&lab, "lb1", &setup).expect("a node");
    lb1.wait_for("Active for all", PATIENCE, all(Role::Active)).expect("lb1 serves");
    let lb2 = Node::start(&lab, "lb2", &setup).expect("a node");
    let heard = |status: &Status| status.routers.iter().all(|router| router.adverts_received > 20);
    let status = lb2.wait_for("all of lb1's adverts", PATIENCE, heard).expect("lb2 listens");
    assert!(all(Role::Backup)(&status), "{}", lb2.explain());
    let takeovers = |status: &Status| status.routers.iter().map(|router| router.takeovers).sum::<u64>();
    let ours = lb1.status().expect("it answers");
    assert_eq!((takeovers(&ours), takeovers(&status)), (ROUTERS as u64, 0), "{}", lb1.explain());

    lab.unplug("lb1").expect("pulled");
    lb2.wait_for("Active for all", PATIENCE, all(Role::Active)).expect("lb2 takes over");
    lb1.wait_for("away", PATIENCE, all(Role::Initialize)).expect("lb1 notices");
    lab.plug("lb1").expect("plugged");
    lb1.wait_for("Active for all", PATIENCE, all(Role::Active)).expect("lb1 is back");
    lb2.wait_for("Backup for all", PATIENCE, all(Role::Backup)).expect("lb2 lets go");
}
