//! Where a frontend's requests go: `route` and `redirect` of a `[[frontend]]`.
//!
//! The first route that matches wins, in the order of the file, as in HAProxy's `use_backend`: what a file says is read
//! from top to bottom, and a route that an earlier one makes pointless is warned of.
//!
//! Hosts and paths are compared as they were sent: nothing is decoded and no `..` is followed, so `/v1` is not
//! `/%761`, and `/v1/../admin` is below `/v1`. A route chooses servers; it is no lock on a door.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Problems, Wrong};
use super::raw::{File, Frontend};
use super::resolve::{index_of, known_pool};
use super::table::{Field, Table, wrong_type};
use super::valid::Mode;
use super::value::{self, count, one_of, text};

/// One `route` of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRoute {
    /// What it is for.
    pub pattern: Pattern,
    /// Index into [`Config::pools`](super::Config::pools).
    pub pool: usize,
}

/// Which requests a route is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// A name in lower case, or `*.` and the end of names; `None`: any host.
    pub host: Option<String>,
    /// The beginning of a path, up to a whole segment; `None`: any path.
    pub path: Option<String>,
}

impl Pattern {
    /// Whether a request is of this kind. `host` as it was sent, with or without a port, in any case; `path` without
    /// its query.
    #[must_use]
    pub fn matches(&self, host: Option<&[u8]>, path: &str) -> bool {
        let names =
            |wanted: &String| host.is_some_and(|host| is_named(wanted.as_bytes(), without_port(host)));
        self.host.as_ref().is_none_or(names) && self.path.as_ref().is_none_or(|wanted| is_below(wanted, path))
    }

    /// Whether it takes every request that `later` is for.
    fn covers(&self, later: &Self) -> bool {
        let hosts = match (&self.host, &later.host) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(its)) => mine == its || is_named(mine.as_bytes(), its.as_bytes()),
        };
        // Every path begins with a slash, but for `*`.
        let paths = match (self.path.as_deref(), later.path.as_deref()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(its)) => is_below(mine, its),
        };
        hosts && paths
    }
}

/// The host without its port and without the dot that ends a full name.
fn without_port(host: &[u8]) -> &[u8] {
    let name = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => &host[..colon],
        Some(_) | None => host,
    };
    name.strip_suffix(b".").unwrap_or(name)
}

/// `*.example.com` is any name that ends with `.example.com`, but not `example.com`.
fn is_named(wanted: &[u8], host: &[u8]) -> bool {
    match wanted.strip_prefix(b"*") {
        Some(end) => {
            let at = host.len().checked_sub(end.len());
            at.is_some_and(|at| at > 0 && host[at..].eq_ignore_ascii_case(end))
        }
        None => host.eq_ignore_ascii_case(wanted),
    }
}

/// `/v1` is the beginning of `/v1` and `/v1/x`, not of `/v10`; `/v1/` only of what is below it.
fn is_below(wanted: &str, path: &str) -> bool {
    let rest = path.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || wanted.ends_with('/'))
}

/// `redirect` of a frontend: where requests are sent that no route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 307 or 308. Default 301, which every client knows; 308 keeps the method.
    pub status: u16,
    /// The port of https. Default 443.
    pub port: u16,
}

/// A `route` as it was read.
pub(super) struct Read {
    pattern: Option<Pattern>,
    pool: Field<String>,
    place: Range<usize>,
}

/// `route`: a list of tables, none by default.
pub(super) fn routes(table: &mut Table<'_, '_, '_, '_>) -> Vec<Read> {
    let Some(value) = table.entry("route") else { return Vec::new() };
    let Some(items) = value.get_ref().as_array() else {
        let example = "write route = [{ host = \"api.example.com\", path = \"/v1\", pool = \"api\" }]";
        table.problems.wrong(value.span(), wrong_type("a list of routes", value.get_ref()).help(example));
        return Vec::new();
    };
    items.iter().filter_map(|item| route(item, table.problems)).collect()
}

fn route(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Read> {
    let mut table = Table::open("a route", value, problems)?;
    let hosts = table.optional("host", host);
    let paths = table.optional("path", path);
    let pool = table.required("pool", "pool = \"api\"", value::name);
    if let (Some(None), Some(None)) = (&hosts, &paths) {
        let help = "add host = \"api.example.com\" or path = \"/v1\", or use the frontend's own `pool`";
        table.problems.missing(value.span(), "a route for every request", help);
    }
    table.finish();
    let plain = |field: Option<Field<String>>| field.map(|field| field.map(Spanned::into_inner));
    let pattern = plain(hosts).zip(plain(paths)).map(|(host, path)| Pattern { host, path });
    Some(Read { pattern, pool, place: value.span() })
}

fn host(value: &DeValue<'_>) -> Result<String, Wrong> {
    let host = text(value)?;
    let name = host.strip_prefix("*.").unwrap_or(host);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_address = name.starts_with('[') && name.ends_with(']');
    if name.is_empty() || name.starts_with('.') || !(is_address || name.bytes().all(allowed)) {
        return Err(Wrong::new(format!("`{}` is no host", host.escape_debug())).help(
            "write a name without a port: \"api.example.com\", or \"*.example.com\" for all below it",
        ));
    }
    Ok(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
}

fn path(value: &DeValue<'_>) -> Result<String, Wrong> {
    let path = value::path(value)?;
    if path.contains('?') {
        return Err(
            Wrong::new("a route does not look at the query").help("leave out the `?` and what follows")
        );
    }
    Ok(path)
}

/// `redirect`: `"off"`, `"https"`, or a table with a status and a port.
pub(super) fn redirect(value: &DeValue<'_>) -> Result<Option<Redirect>, Wrong> {
    let example = "write \"https\" or { to = \"https\", status = 308, port = 8443 }";
    let mut redirect = Redirect { status: 301, port: 443 };
    let Some(table) = value.as_table() else {
        let word = one_of(value, &["https", "off"], &[]).map_err(|wrong| match wrong.help {
            Some(_) => wrong,
            None => wrong.help(example),
        })?;
        return Ok((word == "https").then_some(redirect));
    };
    let mut to_https = false;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "to" => to_https = one_of(value.get_ref(), &["https"], &[]).is_ok(),
            "status" => redirect.status = status(value.get_ref())?,
            "port" => {
                let port = count("a port", 1..=65_535)(value.get_ref())?;
                redirect.port = u16::try_from(port).unwrap_or(redirect.port);
            }
            other => {
                let wrong = Wrong::new(format!("unknown key `{}` in redirect", other.escape_debug()));
                return Err(wrong.help(example));
            }
        }
    }
    if to_https { Ok(Some(redirect)) } else { Err(Wrong::new("a redirect leads to https").help(example)) }
}

