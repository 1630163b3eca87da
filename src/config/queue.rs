//! `max_connections` of a server and `queue` of a `[[pool]]`: how much a server gets at a time, and how long the rest
//! waits.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::pools::{Pool, Server};
use super::problem::{Problems, Wrong};
use super::quantity::duration_text;
use super::table::{Field, Table, wrong_type};
use super::value::{self, count};

/// Where requests wait while every server of a pool has as many as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many may wait; 0: none. Default 1,000.
    pub length: usize,
    /// How long each may. Default 5 s.
    pub timeout: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self { length: 1_000, timeout: Duration::from_secs(5) }
    }
}

/// `queue`; `None` when it is wrong, `Some(None)` when it is not given.
pub(super) fn queue(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Field<Queue>> {
    let usual = Queue::default();
    let Some(value) = value else { return Some(None) };
    if value.get_ref().as_table().is_none() {
        let help = "write queue = { length = 1000, timeout = \"5s\" }";
        problems.wrong(value.span(), wrong_type("a table", value.get_ref()).help(help));
        return None;
    }
    let mut table = Table::open("queue", value, problems)?;
    let length = table.or("length", usual.length, count("a number of requests", 0..=1_000_000));
    let timeout = table.or("timeout", usual.timeout, value::wait);
    table.finish();
    Some(Some(Spanned::new(value.span(), Queue { length: length?, timeout: timeout? })))
}

/// `"none"`, or what a server has in hand at most.
pub(super) fn most(value: &DeValue<'_>) -> Result<Option<u32>, Wrong> {
    match value.as_str() {
        Some("none") => Ok(None),
        Some(_) => {
            Err(wrong_type("a number of connections or \"none\"", value).help("write 100 or \"none\""))
        }
        None => {
            let most = count("a number of connections", 1..=1_000_000)(value)?;
            Ok(Some(u32::try_from(most).unwrap_or(u32::MAX)))
        }
    }
}

/// A queue where nobody ever waits is probably not meant.
pub(super) fn lint(pool: &Pool, problems: &mut Problems<'_>) {
    let limited = |server: &Server| server.max_connections.flatten().is_some();
    if let Some(Some(queue)) = &pool.queue
        && *queue.get_ref() != Queue::default()
        && !pool.servers.iter().any(limited)
    {
        let message = "nobody queues: no server of this pool has `max_connections`".to_owned();
        problems.warning(queue.span(), message).help("give its servers max_connections, or remove `queue`");
    }
}

/// The queue as `vipd check --show` prints it.
pub(super) fn show(queue: Queue) -> String {
    format!("{{ length = {}, timeout = \"{}\" }}", queue.length, duration_text(queue.timeout))
}

/// A server's limit as `vipd check --show` prints it.
pub(super) fn show_most(most: Option<u32>) -> String {
    most.map_or("\"none\"".to_owned(), |most| most.to_string())
}
