//! What concerns several places of the file: names that must be unique, references that must lead somewhere;
//! and the last step, from a file without errors to the [`Config`](super::Config).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::blind;
use super::heartbeat;
use super::maintenance;
use super::nearest::nearest;
use super::per_source;
use super::placed::{Elsewhere, is_link_local, link_local_first};
use super::pools;
use super::problem::Problems;
use super::raw::{File, Frontend, Node, Router};
use super::request_route;
use super::routes;
use super::table::Field;
use super::track::Tracker;
use super::track::read::What;
use super::valid;
use super::valid::Transport;
use super::vmac;
use crate::vrrp::{Cidr, Family, Version};

/// Records duplicates and references to nothing.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    nodes(file, problems);
    routers(file, problems);
    pool_names(file, problems);
    frontends(file, problems);
    request_route::cross_check(file, problems);
    maintenance::cross_check(file, problems);
    blind::cross_check(file, problems);
    per_source::cross_check(file, problems);
    trackers(file, problems);
    heartbeat::cross_check(file, problems);
    vmac::cross_check(file, problems);
}

fn nodes(file: &File, problems: &mut Problems<'_>) {
    unique(file.nodes.iter().filter_map(|node| node.name.as_ref()), "node", problems);
    let addresses = file.nodes.iter().filter_map(|node| node.address.as_ref());
    for (place, first, address) in repeated(addresses.map(|at| (at.get_ref(), at.span()))) {
        let message = format!("two nodes have the address {address}");
        problems
            .error(place, message)
            .other(first, "first used here")
            .help("each machine has its own address");
    }
}

fn routers(file: &File, problems: &mut Problems<'_>) {
    unique(file.routers.iter().filter_map(|router| router.name.as_ref()), "virtual router", problems);
    let ids = file.routers.iter().filter_map(|router| {
        let (interface, vrid) = (router.interface.as_ref()?, router.vrid.as_ref()?);
        Some(((interface.get_ref(), vrid.get_ref()), vrid.span()))
    });
    for (place, first, (interface, vrid)) in repeated(ids) {
        let problem = problems.error(place, format!("vrid {vrid} is used twice on {interface}"));
        problem.other(first, "first used here");
        match free_vrid(file, interface) {
            Some(free) => problem.help(format!("a vrid that is free in this file: {free}")),
            None => problem.help("each virtual router of an interface has its own vrid"),
        };
    }
    file.routers.iter().for_each(|router| contradictions(file, router, problems));
    routes::cross_check(file.routers.iter().flat_map(|router| &router.routes), problems);
    for (place, first, (address, _)) in repeated(file.routers.iter().flat_map(placed)) {
        problems
            .error(place, format!("the address {address} is there twice"))
            .other(first, "first used here");
    }
}

/// An address, and the interface where that belongs to it.
type Identity<'f> = (IpAddr, Option<&'f str>);

/// The addresses of a router with what tells them from others: a link-local one may be on several interfaces.
fn placed(router: &Router) -> Vec<(Identity<'_>, Range<usize>)> {
    let own = router.interface.as_ref().map(|interface| interface.get_ref().as_str());
    let at = |address: &Spanned<Cidr>, interface| {
        let interface = is_link_local(address.get_ref()).then_some(interface).flatten();
        ((address.get_ref().address, interface), address.span())
    };
    let here = router.addresses.own.iter().map(|address| at(address, own));
    let elsewhere = router.addresses.elsewhere.iter();
    here.chain(elsewhere.map(|(address, name)| at(address, Some(name.get_ref().as_str())))).collect()
}

