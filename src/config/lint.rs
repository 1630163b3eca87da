//! What is allowed and still strange: warnings, never errors. Looked for only in a file without errors, so
//! that no warning is the consequence of one.

use std::net::IpAddr;

use toml::Spanned;

use crate::vrrp::Priority;

use super::auth;
use super::balance;
use super::heartbeat;
use super::maintenance;
use super::per_source;
use super::placed;
use super::pools::Pool;
use super::problem::Problems;
use super::quantity::duration_text;
use super::queue;
use super::raw::{File, Node};
use super::request_route;
use super::resolve::repeated;
use super::tls;
use super::track;

/// Records what is probably not meant.
pub(super) fn lint(file: &File, problems: &mut Problems<'_>) {
    lonely_node(file, problems);
    for node in &file.nodes {
        priority(file, node, problems);
    }
    for auth in file.routers.iter().filter_map(|router| router.auth.as_ref()?.as_ref()) {
        auth::lint(auth.get_ref(), problems);
    }
    heartbeat::lint(file, problems);
    track::lint::lint(file, problems);
    file.routers.iter().for_each(|router| placed::lint(router, problems));
    equal_priorities(file, problems);
    unreachable_binds(file, problems);
    request_route::lint(file, problems);
    maintenance::lint(file, problems);
    per_source::lint(file, problems);
    for pool in &file.pools {
        unused(file, pool, problems);
        checks(pool, problems);
        balance::lint(pool, problems);
        queue::lint(pool, problems);
        servers(file, pool, problems);
        tls::lint(pool, problems);
    }
}

fn lonely_node(file: &File, problems: &mut Problems<'_>) {
    if let [Node { name: Some(name), .. }] = &file.nodes[..] {
        let message = format!("{} is the only node: nobody takes over", name.get_ref());
        problems.warning(name.span(), message).help("add a [[node]] for the other machine");
    }
}

/// RFC 9568 §5.2.4: 255 is for the owner of the addresses, and the owner must use it. 1 is ours for "unfit".
fn priority(file: &File, node: &Node, problems: &mut Problems<'_>) {
    let (Some(priority), Some(address)) = (&node.priority, &node.address) else { return };
    let owned = virtual_addresses(file).find(|(ip, _)| ip == address.get_ref());
    let value = *priority.get_ref();
    if value == Priority::UNFIT {
        problems
            .warning(priority.span(), "priority 1 is what a node competes with while it is not fit to serve")
            .help("write 2 to 254: this node could not be told from an unfit one");
    } else if value == Priority::OWNER && owned.is_none() {
        problems
            .warning(priority.span(), "priority 255 is for the node whose own address is the virtual one")
            .help("write 254 or less: 255 takes over at once when it starts, whatever `preempt` says");
    } else if let Some((ip, place)) = owned.filter(|_| value != Priority::OWNER) {
        problems
            .warning(
                priority.span(),
                format!("{ip} is this node's own address, so its priority should be 255"),
            )
            .other(place, "it is a virtual address here")
            .help("write 255, or use a virtual address that no machine has");
    }
}

/// Allowed by RFC 9568 §6.4.3, which lets the higher address serve: seldom what anyone means, and decided only once
/// both have advertised.
fn equal_priorities(file: &File, problems: &mut Problems<'_>) {
    let priorities = file.nodes.iter().filter_map(|node| node.priority.as_ref());
    for (place, first, priority) in repeated(priorities.map(|at| (*at.get_ref(), at.span()))) {
        problems
            .warning(place, format!("two nodes have the priority {priority}: the higher address decides"))
            .other(first, "first used here")
            .help("give each node its own priority");
    }
}

fn unreachable_binds(file: &File, problems: &mut Problems<'_>) {
    for bind in file.frontends.iter().flat_map(|frontend| &frontend.bind) {
        let ip = bind.get_ref().ip();
        let anywhere = ip.is_unspecified() || ip.is_loopback();
        if anywhere || virtual_addresses(file).any(|(known, _)| known == ip) {
            continue;
        }
        let known = virtual_addresses(file).map(|(ip, _)| ip.to_string()).collect::<Vec<_>>().join(", ");
        problems
            .warning(bind.span(), format!("{ip} is no address of a [[vrrp]]: it does not move on a failover"))
            .help(format!("addresses that move: {known}"));
    }
}

fn unused(file: &File, pool: &Pool, problems: &mut Problems<'_>) {
    let Some(name) = &pool.name else { return };
    let mut used = file.frontends.iter().flat_map(request_route::pools);
    let mut stands_in = file.frontends.iter().filter_map(maintenance::sorry_pool);
    let is_it = |pool: &Spanned<String>| pool.get_ref() == name.get_ref();
    if !used.any(is_it) && !stands_in.any(is_it) {
        problems
            .warning(name.span(), format!("no frontend uses the pool `{}`", name.get_ref()))
            .help(format!("add a [[frontend]] with pool = \"{}\", or remove the pool", name.get_ref()));
    }
}

fn checks(pool: &Pool, problems: &mut Problems<'_>) {
    let Some(Some(check)) = &pool.check else { return };
    let (interval, timeout) = (check.get_ref().interval, check.get_ref().timeout);
    if timeout > interval {
        let (interval, timeout) = (duration_text(interval), duration_text(timeout));
        problems
            .warning(
                check.span(),
                format!("a check may take {timeout}, longer than its interval of {interval}"),
            )
            .help(format!("add timeout = \"{interval}\", or a server that hangs is found out late"));
    }
}

fn servers(file: &File, pool: &Pool, problems: &mut Problems<'_>) {
    if let [only] = &pool.servers[..]
        && let Some(Some(weight)) = &only.weight
    {
        problems.warning(weight.span(), "a weight does not matter in a pool of one server").help("remove it");
    }
    let addresses = pool.servers.iter().filter_map(|server| server.address.as_ref());
    for (place, first, address) in repeated(addresses.clone().map(|at| (*at.get_ref(), at.span()))) {
        problems
            .warning(place, format!("two servers of this pool are {address}: it gets the requests of both"))
            .other(first, "first used here")
            .help("use one server with a `weight`");
    }
    let binds = || file.frontends.iter().flat_map(|frontend| &frontend.bind);
    for address in addresses {
        let bound = binds().find(|bind| bind.get_ref() == address.get_ref());
        if let Some(bind) = bound {
            problems
                .warning(
                    address.span(),
                    "this server is a frontend of this file: requests would run in a circle",
                )
                .other(bind.span(), "it is bound here");
        }
    }
}

/// Every virtual address and where it stands.
fn virtual_addresses(file: &File) -> impl Iterator<Item = (IpAddr, std::ops::Range<usize>)> + '_ {
    let all = file.routers.iter().flat_map(|router| router.addresses.all());
    all.map(|at: &Spanned<_>| (at.get_ref().address, at.span()))
}
