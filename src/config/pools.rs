//! `[[pool]]`: the servers and how they are checked.

use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::address;
use super::balance::{self, Balance};
use super::problem::Problems;
use super::table::{Field, Table};
use super::valid::{Check, CheckKind};
use super::value::{self, of_text};

/// A `[[pool]]`.
pub(super) struct Pool {
    pub(super) name: Field<String>,
    pub(super) balance: Option<Balance>,
    /// `None` when it is wrong, `Some(None)` when the pool has no checks.
    pub(super) check: Option<Field<Check>>,
    pub(super) servers: Vec<Server>,
    /// `None` when it is wrong, `Some(None)` when clients do not stay.
    pub(super) sticky: Option<Option<String>>,
    pub(super) slow_start: Option<Field<Duration>>,
}

/// One of its servers.
pub(super) struct Server {
    pub(super) name: Field<String>,
    pub(super) address: Field<SocketAddr>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) weight: Option<Field<u16>>,
    pub(super) backup: Option<Field<bool>>,
}

const SERVER: &str = "server = [{ name = \"app1\", address = \"10.77.0.11:8080\" }]";

pub(super) fn pool(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Pool> {
    let mut table = Table::open("[[pool]]", value, problems)?;
    let name = table.required("name", "name = \"app\"", value::name);
    let balance = table.or("balance", Balance::default(), balance::balance);
    let check = match table.entry("check") {
        Some(value) => check(value, table.problems).map(|check| Some(Spanned::new(value.span(), check))),
        None => Some(None),
    };
    let servers = table.array("server", SERVER).unwrap_or_default();
    let servers = servers.iter().filter_map(|value| server(value, table.problems)).collect();
    let sticky = table.or("sticky", None, balance::sticky);
    let slow_start = table.optional("slow_start", value::duration);
    table.finish();
    Some(Pool { name, balance, check, servers, sticky, slow_start })
}

fn server(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Server> {
    let mut table = Table::open("a server", value, problems)?;
    let server = Server {
        name: table.required("name", "name = \"app1\"", value::name),
        address: table.required("address", "address = \"10.77.0.11:8080\"", of_text(address::server)),
        weight: table.optional("weight", value::weight),
        backup: table.optional("backup", balance::backup),
    };
    table.finish();
    Some(server)
}

fn check(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Check> {
    let mut table = Table::open("check", value, problems)?;
    let kind = kind(&mut table);
    let interval = table.or("interval", Duration::from_secs(1), value::wait);
    let timeout = table.or("timeout", Duration::from_secs(1), value::wait);
    let rise = table.or("rise", 2, value::times);
    let fall = table.or("fall", 3, value::times);
    table.finish();
    Some(Check { kind: kind?, interval: interval?, timeout: timeout?, rise: rise?, fall: fall? })
}

/// `http = ".."` with its `host` and `expect`, or `tcp = true`.
fn kind(table: &mut Table<'_, '_, '_, '_>) -> Option<CheckKind> {
    let example = "http = \"/health\" or tcp = true";
    match (table.entry("http").map(Spanned::span), table.entry("tcp")) {
        (Some(http), Some(tcp)) => {
            let problem = table.problems.error(tcp.span(), "a check is either `http` or `tcp`");
            problem.other(http, "`http` is here").help("remove one of the two");
            None
        }
        (None, Some(tcp)) => {
            if tcp.get_ref().as_bool() == Some(true) {
                return Some(CheckKind::Tcp);
            }
            table.problems.error(tcp.span(), "`tcp` can only be true").help(format!("write {example}"));
            None
        }
        (Some(_), None) => {
            let path = table.required("http", example, value::path);
            let host = table.optional("host", value::host);
            let expect = table.or("expect", vec![(200, 399)], value::statuses);
            Some(CheckKind::Http {
                path: path?.into_inner(),
                host: host?.map(Spanned::into_inner),
                expect: expect?,
            })
        }
        (None, None) => {
            let place = table.place();
            table.problems.missing(place, "the check does not say what to ask", &format!("add {example}"));
            None
        }
    }
}