/// What the keys of one router cannot all mean.
fn contradictions(file: &File, router: &Router, problems: &mut Problems<'_>) {
    let given = |version: &Option<Field<Version>>| {
        version.as_ref().and_then(Option::as_ref).map(|at| (*at.get_ref(), at.span()))
    };
    let version = given(&router.version);
    let v2 = version.clone().filter(|(version, _)| *version == Version::V2);
    let v6 = router.addresses.own.iter().find(|at| at.get_ref().family() == Family::V6);
    if let Some((_, place)) = &v2 {
        if let Some(v6) = v6 {
            let problem = problems.error(v6.span(), "version 2 of VRRP is for IPv4 alone".to_owned());
            problem
                .other(place.clone(), "version 2 here")
                .help("use version 3, or a [[vrrp]] of its own for IPv6");
        }
        if router.advert_interval.is_some_and(|interval| !interval.get().is_multiple_of(100)) {
            let message = "version 2 of VRRP advertises in whole seconds".to_owned();
            problems
                .error(place.clone(), message)
                .help("set advert_interval = \"1s\" or more, or use version 3");
        }
    }
    if let Some(Some(password)) = &router.password
        && v2.is_none()
    {
        let message = "only version 2 of VRRP has a password".to_owned();
        problems
            .error(password.span(), message)
            .help("set version = 2, or remove it: it protects nothing anyway");
    }
    if let (Some(Some(password)), Some(Some(auth))) = (&router.password, &router.auth) {
        let problem = problems.error(auth.span(), "a router has either `auth` or a `password`".to_owned());
        problem
            .other(password.span(), "the password is here")
            .help("remove the password: anyone on the network reads it");
    }
    if let Some(Some(transport)) = &router.transport
        && *transport.get_ref() == Transport::Unicast
    {
        if file.nodes.len() < 2 && !problems.torn() {
            let message = "unicast needs peers, and there is no other [[node]]".to_owned();
            problems.error(transport.span(), message).help("add a [[node]] for each peer, or use multicast");
        }
        if let Some(v6) = v6 {
            let message = "unicast goes to the nodes' addresses, which are IPv4".to_owned();
            let problem = problems.error(v6.span(), message);
            problem
                .other(transport.span(), "unicast here")
                .help("use multicast for a router with IPv6 addresses");
        }
    }
}

/// The first vrid from 51 on that no router of `interface` uses.
fn free_vrid(file: &File, interface: &str) -> Option<u8> {
    let on_it = |router: &&Router| router.interface.as_ref().is_some_and(|at| at.get_ref() == interface);
    let used: Vec<u8> = file
        .routers
        .iter()
        .filter(on_it)
        .filter_map(|router| router.vrid.as_ref().map(|at| at.get_ref().get()))
        .collect();
    (51..=255).chain(1..=50).find(|id| !used.contains(id))
}

fn pool_names(file: &File, problems: &mut Problems<'_>) {
    unique(file.pools.iter().filter_map(|pool| pool.name.as_ref()), "pool", problems);
    for pool in &file.pools {
        unique(
            pool.servers.iter().filter_map(|server| server.name.as_ref()),
            "server of this pool",
            problems,
        );
    }
}

fn frontends(file: &File, problems: &mut Problems<'_>) {
    unique(file.frontends.iter().filter_map(|frontend| frontend.name.as_ref()), "frontend", problems);
    let binds = file.frontends.iter().flat_map(|frontend| &frontend.bind);
    for (place, first, bind) in repeated(binds.map(|at| (at.get_ref(), at.span()))) {
        problems.error(place, format!("{bind} is bound twice")).other(first, "first bound here");
    }
    for pool in file.frontends.iter().filter_map(|frontend| frontend.pool.as_ref()?.as_ref()) {
        known_pool(file, pool, problems);
    }
}
/// Records a reference to a pool that is not there.
pub(super) fn known_pool(file: &File, pool: &Spanned<String>, problems: &mut Problems<'_>) {
    if index_of(file, pool.get_ref()).is_some() || problems.torn() {
        return;
    }
    let names = || file.pools.iter().filter_map(|pool| pool.name.as_ref()).map(|at| at.get_ref().as_str());
    let problem = problems.error(pool.span(), format!("there is no pool `{}`", pool.get_ref()));
    match (nearest(pool.get_ref(), names()), names().collect::<Vec<_>>().join(", ")) {
        (Some(meant), _) => problem.help(format!("did you mean \"{meant}\"?")),
        (None, names) if names.is_empty() => problem.help("add a [[pool]] with this name"),
        (None, names) => problem.help(format!("the pools of this file: {names}")),
    };
}

