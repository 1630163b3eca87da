//! `[[pool]]`: the servers and how they are checked.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::address;
use super::balance::{self, Balance};
use super::checks::{Check, CheckKind, read};
use super::passive::{self, Passive};
use super::problem::{Problems, Program};
use super::proxy_protocol;
use super::queue::{self, Queue};
use super::table::{Field, Table};
use super::tls::{self, PoolTls, TlsFile, Verify};
use super::track::Command;
use super::value::{self, of_text};
use crate::pool::SendProxy;

/// A `[[pool]]`.
pub(super) struct Pool {
    pub(super) name: Field<String>,
    pub(super) balance: Option<Balance>,
    pub(super) balance_place: Option<Range<usize>>,
    /// `None` when it is wrong, `Some(None)` when the pool has no checks.
    pub(super) check: Option<Field<Check>>,
    /// `None` when it is wrong.
    pub(super) passive: Option<Option<Passive>>,
    pub(super) panic: Option<Option<u8>>,
    pub(super) servers: Vec<Server>,
    /// `None` when it is wrong, `Some(None)` when clients do not stay.
    pub(super) sticky: Option<Option<String>>,
    pub(super) sticky_place: Option<Range<usize>>,
    pub(super) slow_start: Option<Field<Duration>>,
    /// `None` when it is wrong, `Some(None)` when its servers speak plain.
    pub(super) tls: Option<Option<tls::Read<PoolTls>>>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) queue: Option<Field<Queue>>,
    pub(super) send_proxy: Option<Option<SendProxy>>,
}

/// One of its servers.
pub(super) struct Server {
    pub(super) name: Field<String>,
    pub(super) address: Field<SocketAddr>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) weight: Option<Field<u16>>,
    pub(super) backup: Option<Field<bool>>,
    pub(super) max_connections: Option<Option<u32>>,
}

const SERVER: &str = "server = [{ name = \"app1\", address = \"10.77.0.11:8080\" }]";

pub(super) fn pool(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Pool> {
    let mut table = Table::open("[[pool]]", value, problems)?;
    let name = table.required("name", "name = \"app\"", value::name);
    let balance_place = table.entry("balance").map(Spanned::span);
    let balance = table.or("balance", Balance::default(), balance::balance);
    let check = match table.entry("check") {
        Some(value) => {
            read::check(value, table.problems).map(|check| Some(Spanned::new(value.span(), check)))
        }
        None => Some(None),
    };
    let passive = passive::passive(table.entry("passive"), table.problems);
    let panic = table.or("panic", None, passive::panic);
    let servers = table.array("server", SERVER).unwrap_or_default();
    let servers = servers.iter().filter_map(|value| server(value, table.problems)).collect();
    let sticky_place = table.entry("sticky").map(Spanned::span);
    let sticky = table.or("sticky", None, balance::sticky);
    let slow_start = table.optional("slow_start", value::duration);
    let tls = tls::pool(table.entry("tls"), table.problems);
    let queue = queue::queue(table.entry("queue"), table.problems);
    let send_proxy = table.or("send_proxy", None, proxy_protocol::send_proxy);
    table.finish();
    Some(Pool {
        name,
        balance,
        balance_place,
        check,
        passive,
        panic,
        servers,
        sticky,
        sticky_place,
        slow_start,
        tls,
        queue,
        send_proxy,
    })
}

fn server(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Server> {
    let mut table = Table::open("a server", value, problems)?;
    let server = Server {
        name: table.required("name", "name = \"app1\"", value::name),
        address: table.required("address", "address = \"10.77.0.11:8080\"", of_text(address::server)),
        weight: table.optional("weight", value::weight),
        backup: table.optional("backup", balance::backup),
        max_connections: table.or("max_connections", None, queue::most),
    };
    table.finish();
    Some(server)
}

impl Pool {
    /// The file that says whose certificates the check believes, and where it is named.
    pub(super) fn authorities_of_check(&self) -> Option<(TlsFile, Range<usize>)> {
        let check = self.check.as_ref()?.as_ref()?;
        let Verify::Ca(path) = &check.get_ref().tls.as_ref()?.verify else { return None };
        Some((TlsFile::Ca(path.clone()), check.span()))
    }
}

/// The program that a check runs, as the proxy's user.
pub(super) fn program(check: &Spanned<Check>, user: &str) -> Option<Program> {
    let CheckKind::Exec(words) = &check.get_ref().kind else { return None };
    Some(Program::of(&Command { words: words.clone(), user: user.to_owned() }, check.span()))
}
