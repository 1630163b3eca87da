//! The pools of a status: each server with its state, and why a pool cannot serve.

use crate::link::{PoolReport, ServerReport, ServerState};

use super::super::terminal::{Ink, Style};
use super::columns::{Cell, table};
use super::time::age;

/// A pool and its servers.
pub(super) fn pool(pool: &PoolReport, now_ms: u64, style: Style) -> String {
    let mut out = headline(pool, style);
    let head = ["SERVER", "ADDRESS", "WEIGHT", "STATE", "FOR", "NOW", "REQUESTS", "ERRORS", "LAST CHECK"];
    let head = head.map(|text| match text {
        "WEIGHT" | "NOW" | "REQUESTS" | "ERRORS" => Cell::right(text).ink(Ink::Faint),
        _ => Cell::left(text).ink(Ink::Faint),
    });
    let rows = pool.servers.iter().map(|server| row(server, now_ms));
    let rows: Vec<Vec<Cell>> = std::iter::once(head.into()).chain(rows).collect();
    out.push_str(&table("  ", &rows, style));
    out
}

fn headline(pool: &PoolReport, style: Style) -> String {
    let (healthy, all) = (pool.healthy, pool.servers.len());
    let name = style.paint(Ink::Head, &pool.name);
    let ink = match healthy {
        0 => Ink::Bad,
        _ if healthy < all => Ink::Watch,
        _ => Ink::Good,
    };
    let count = style.paint(ink, &format!("{healthy} of {all} servers healthy"));
    let trouble = match (healthy, pool.panics) {
        (_, true) => "  panic: too few servers are left, so requests go to all of them\n".to_owned(),
        (0, false) => why_none(pool),
        _ => String::new(),
    };
    let trouble = style.paint(Ink::Bad, &trouble);
    format!("pool {name}  {count}\n{trouble}")
}

/// Why nobody gets its requests, with the servers of the same reason together.
fn why_none(pool: &PoolReport) -> String {
    if pool.servers.iter().all(|server| server.state == ServerState::Checking) {
        return "  not checked yet: nobody gets its requests until a server has passed its checks\n"
            .to_owned();
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for server in &pool.servers {
        match reasons.iter_mut().find(|(reason, _)| *reason == server.reason) {
            Some((_, names)) => names.push(&server.name),
            None => reasons.push((&server.reason, vec![&server.name])),
        }
    }
    let list = reasons.iter().map(|(reason, names)| format!("{}: {reason}", names.join(", ")));
    let list = list.collect::<Vec<_>>().join("; ").replace(char::is_control, "?");
    format!("  nobody gets its requests: {list}\n")
}

/// Its name, and behind it what it calls itself when that is another one.
fn name(server: &ServerReport) -> String {
    match &server.own_name {
        Some(own) if *own != server.name => {
            format!("{} ({})", server.name, own)
        }
        Some(_) | None => server.name.clone(),
    }
}

fn row(server: &ServerReport, now_ms: u64) -> Vec<Cell> {
    let (state, ink) = match server.state {
        ServerState::Checking => ("checking", Ink::Watch),
        ServerState::Unchecked => ("unchecked", Ink::Good),
        ServerState::Up => ("up", Ink::Good),
        ServerState::Down => ("DOWN", Ink::Bad),
        ServerState::Ejected => ("EJECTED", Ink::Bad),
    };
    let count = server.errors + server.failed;
    let errors = Cell::right(count);
    vec![
        Cell::left(name(server)),
        Cell::left(server.address),
        Cell::right(weight(server)),
        Cell::left(if server.backup { format!("{state}, backup") } else { state.to_owned() }).ink(ink),
        Cell::left(age(now_ms, server.since_ms)),
        Cell::right(server.in_flight),
        Cell::right(server.requests),
        if count == 0 { errors } else { errors.ink(Ink::Watch) },
        Cell::left(&server.reason),
    ]
}

/// Its share, and what it has of that while it comes back slowly.
fn weight(server: &ServerReport) -> String {
    let (now, whole) = (server.effective_weight, f64::from(server.weight));
    // 0: a proxy that does not say it.
    if now > 0.0 && now < whole { format!("{now:.2} of {whole}") } else { whole.to_string() }
}