/// What the routers depend on: pools that are there and counted, and nothing twice.
fn trackers(file: &File, problems: &mut Problems<'_>) {
    for router in &file.routers {
        let names = router.track.iter().filter_map(|item| Some((item.name()?, item.place.clone())));
        for (place, first, name) in repeated(names) {
            let problem = problems.error(place, format!("{name} is tracked twice"));
            problem.other(first, "first tracked here").help("remove one of the two");
        }
        for item in &router.track {
            let Some(What::Pool(pool, _)) = &item.what else { continue };
            known_pool(file, pool, problems);
            if file.frontends.is_empty() {
                let message = "without a [[frontend]] there is no proxy, and nobody checks this pool";
                problems.missing(pool.span(), message, "add a [[frontend]], or track a script instead");
            }
        }
    }
}

pub(super) fn index_of(file: &File, name: &str) -> Option<usize> {
    file.pools.iter().position(|pool| pool.name.as_ref().is_some_and(|at| at.get_ref() == name))
}

fn unique<'f>(names: impl Iterator<Item = &'f Spanned<String>>, what: &str, problems: &mut Problems<'_>) {
    for (place, first, name) in repeated(names.map(|at| (at.get_ref(), at.span()))) {
        let problem = problems.error(place, format!("another {what} is called `{name}`"));
        problem.other(first, "first used here").help("give each its own name");
    }
}

/// Every repetition with its place and that of the first occurrence.
pub(super) fn repeated<T: Eq + Hash + Clone>(
    items: impl Iterator<Item = (T, Range<usize>)>,
) -> Vec<(Range<usize>, Range<usize>, T)> {
    let mut first = HashMap::new();
    let mut found = Vec::new();
    for (item, place) in items {
        match first.get(&item) {
            Some(earlier) => found.push((place, Range::clone(earlier), item)),
            None => {
                first.insert(item, place);
            }
        }
    }
    found
}

/// The config of a file without errors; `None` when a field is missing or a reference leads nowhere.
pub(super) fn config(file: File) -> Option<valid::Config> {
    let frontends: Option<Vec<_>> =
        file.frontends.iter().map(|frontend| valid_frontend(&file, frontend)).collect();
    let track: Option<Vec<_>> = file.routers.iter().map(|router| valid_track(&file, router)).collect();
    let routers = file.routers.into_iter().zip(track?);
    Some(valid::Config {
        frontends: frontends?,
        nodes: file.nodes.into_iter().map(valid_node).collect::<Option<_>>()?,
        routers: routers.map(|(router, track)| valid_router(router, track)).collect::<Option<_>>()?,
        pools: file.pools.into_iter().map(valid_pool).collect::<Option<_>>()?,
        proxy: file.proxy?,
        limits: file.limits?,
        tls: file.tls?.valid,
    })
}

fn valid_node(node: Node) -> Option<valid::Node> {
    Some(valid::Node {
        heartbeat: heartbeat::address_of(&node)?,
        name: plain(node.name)?,
        address: plain(node.address)?,
        priority: plain(node.priority)?,
    })
}

fn valid_track(file: &File, router: &Router) -> Option<Vec<Tracker>> {
    router.track.iter().map(|item| item.tracker(|name| index_of(file, name))).collect()
}