fn status(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let status = count("a status", 100..=599)(value)?;
    let status = u16::try_from(status).ok().filter(|status| [301, 302, 307, 308].contains(status));
    status.ok_or_else(|| {
        Wrong::new("this status sends nobody elsewhere").help("write 301 or 308 for good, 302 or 307 for now")
    })
}

/// Records references to nothing, and a default that says two things.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    for frontend in &file.frontends {
        for route in &frontend.routes {
            route.pool.iter().for_each(|pool| known_pool(file, pool, problems));
        }
        if frontend.mode == Some(Mode::Tcp) {
            for (given, what) in [(&frontend.h2, "HTTP/2"), (&frontend.connect, "CONNECT")] {
                if let Some(Some(given)) = given
                    && *given.get_ref()
                {
                    let message = format!(
                        "a frontend with mode = \"tcp\" passes on whatever is spoken, {what} as well"
                    );
                    problems.error(given.span(), message).help("remove it, or use mode = \"http\"");
                }
            }
            let redirect = frontend.redirect.iter().flatten().filter(|redirect| redirect.get_ref().is_some());
            let places = frontend.routes.iter().map(|route| route.place.clone());
            for place in places.chain(redirect.map(Spanned::span)) {
                let problem =
                    problems.error(place, "a frontend with mode = \"tcp\" does not see hosts and paths");
                if let Some(mode) = &frontend.mode_place {
                    problem.other(mode.clone(), "the mode is set here");
                }
                problem.help("remove it, or use mode = \"http\"");
            }
        } else if let (Some(Some(pool)), Some(Some(redirect))) = (&frontend.pool, &frontend.redirect)
            && redirect.get_ref().is_some()
        {
            let problem = problems.error(pool.span(), "a frontend has either a `pool` or a `redirect`");
            problem.other(redirect.span(), "the redirect is here");
            problem.help("remove one of the two, or send some requests to the pool by a `route`");
        }
    }
}

/// Warns of routes that get no request because an earlier one takes them all.
pub(super) fn lint(file: &File, problems: &mut Problems<'_>) {
    for routes in file.frontends.iter().map(|frontend| &frontend.routes) {
        for (at, route) in routes.iter().enumerate() {
            let Some(pattern) = &route.pattern else { continue };
            let covers = |earlier: &&Read| earlier.pattern.as_ref().is_some_and(|it| it.covers(pattern));
            if let Some(earlier) = routes[..at].iter().find(covers) {
                problems
                    .warning(
                        route.place.clone(),
                        "this route gets no requests: an earlier one takes them all",
                    )
                    .other(earlier.place.clone(), "the first one that matches wins")
                    .help("put it before the other one, or remove it");
            }
        }
    }
}

/// The pools that a frontend's requests can go to, by name.
pub(super) fn pools(frontend: &Frontend) -> impl Iterator<Item = &Spanned<String>> {
    let own = frontend.pool.iter().flatten();
    own.chain(frontend.routes.iter().filter_map(|route| route.pool.as_ref()))
}

/// The routes of a file without errors.
pub(super) fn valid(file: &File, frontend: &Frontend) -> Option<Vec<RequestRoute>> {
    let route = |read: &Read| {
        let pool = index_of(file, read.pool.as_ref()?.get_ref())?;
        Some(RequestRoute { pattern: read.pattern.clone()?, pool })
    };
    frontend.routes.iter().map(route).collect()
}

/// As they stand in a config.
pub(super) fn show(routes: &[RequestRoute], name: impl Fn(usize) -> String) -> String {
    let key = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key} = {value:?}, "));
    let route = |RequestRoute { pattern: Pattern { host, path }, pool }: &RequestRoute| {
        let (host, path) = (key("host", host).unwrap_or_default(), key("path", path).unwrap_or_default());
        format!("{{ {host}{path}pool = {:?} }}", name(*pool))
    };
    format!("[{}]", routes.iter().map(route).collect::<Vec<_>>().join(", "))
}

/// As it stands in a config.
pub(super) fn show_redirect(redirect: Option<Redirect>) -> String {
    redirect.map_or("\"off\"".to_owned(), |Redirect { status, port }| {
        format!("{{ to = \"https\", status = {status}, port = {port} }}")
    })
}
