//! `[proxy]` and `[limits]`: every key has a default, so the tables may be absent.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Problems, Wrong};
use super::table::{Table, wrong_type};
use super::valid::{Limits, ProxySettings};
use super::value::{self, count};

impl Default for ProxySettings {
    fn default() -> Self {
        Self { threads: None, user: "vipd".to_owned(), grace: Duration::from_secs(10) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: 32 << 10,
            headers: 100,
            body: None,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(30),
            connection_lifetime: None,
            tunnel_timeout: Duration::from_secs(3600),
            tunnel_lifetime: None,
        }
    }
}

/// `[proxy]`; `None` when something in it is wrong.
pub(super) fn proxy(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<ProxySettings> {
    let default = ProxySettings::default();
    let Some(value) = value else { return Some(default) };
    let mut table = Table::open("[proxy]", value, problems)?;
    let threads = table.or("threads", default.threads, threads);
    let user = table.or("user", default.user, value::user);
    let grace = table.or("grace", default.grace, value::duration);
    table.finish();
    Some(ProxySettings { threads: threads?, user: user?, grace: grace? })
}

/// `[limits]`; `None` when something in it is wrong.
pub(super) fn limits(value: Option<&Spanned<DeValue<'_>>>, problems: &mut Problems<'_>) -> Option<Limits> {
    let default = Limits::default();
    let Some(value) = value else { return Some(default) };
    let mut table = Table::open("[limits]", value, problems)?;
    let connections =
        table.or("connections", default.connections, count("a number of connections", 1..=10_000_000));
    let head = table.or("head", default.head, head);
    // As many as the parser has room for: http::MAX_LINES.
    let headers = table.or("headers", default.headers, count("a number of header lines", 1..=512));
    let body = table.or("body", default.body, body);
    let head_timeout = table.or("head_timeout", default.head_timeout, value::wait);
    let idle_timeout = table.or("idle_timeout", default.idle_timeout, value::wait);
    let connect_timeout = table.or("connect_timeout", default.connect_timeout, value::wait);
    let response_timeout = table.or("response_timeout", default.response_timeout, value::wait);
    let connection_lifetime = table.or("connection_lifetime", default.connection_lifetime, lifetime);
    let tunnel_timeout = table.or("tunnel_timeout", default.tunnel_timeout, value::wait);
    let tunnel_lifetime = table.or("tunnel_lifetime", default.tunnel_lifetime, lifetime);
    table.finish();
    Some(Limits {
        connections: connections?,
        head: head?,
        headers: headers?,
        body: body?,
        head_timeout: head_timeout?,
        idle_timeout: idle_timeout?,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        connection_lifetime: connection_lifetime?,
        tunnel_timeout: tunnel_timeout?,
        tunnel_lifetime: tunnel_lifetime?,
    })
}

/// `"auto"` or a number of threads.
fn threads(value: &DeValue<'_>) -> Result<Option<usize>, Wrong> {
    match value.as_str() {
        Some("auto") => Ok(None),
        Some(_) => Err(wrong_type("a number of threads or \"auto\"", value).help("write 2 or \"auto\"")),
        None => count("a number of threads", 1..=1024)(value).map(Some),
    }
}

/// A head fits into memory for every connection, and a request line fits into a head.
fn head(value: &DeValue<'_>) -> Result<usize, Wrong> {
    let bytes = value::size(value)?;
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| (1 << 10..=1 << 20).contains(bytes))
        .ok_or_else(|| Wrong::new("a head is 1KiB to 1MiB").help("write \"32KiB\", or leave the key out"))
}

/// `"none"` or a size.
fn body(value: &DeValue<'_>) -> Result<Option<u64>, Wrong> {
    if value.as_str() == Some("none") {
        return Ok(None);
    }
    value::size(value).map(Some).map_err(|wrong| match wrong.help {
        Some(help) => Wrong::new(wrong.message).help(format!("{help}, or \"none\"")),
        None => wrong,
    })
}

/// `"none"` or a length of time.
fn lifetime(value: &DeValue<'_>) -> Result<Option<Duration>, Wrong> {
    if value.as_str() == Some("none") {
        return Ok(None);
    }
    value::wait(value).map(Some).map_err(|wrong| match wrong.help {
        Some(help) => Wrong::new(wrong.message).help(format!("{help}, or \"none\"")),
        None => wrong,
    })
}