fn valid_router(router: Router, track: Vec<Tracker>) -> Option<valid::Router> {
    let advert_interval = router.advert_interval?;
    let interface = plain(router.interface)?;
    let routes = router.routes.into_iter().map(|route| route.route(&interface)).collect::<Option<_>>()?;
    let mut addresses: Vec<_> = router.addresses.own.into_iter().map(Spanned::into_inner).collect();
    link_local_first(&mut addresses);
    let elsewhere = router.addresses.elsewhere.into_iter();
    let elsewhere = elsewhere.map(|(address, interface)| (address.into_inner(), interface.into_inner()));
    Some(valid::Router {
        name: plain(router.name)?,
        interface,
        routes,
        sysctl: router.sysctl?,
        use_vmac: plain(router.use_vmac?).unwrap_or(false),
        vrid: plain(router.vrid)?,
        addresses,
        elsewhere: elsewhere.map(|(address, interface)| Elsewhere { address, interface }).collect(),
        advert_interval,
        preempt: router.preempt?,
        start_delay: router.start_delay?,
        hold_down: router.hold_down?,
        version: plain(router.version?).unwrap_or_default(),
        transport: plain(router.transport?).unwrap_or_default(),
        password: plain(router.password?),
        auth: plain(router.auth?).map(|auth| auth.valid(advert_interval)),
        heartbeat: plain(router.heartbeat?),
        track,
        notify: router.notify?.map(Spanned::into_inner),
        garp: router.garp?,
        garp_refresh: router.garp_refresh?,
        verify: router.verify?,
    })
}

fn valid_frontend(file: &File, frontend: &Frontend) -> Option<valid::Frontend> {
    Some(valid::Frontend {
        name: frontend.name.as_ref()?.get_ref().clone(),
        bind: frontend.bind.iter().map(|at| *at.get_ref()).collect(),
        mode: frontend.mode?,
        h2: match &frontend.h2.as_ref()? {
            Some(given) => *given.get_ref(),
            None => frontend.mode? == valid::Mode::Http,
        },
        pool: match frontend.pool.as_ref()? {
            Some(pool) => Some(index_of(file, pool.get_ref())?),
            None => None,
        },
        routes: request_route::valid(file, frontend)?,
        redirect: frontend.redirect.as_ref()?.as_ref().and_then(|redirect| *redirect.get_ref()),
        connect: frontend.connect.as_ref()?.as_ref().is_some_and(|given| *given.get_ref()),
        defer_accept: match &frontend.defer_accept.as_ref()? {
            Some(given) => *given.get_ref(),
            None => frontend.mode? == valid::Mode::Http,
        },
        fast_open: frontend.fast_open.as_ref()?.as_ref().is_some_and(|given| *given.get_ref()),
        tls: frontend.tls.as_ref()?.as_ref().map(|tls| tls.valid.clone()),
        accept_proxy: frontend.accept_proxy.clone()?,
        maintenance: frontend.maintenance.as_ref()?.as_ref().map(|read| read.valid.clone()),
        sorry_pool: match frontend.sorry_pool.as_ref()? {
            Some(pool) => Some(index_of(file, pool.get_ref())?),
            None => None,
        },
        per_source: frontend.per_source.as_ref()?.as_ref().map(|read| read.valid.clone()),
    })
}

fn valid_pool(pool: pools::Pool) -> Option<valid::Pool> {
    Some(valid::Pool {
        name: plain(pool.name)?,
        balance: pool.balance?,
        check: pool.check?.map(Spanned::into_inner),
        passive: pool.passive?,
        panic: pool.panic?,
        servers: pool.servers.into_iter().map(valid_server).collect::<Option<_>>()?,
        sticky: pool.sticky?,
        slow_start: plain(pool.slow_start?).unwrap_or_default(),
        tls: pool.tls?.map(|tls| tls.valid),
        queue: plain(pool.queue?).unwrap_or_default(),
        send_proxy: pool.send_proxy?,
    })
}

fn valid_server(server: pools::Server) -> Option<valid::Server> {
    Some(valid::Server {
        name: plain(server.name)?,
        address: plain(server.address)?,
        weight: plain(server.weight?).unwrap_or(1),
        backup: plain(server.backup?).unwrap_or(false),
        max_connections: server.max_connections?,
    })
}

fn plain<T>(field: Field<T>) -> Option<T> {
    field.map(Spanned::into_inner)
}
