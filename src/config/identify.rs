//! Which node of the file this machine is.

use std::fmt;
use std::net::IpAddr;

use super::nearest::nearest;
use super::problem::Outline;
use super::valid::Config;

/// What is known about this machine, best clue first.
#[derive(Clone, Debug, Default)]
pub struct Clues<'c> {
    /// `--node`.
    pub flag: Option<&'c str>,
    /// `$VIPD_NODE`; empty is the same as unset.
    pub variable: Option<&'c str>,
    /// The hostname, with or without its domain.
    pub hostname: Option<&'c str>,
    /// The addresses on the interfaces of this machine.
    pub addresses: &'c [IpAddr],
}

/// No clue leads to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unidentified {
    /// Whether a node was named, by flag or variable, that the file does not have.
    pub named: bool,
    tried: Vec<String>,
    nodes: Vec<String>,
    meant: Option<String>,
}

impl Config {
    /// The index of this machine's node; see [`Outline::identify`].
    ///
    /// # Errors
    /// What was tried, and the nodes of the file.
    pub fn identify(&self, clues: &Clues<'_>) -> Result<usize, Unidentified> {
        let nodes = self.nodes.iter().map(|node| (node.name.clone(), node.address)).collect();
        Outline { nodes, interfaces: Vec::new(), programs: Vec::new() }.identify(clues)
    }
}

impl Outline {
    /// The index of this machine's node: the one that `--node` names, or `$VIPD_NODE`, or the hostname
    /// (whole, or up to its first dot), or the one whose address is on this machine. A name that was given
    /// and is not in the file ends the search, so that a typing mistake never starts another node.
    ///
    /// # Errors
    /// What was tried, and the nodes of the file.
    pub fn identify(&self, clues: &Clues<'_>) -> Result<usize, Unidentified> {
        let mut tried = Vec::new();
        let variable = clues.variable.filter(|name| !name.is_empty());
        let given = [("--node", clues.flag), ("$VIPD_NODE", variable)];
        if let Some((source, name)) = given.into_iter().find_map(|(source, name)| Some((source, name?))) {
            tried.push(format!("{source} says `{name}`"));
            return self.named(name).ok_or_else(|| self.unidentified(tried, Some(name)));
        }
        if let Some(hostname) = clues.hostname {
            let short = hostname.split('.').next().unwrap_or(hostname);
            if let Some(index) = self.named(hostname).or_else(|| self.named(short)) {
                return Ok(index);
            }
            tried.push(format!("the hostname is `{hostname}`"));
        }
        self.by_address(clues.addresses, &mut tried).ok_or_else(|| self.unidentified(tried, None))
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|(node, _)| node == name)
    }

    /// The node of the one address that is here; none when there are several.
    fn by_address(&self, here: &[IpAddr], tried: &mut Vec<String>) -> Option<usize> {
        let mut mine = self.nodes.iter().enumerate().filter(|(_, (_, address))| here.contains(address));
        match (mine.next(), mine.next()) {
            (Some((index, _)), None) => return Some(index),
            (Some((_, (_, one))), Some((_, (_, other)))) => {
                tried.push(format!("the addresses {one} and {other} are both on this machine"));
            }
            (None, _) if here.is_empty() => tried.push("this machine has no addresses".to_owned()),
            (None, _) => {
                let here: Vec<String> = here.iter().map(ToString::to_string).collect();
                tried.push(format!("the addresses of this machine are {}", here.join(", ")));
            }
        }
        None
    }

    fn unidentified(&self, tried: Vec<String>, given: Option<&str>) -> Unidentified {
        let names = || self.nodes.iter().map(|(name, _)| name.as_str());
        Unidentified {
            named: given.is_some(),
            tried,
            nodes: self.nodes.iter().map(|(name, address)| format!("{name} ({address})")).collect(),
            meant: given.and_then(|name| nearest(name, names())).map(str::to_owned),
        }
    }
}

impl fmt::Display for Unidentified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this machine is no node of the config: {}", self.tried.join("; "))?;
        write!(f, "\nnodes of the config: {}", self.nodes.join(", "))?;
        match &self.meant {
            Some(meant) => write!(f, "\ndid you mean `{meant}`?"),
            None => write!(f, "\nsay which one it is with --node NAME or $VIPD_NODE"),
        }
    }
}

impl std::error::Error for Unidentified {}
