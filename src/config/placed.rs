//! `addresses` of a `[[vrrp]]`: on its own interface, where adverts list them, or on another one of the same node.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::address;
use super::problem::Problems;
use super::raw;
use super::table::{Field, Table, wrong_type};
use super::valid::Router;
use super::value::{self, of_text};
use crate::vrrp::{Cidr, Family};

/// An address that moves with a router and goes on another interface than its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The address.
    pub address: Cidr,
    /// The interface it goes on.
    pub interface: String,
}

impl Router {
    /// Every address that moves with it and the interface it goes on: first those that adverts list, then those on
    /// other interfaces.
    pub fn places(&self) -> impl Iterator<Item = (Cidr, &str)> {
        let own = self.addresses.iter().map(|address| (*address, self.interface.as_str()));
        own.chain(self.elsewhere.iter().map(|at| (at.address, at.interface.as_str())))
    }
}

/// The same as the file has it.
pub(super) struct Addresses {
    /// On the router's own interface.
    pub(super) own: Vec<Spanned<Cidr>>,
    /// On others.
    pub(super) elsewhere: Vec<(Spanned<Cidr>, Spanned<String>)>,
}

impl Addresses {
    /// Every address that could be read, with its place in the file.
    pub(super) fn all(&self) -> impl Iterator<Item = &Spanned<Cidr>> {
        self.own.iter().chain(self.elsewhere.iter().map(|(address, _)| address))
    }
}

const EXAMPLE: &str = "addresses = [\"10.77.0.100/24\"]";

/// Items that are wrong are left out and counted as an error.
pub(super) fn read(table: &mut Table<'_, '_, '_, '_>, interface: &Field<String>) -> Addresses {
    let mut addresses = Addresses { own: Vec::new(), elsewhere: Vec::new() };
    let Some(items) = table.array("addresses", EXAMPLE) else { return addresses };
    let mut wrong = false;
    for item in items {
        match read_item(item, table.problems) {
            Some((address, Some(other))) if !is(interface, &other) => {
                addresses.elsewhere.push((address, other));
            }
            Some((address, _)) => addresses.own.push(address),
            None => wrong = true,
        }
    }
    if let (true, [(address, _), ..], false) = (addresses.own.is_empty(), &addresses.elsewhere[..], wrong) {
        advertises_nothing(address.span(), table.problems);
    }
    addresses
}

fn is(interface: &Field<String>, other: &Spanned<String>) -> bool {
    interface.as_ref().is_some_and(|own| own.get_ref() == other.get_ref())
}

fn advertises_nothing(place: Range<usize>, problems: &mut Problems<'_>) {
    let message = "every address is on another interface, so that adverts would list none";
    problems
        .error(place, message)
        .help("add an address for the router's own interface, or give the router this one as `interface`");
}

fn read_item(
    value: &Spanned<DeValue<'_>>,
    problems: &mut Problems<'_>,
) -> Option<(Spanned<Cidr>, Option<Spanned<String>>)> {
    if value.get_ref().is_table() {
        let mut table = Table::open("an address", value, problems)?;
        let address = table.required("address", "address = \"192.168.5.1/24\"", of_text(address::cidr));
        let interface = table.required("interface", "interface = \"eth1\"", value::interface);
        table.finish();
        return Some((address?, Some(interface?)));
    }
    let wrong = match value.get_ref().as_str().map(address::cidr) {
        Some(Ok(address)) => return Some((Spanned::new(value.span(), address), None)),
        Some(Err(wrong)) => wrong,
        None => wrong_type("an address in quotes", value.get_ref())
            .help("write \"10.77.0.100/24\", or { address = \"192.168.5.1/24\", interface = \"eth1\" }"),
    };
    problems.wrong(value.span(), wrong);
    None
}

/// RFC 9568 §5.2.9 (erratum 8300): of the IPv6 addresses, a link-local one is first in an advert. The rest keeps the
/// order of the file.
pub(super) fn link_local_first(addresses: &mut [Cidr]) {
    addresses.sort_by_key(|address| !is_link_local(address));
}

/// Of IPv6 addresses without a link-local one, a global one is first. It works all the same: the rule gives hosts a next
/// hop that moves, and a service address is none.
pub(super) fn lint(router: &raw::Router, problems: &mut Problems<'_>) {
    let mut v6 = router.addresses.own.iter().filter(|at| at.get_ref().family() == Family::V6);
    let Some(first) = v6
        .next()
        .filter(|first| !is_link_local(first.get_ref()) && !v6.any(|at| is_link_local(at.get_ref())))
    else {
        return;
    };
    let vrid = router.vrid.as_ref().map_or(51, |vrid| vrid.get_ref().get());
    let message = "RFC 9568 wants a link-local address among the IPv6 ones, and strict peers insist on it";
    problems.warning(first.span(), message).help(format!(
        "add \"fe80::{vrid}/64\", or another that is free, on every node: it goes first in the adverts"
    ));
}

/// Whether an address is an IPv6 link-local one.
pub(super) fn is_link_local(address: &Cidr) -> bool {
    matches!(address.address, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The list with every address, as `vipd check --show` prints it.
pub(super) fn shown(router: &Router) -> String {
    let own = router.addresses.iter().map(|address| format!("\"{address}\""));
    let elsewhere = router.elsewhere.iter().map(|Elsewhere { address, interface }| {
        format!("{{ address = \"{address}\", interface = {interface:?} }}")
    });
    format!("[{}]", own.chain(elsewhere).collect::<Vec<_>>().join(", "))
}
