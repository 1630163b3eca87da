//! The routes that move with a router's addresses: added after them, removed before them, put back when they are gone.
//!
//! One that the kernel refuses is told and tried again, and is no fault: the addresses are what clients connect to,
//! and a node that serves most of them is better than none.

use std::io;

use crate::config::{self, Router};
use crate::event::Event;
use crate::link::RouteStatus;
use crate::net::netlink::{Interface, Route, Routes};
use crate::vrrp::Role;

use super::instance::Instance;

/// One route of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    wanted: config::Route,
    /// As the kernel has it, with the interface as it was when the router last could take part.
    route: Option<Route>,
    /// Whether it is there.
    held: bool,
    /// Why it could not be added.
    problem: Option<String>,
}

impl Way {
    /// Looks for its interface.
    pub(crate) fn find(&mut self, interfaces: &[Interface]) {
        let config::Route { to, via, interface, source, metric, table } = &self.wanted;
        let found = interfaces.iter().find(|found| found.name == *interface);
        self.route = found.map(|found| Route {
            to: *to,
            via: *via,
            interface: found.index,
            source: *source,
            metric: *metric,
            table: *table,
        });
    }

    /// How it stands.
    pub(crate) fn status(&self) -> RouteStatus {
        RouteStatus { route: self.wanted.to_string(), held: self.held, problem: self.problem.clone() }
    }

    /// Adds it; the words for why it cannot be.
    async fn add(&self, routes: &Routes) -> Result<bool, String> {
        let interface = &self.wanted.interface;
        let route = self.route.ok_or_else(|| format!("there is no interface {interface}"))?;
        routes.add(&route).await.map_err(|error| self.refusal(&error))
    }

    fn refusal(&self, error: &io::Error) -> String {
        let config::Route { to, via, interface, source, metric, table } = &self.wanted;
        match (error.raw_os_error(), via, source) {
            (Some(libc::EEXIST), ..) => format!(
                "another route to {to} has the metric {metric} in table {table}: write a lower `metric`, or remove that one"
            ),
            (Some(libc::ENETUNREACH | libc::EHOSTUNREACH), Some(via), _) => {
                format!("{via} is in no network of {interface}: write the next hop as this node reaches it")
            }
            (Some(libc::ENETDOWN), ..) => {
                format!("interface {interface} is down: `ip link set {interface} up`")
            }
            (Some(libc::EINVAL), _, Some(source)) => {
                format!("{error}; `src` has to be an address of this node: is {source} one while it serves?")
            }
            (..) => error.to_string(),
        }
    }
}

/// The routes of a router, of which none is there yet.
pub(crate) fn ways(router: &Router) -> Vec<Way> {
    let way =
        |wanted: &config::Route| Way { wanted: wanted.clone(), route: None, held: false, problem: None };
    router.routes.iter().map(way).collect()
}

/// Adds those that are missing. A refusal is told once, and again when its words change.
pub(crate) async fn add(routes: &Routes, instance: &mut Instance, events: &mut Vec<Event>) {
    for position in 0..instance.ways.len() {
        let _added = put(routes, instance, position, events).await;
    }
}

async fn put(routes: &Routes, instance: &mut Instance, position: usize, events: &mut Vec<Event>) -> bool {
    let added = instance.ways[position].add(routes).await;
    let way = &mut instance.ways[position];
    way.held = added.is_ok();
    let problem = added.as_ref().err().cloned();
    if let Some(why) = problem.clone().filter(|_| problem != way.problem) {
        let (router, route) = (instance.router.name.clone(), way.wanted.to_string());
        events.push(Event::RouteFailed { router, route, why });
    }
    way.problem = problem;
    added == Ok(true)
}

/// Removes them all.
pub(crate) async fn remove(routes: &Routes, instance: &mut Instance, events: &mut Vec<Event>) {
    for way in &mut instance.ways {
        (way.held, way.problem) = (false, None);
        let Some(route) = way.route else { continue };
        if let Err(error) = routes.remove(&route).await {
            let (router, route) = (instance.router.name.clone(), way.wanted.to_string());
            let why = format!("could not be removed: {error}");
            events.push(Event::RouteFailed { router, route, why });
        }
    }
}

/// Puts back what is missing on an Active, and removes what a router that is not Active should not have. `there`:
/// every route of ours.
pub(crate) async fn reconcile(
    routes: &Routes,
    instance: &mut Instance,
    there: &[Route],
    events: &mut Vec<Event>,
) {
    for position in 0..instance.ways.len() {
        let way = &instance.ways[position];
        let found = way.route.is_some_and(|route| there.contains(&route));
        match (instance.machine.role(), found) {
            (Role::Active, true) => instance.ways[position].held = true,
            (Role::Active, false) => {
                if put(routes, instance, position, events).await {
                    let route = instance.ways[position].wanted.to_string();
                    events.push(Event::RouteRestored { router: instance.router.name.clone(), route });
                }
            }
            (Role::Backup | Role::Initialize, true) => {
                if let Some(route) = way.route {
                    let _absent = routes.remove(&route).await;
                }
            }
            (Role::Backup | Role::Initialize, false) => instance.ways[position].held = false,
        }
    }
}

/// Removes what an earlier run left behind: every route that carries our tag.
pub(crate) async fn remove_stale(routes: &Routes) -> io::Result<Vec<Route>> {
    let mut removed = Vec::new();
    for route in routes.list().await? {
        if routes.remove(&route).await? {
            removed.push(route);
        }
    }
    Ok(removed)
}
