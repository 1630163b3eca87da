//! `routes` of a `[[vrrp]]`: what is routed otherwise while a node has the addresses.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::address;
use super::problem::{Problems, Wrong};
use super::resolve::repeated;
use super::table::{Field, Table, wrong_type};
use super::value::{self, of_text};
use crate::vrrp::{Cidr, Family};

/// A route that moves with a router's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads to, a network.
    pub to: Cidr,
    /// The next hop; `None` when `to` is on the link. No default.
    pub via: Option<IpAddr>,
    /// The interface. Default that of the router.
    pub interface: String,
    /// The source address of what this node sends there. Default the kernel's choice.
    pub source: Option<IpAddr>,
    /// The lower of two routes wins. Default that of `ip route`: 0, for IPv6 1024.
    pub metric: u32,
    /// The table it is in. Default 254, which is `main`.
    pub table: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        write!(f, " on {}", self.interface)?;
        if self.table == MAIN { Ok(()) } else { write!(f, " in table {}", self.table) }
    }
}

/// The table `main` (linux/rtnetlink.h).
const MAIN: u32 = 254;

/// A route as the file has it.
pub(super) struct Item {
    place: Range<usize>,
    to: Field<Cidr>,
    via: Option<Field<IpAddr>>,
    /// `Some(None)`: that of the router.
    pub(super) interface: Option<Field<String>>,
    source: Option<Field<IpAddr>>,
    metric: Option<Field<u32>>,
    table: Option<u32>,
}

/// `routes`; absent and empty are the same. Items that are wrong are left out and counted as an error.
pub(super) fn read(table: &mut Table<'_, '_, '_, '_>) -> Vec<Item> {
    let Some(value) = table.entry("routes") else { return Vec::new() };
    let Some(items) = value.get_ref().as_array() else {
        let wrong = wrong_type("a list", value.get_ref())
            .help("write routes = [{ to = \"10.8.0.0/16\", via = \"10.77.0.254\" }]");
        table.problems.wrong(value.span(), wrong);
        return Vec::new();
    };
    items.iter().filter_map(|item| read_item(item, table.problems)).collect()
}

fn read_item(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Item> {
    let mut table = Table::open("a route", value, problems)?;
    let item = Item {
        place: value.span(),
        to: table.required("to", "to = \"10.8.0.0/16\", or \"0.0.0.0/0\" for everything", of_text(network)),
        via: table.optional("via", of_text(host)),
        interface: table.optional("interface", value::interface),
        source: table.optional("src", of_text(host)),
        metric: table.optional("metric", number(0, "a metric")),
        table: table.or("table", MAIN, number(1, "the number of a table")),
    };
    table.finish();
    item.is_of_one_family(problems);
    Some(item)
}

impl Item {
    /// Records a next hop or a source that is not of the family of the network.
    fn is_of_one_family(&self, problems: &mut Problems<'_>) {
        let Some(to) = &self.to else { return };
        for other in [&self.via, &self.source] {
            let Some(Some(other)) = other else { continue };
            let (family, is) = (to.get_ref().family(), Family::of(*other.get_ref()));
            if family != is {
                let problem = problems.error(other.span(), format!("{} is {is}", other.get_ref()));
                problem
                    .other(to.span(), format!("the route is for {family}"))
                    .help("write one route for each family");
            }
        }
    }

    /// The route of a router on `interface`; `None` when a part of it is wrong.
    pub(super) fn route(self, interface: &str) -> Option<Route> {
        let to = self.to?.into_inner();
        let default = if to.family() == Family::V6 { DEFAULT_V6 } else { 0 };
        let metric = self.metric?.map_or(default, Spanned::into_inner);
        Some(Route {
            to,
            via: self.via?.map(Spanned::into_inner),
            interface: self.interface?.map_or(interface.to_owned(), Spanned::into_inner),
            source: self.source?.map(Spanned::into_inner),
            // The kernel takes 0 for "none given" (net/ipv6/route.c).
            metric: if metric == 0 { default } else { metric },
            table: self.table?,
        })
    }

    /// What a table has one of.
    fn key(&self) -> Option<(Key, Range<usize>)> {
        let metric = self.metric.as_ref()?.as_ref().map(|metric| *metric.get_ref()).filter(|at| *at > 0);
        Some(((*self.to.as_ref()?.get_ref(), metric, self.table?), self.place.clone()))
    }
}

/// Network, metric and table.
type Key = (Cidr, Option<u32>, u32);

/// The metric of an IPv6 route that has none (IP6_RT_PRIO_USER, linux/ipv6_route.h).
const DEFAULT_V6: u32 = 1_024;

/// Records routes that cannot both be there.
pub(super) fn cross_check<'f>(items: impl Iterator<Item = &'f Item>, problems: &mut Problems<'_>) {
    for (place, first, (to, ..)) in repeated(items.filter_map(Item::key)) {
        problems
            .error(place, format!("another route to {to} has the same metric in the same table"))
            .other(first, "it is here")
            .help("give each its own `metric`, or remove one");
    }
}

/// The line `routes = [..]` with every default stated, as `vipd check --show` prints it.
pub(super) fn shown(routes: &[Route]) -> String {
    let items: String = routes.iter().map(|route| format!("  {},\n", shown_one(route))).collect();
    if items.is_empty() { "[]".to_owned() } else { format!("[\n{items}]") }
}

fn shown_one(Route { to, via, interface, source, metric, table }: &Route) -> String {
    let mut text = format!("{{ to = \"{to}\"");
    let mut add = |key, address: &Option<IpAddr>| {
        let Some(address) = address else { return };
        write!(text, ", {key} = \"{address}\"").expect("a String takes all that is written to it");
    };
    add("via", via);
    add("src", source);
    format!("{text}, interface = {interface:?}, metric = {metric}, table = {table} }}")
}

/// A network with its prefix length; 0 is everything.
fn network(text: &str) -> Result<Cidr, Wrong> {
    let wrong = |what: &str| {
        Wrong::new(format!("`{text}` {what}")).help("write \"10.8.0.0/16\", or \"0.0.0.0/0\" for everything")
    };
    if text == "default" {
        return Err(wrong("does not say of which family")
            .help("write \"0.0.0.0/0\" for everything over IPv4, \"::/0\" over IPv6"));
    }
    let (address, prefix) = text.split_once('/').ok_or_else(|| wrong("has no prefix length"))?;
    let address: IpAddr = address.parse().map_err(|_| wrong("is no network"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= most);
    let to = Cidr { address, prefix: prefix.ok_or_else(|| wrong("has no prefix length that there is"))? };
    let network = Cidr { address: to.network(), ..to };
    if network != to {
        return Err(wrong("is an address in a network").help(format!("write the network: \"{network}\"")));
    }
    Ok(to)
}

/// The address of one host.
fn host(text: &str) -> Result<IpAddr, Wrong> {
    let address: IpAddr = text.parse().map_err(|_| {
        Wrong::new(format!("`{text}` is no address")).help("write an address alone: \"10.77.0.254\"")
    })?;
    address::usable(address)?;
    Ok(address)
}

fn number(least: u32, what: &'static str) -> impl Fn(&DeValue<'_>) -> Result<u32, Wrong> {
    move |value| {
        let number = value::integer(value, i64::from(least)..=i64::from(u32::MAX), what)?;
        u32::try_from(number).map_err(|_| Wrong::new(format!("this is too large for {what}")))
    }
}
