//! Kernel settings that are in the way of a router: which, what goes wrong, and what to write. Pure: the caller reads
//! them.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::{Config, Router};
use crate::net::arp::Mac;
use crate::net::netlink::Interface;
use crate::vrrp::{Cidr, Family};

use super::vmac;

/// A setting that should be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Its path below `/proc/sys/net`.
    pub name: String,
    /// What it should be.
    pub value: i64,
    /// What goes wrong otherwise.
    pub what: String,
}

impl Advice {
    /// The line for sysctl(8) and sysctl.d(5), where a dot of an interface's name is a slash.
    pub fn line(&self) -> String {
        let swapped = |c: char| match c {
            '/' => '.',
            '.' => '/',
            other => other,
        };
        format!("net.{} = {}", self.name.chars().map(swapped).collect::<String>(), self.value)
    }
}

impl Advice {
    /// What to do, in words.
    pub fn what_to_do(&self) -> String {
        format!("write `{}` to /etc/sysctl.d/vipd.conf, or sysctl = \"set\" in the [[vrrp]]", self.line())
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.what_to_do())
    }
}

/// What is in the way of a router. `read` gives a setting by its path below `/proc/sys/net`.
pub fn advice(
    config: &Config,
    router: &Router,
    interfaces: &[Interface],
    read: impl Fn(&str) -> Option<i64>,
) -> Vec<Advice> {
    let card =
        |at: &&Interface| at.up && at.mac.is_some_and(|mac| mac != Mac::default()) && !vmac::is_ours(at);
    let cards: Vec<_> = interfaces.iter().filter(card).map(|at| at.name.as_str()).collect();
    let mut survey = Survey { read, found: Vec::new() };
    let v4: BTreeSet<_> = on_cards(router, &cards, Family::V4).map(|(_, name)| name).collect();
    for name in &v4 {
        survey.answers(name);
        let whole = |(cidr, at): (Cidr, &str)| at == *name && cidr.prefix == 32;
        if !on_cards(router, &cards, Family::V4).filter(|(_, at)| at == name).all(whole) {
            survey.keeps_the_others(name);
        }
        if cards.len() > 1 {
            survey.lets_in(name);
        }
    }
    if cards.len() > 1 && !v4.is_empty() {
        survey.answers_where_it_is(&cards);
    }
    let v6: BTreeSet<_> = on_cards(router, &cards, Family::V6).map(|(_, name)| name).collect();
    v6.iter().for_each(|name| survey.has_ipv6(name));
    interfaces.iter().filter(|at| vmac::is_ours(at)).for_each(|at| survey.stays_quiet(&at.name, router));
    if config.frontends.is_empty() {
        survey.can_be_bound("ipv4", !v4.is_empty());
        survey.can_be_bound("ipv6", !v6.is_empty());
    }
    survey.found
}

fn on_cards<'r>(router: &'r Router, cards: &[&str], family: Family) -> impl Iterator<Item = (Cidr, &'r str)> {
    router.places().filter(move |(cidr, name)| cidr.family() == family && cards.contains(name))
}

struct Survey<R> {
    read: R,
    found: Vec<Advice>,
}

impl<R: Fn(&str) -> Option<i64>> Survey<R> {
    fn conf(&self, name: &str, key: &str) -> Option<i64> {
        (self.read)(&format!("ipv4/conf/{name}/{key}"))
    }

    /// The larger of the interface's and of `all`'s: what the kernel goes by.
    fn largest(&self, name: &str, key: &str) -> Option<i64> {
        self.conf(name, key).max(self.conf("all", key))
    }

    fn advise(&mut self, name: &str, key: &str, value: i64, what: String) {
        self.found.push(Advice { name: format!("ipv4/conf/{name}/{key}"), value, what });
    }

    fn answers(&mut self, name: &str) {
        if self.largest(name, "arp_ignore") == Some(8) {
            let place = if self.conf("all", "arp_ignore") == Some(8) { "all" } else { name };
            let what =
                format!("with arp_ignore 8 {name} answers no ARP request: nobody reaches the addresses");
            self.advise(place, "arp_ignore", 1, what);
        }
    }

    fn keeps_the_others(&mut self, name: &str) {
        if self.largest(name, "promote_secondaries") == Some(0) {
            let what = format!(
                "when the first address of a network is taken off {name}, the kernel takes every other one of it off too"
            );
            self.advise(name, "promote_secondaries", 1, what);
        }
    }

    fn lets_in(&mut self, name: &str) {
        if self.largest(name, "rp_filter") == Some(1) {
            let what = format!(
                "{name} drops clients whom this node would answer through another interface (strict rp_filter)"
            );
            self.advise(name, "rp_filter", 2, what);
        }
    }

    fn answers_where_it_is(&mut self, cards: &[&str]) {
        let lowest = |key| cards.iter().filter_map(|name| self.largest(name, key)).min();
        let (ignore, announce) = (lowest("arp_ignore"), lowest("arp_announce"));
        if ignore == Some(0) {
            let what = "every interface answers ARP requests for the addresses of the others: on a shared network \
                        neighbours learn the wrong card";
            self.advise("all", "arp_ignore", 1, what.to_owned());
        }
        if announce.is_some_and(|level| level < 2) {
            let what = "ARP requests may name an address of another interface as their sender, and teach neighbours \
                        the wrong card for it";
            self.advise("all", "arp_announce", 2, what.to_owned());
        }
    }

    fn has_ipv6(&mut self, name: &str) {
        let path = format!("ipv6/conf/{name}/disable_ipv6");
        if (self.read)(&path) == Some(1) {
            let what = format!("IPv6 is off on {name}: it cannot take an IPv6 address");
            self.found.push(Advice { name: path, value: 0, what });
        }
    }

    /// What `use_vmac` sets itself, where /proc may be written.
    fn stays_quiet(&mut self, name: &str, router: &Router) {
        let path = format!("ipv6/conf/{name}/accept_ra");
        let is_off = (self.read)(&format!("ipv6/conf/{name}/disable_ipv6")) == Some(1);
        let its_own = vmac::vmacs(router).iter().any(|vmac| vmac.name == name);
        if its_own && !is_off && (self.read)(&path).is_some_and(|level| level > 0) {
            let what = format!(
                "{name} takes an address and a default route from IPv6 router advertisements, and loses them with the \
                 Active role"
            );
            self.found.push(Advice { name: path, value: 0, what });
        }
    }

    fn can_be_bound(&mut self, family: &str, needed: bool) {
        let path = format!("{family}/ip_nonlocal_bind");
        if needed && (self.read)(&path) == Some(0) {
            let what =
                "a server that listens on a moving address itself cannot start while this node is Backup";
            self.found.push(Advice { name: path, value: 1, what: what.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests;
