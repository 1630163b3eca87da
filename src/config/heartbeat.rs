//! `heartbeat` of a `[[vrrp]]`: the second path of its adverts, and what it cannot go with.

use std::net::IpAddr;

use toml::Spanned;
use toml::de::DeValue;

use crate::vrrp::Family;

use super::problem::{Problems, Wrong};
use super::raw::{File, Node, Router};
use super::resolve::repeated;
use super::table::{Field, Table};
use super::value;

/// A second path of a router's adverts: from node to node over UDP, always signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The UDP port, the same on every node. Default 8112.
    pub port: u16,
}

/// Free at IANA, and ends like the protocol's number.
const PORT: u16 = 8112;

/// The table; `None` when something in it is wrong, `Some(None)` when there is none.
pub(super) fn heartbeat(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Field<Heartbeat>> {
    let Some(value) = value else { return Some(None) };
    let mut table = Table::open("heartbeat", value, problems)?;
    let port = table.or("port", PORT, port);
    table.finish();
    Some(Some(Spanned::new(value.span(), Heartbeat { port: port? })))
}

fn port(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let port = value::integer(value, 1..=65_535, "a port")?;
    u16::try_from(port).map_err(|_| Wrong::new("a port is 1 to 65535"))
}

fn of(router: &Router) -> Option<&Spanned<Heartbeat>> {
    router.heartbeat.as_ref()?.as_ref()
}

/// Records what a heartbeat cannot go with.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    for router in &file.routers {
        if let Some(heartbeat) = of(router) {
            contradictions(file, router, heartbeat, problems);
        }
    }
    let ids = file.routers.iter().filter_map(|router| {
        let (heartbeat, vrid) = (of(router)?, router.vrid.as_ref()?);
        Some(((heartbeat.get_ref().port, *vrid.get_ref()), heartbeat.span()))
    });
    for (place, first, (port, vrid)) in repeated(ids) {
        let problem = problems.error(place, format!("two routers of vrid {vrid} share the UDP port {port}"));
        problem.other(first, "first used here").help("give one of them another port, or another vrid");
    }
    addresses(file, problems);
}

fn contradictions(file: &File, router: &Router, heartbeat: &Spanned<Heartbeat>, problems: &mut Problems<'_>) {
    if let (Some(None), Some(name)) = (&router.auth, &router.name) {
        let problem = problems.error(heartbeat.span(), "a heartbeat needs `auth`: anyone can send UDP");
        problem
            .other(name.span(), "this router has none")
            .help("add auth = { key_file = \"/etc/vipd/keys\", active = 1 }");
    }
    if file.nodes.len() < 2 && !problems.torn() {
        let message = "a heartbeat needs peers, and there is no other [[node]]";
        problems.error(heartbeat.span(), message).help("add a [[node]] for each peer, or remove it");
    }
}

/// Each node is known by the address that its heartbeats come from, and that address stays where it is.
fn addresses(file: &File, problems: &mut Problems<'_>) {
    let given = || file.nodes.iter().filter_map(|node| node.heartbeat.as_ref()?.as_ref());
    let used = |node: &Node| {
        let own = node.heartbeat.as_ref()?.as_ref().or(node.address.as_ref())?;
        Some((*own.get_ref(), own.span()))
    };
    let is_given = |place: &std::ops::Range<usize>| given().any(|at| at.span() == *place);
    for (place, first, address) in repeated(file.nodes.iter().filter_map(used)) {
        if is_given(&place) || is_given(&first) {
            let problem = problems.error(place, format!("two nodes send heartbeats from {address}"));
            problem.other(first, "first used here").help("each machine has its own address");
        }
    }
    let mut used = file.nodes.iter().filter_map(used);
    if let Some((one, first)) = used.next()
        && let Some((other, place)) = used.find(|(other, _)| Family::of(*other) != Family::of(one))
    {
        let (family, others) = (Family::of(one), Family::of(other));
        let message = format!("heartbeats from {others} do not go to a node that has them over {family}");
        let problem = problems.error(place, message);
        problem
            .other(first, format!("{family} here"))
            .help(format!("give each node a `heartbeat` of one family: heartbeat = \"{}\"", example(family)));
    }
    for at in given() {
        let moves = |virt: &&Spanned<crate::vrrp::Cidr>| virt.get_ref().address == *at.get_ref();
        if let Some(virt) = file.routers.iter().flat_map(|router| router.addresses.all()).find(moves) {
            let message = format!("{} moves, and heartbeats come from an address that stays", at.get_ref());
            let problem = problems.error(at.span(), message);
            problem
                .other(virt.span(), "it is a virtual address here")
                .help("write the machine's own address");
        }
    }
}

const fn example(family: Family) -> &'static str {
    match family {
        Family::V4 => "192.168.9.2",
        Family::V6 => "fd00:9::2",
    }
}

/// An address for heartbeats that nobody sends.
pub(super) fn lint(file: &File, problems: &mut Problems<'_>) {
    if file.routers.iter().any(|router| of(router).is_some()) {
        return;
    }
    for at in file.nodes.iter().filter_map(|node| node.heartbeat.as_ref()?.as_ref()) {
        problems
            .warning(at.span(), "no [[vrrp]] has a heartbeat: this address is not used")
            .help("add heartbeat = { port = 8112 } to a [[vrrp]], or remove it");
    }
}

/// The address of a node's heartbeats: its own unless it says otherwise; `None` when either is wrong.
pub(super) fn address_of(node: &Node) -> Option<IpAddr> {
    let given = node.heartbeat.as_ref()?.as_ref().or(node.address.as_ref())?;
    Some(*given.get_ref())
}
