//! `maintenance` and `sorry_pool` of a `[[frontend]]`: what its clients get while no server answers them.
//!
//! A page is of text, so that what is wrong with it can be told before anyone sees it. It is read by whoever serves it;
//! here is only what can be said of its name.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Problems, Wrong};
use super::quantity::duration_text;
use super::raw::{File, Frontend};
use super::request_route;
use super::resolve::known_pool;
use super::table::Table;
use super::valid::Mode;
use super::value;

/// The page of a frontend in maintenance, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// The file, a full path; its ending says what it is.
    pub page: PathBuf,
    /// The status: 200, or an error. Default 503.
    pub status: u16,
    /// When clients shall come again; whole seconds. Default 1 min.
    pub retry_after: Duration,
}

impl Maintenance {
    /// Bytes of a page: everybody gets it, at a bad time.
    pub const LARGEST: u64 = 256 << 10;

    /// What the page is, by the ending of its name.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        content_type(&self.page).unwrap_or("text/plain; charset=utf-8")
    }
}

/// Each ending with what it means.
const TYPES: [(&str, &str); 5] = [
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("json", "application/json"),
    ("xml", "application/xml"),
];

fn content_type(page: &Path) -> Option<&'static str> {
    let ending = page.extension()?.to_str()?;
    TYPES.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, means)| *means)
}

/// `maintenance` as it was read.
pub(super) struct Read {
    pub(super) valid: Maintenance,
    /// Where the page is named.
    page: Range<usize>,
    place: Range<usize>,
}

/// `"off"`, or a table; `Some(None)` is off, `None` is wrong.
pub(super) fn maintenance(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Option<Read>> {
    let Some(value) = value.filter(|value| value.get_ref().as_str() != Some("off")) else {
        return Some(None);
    };
    let mut table = Table::open("maintenance", value, problems)?;
    let page = table.required("page", "page = \"/etc/vipd/maintenance.html\"", value::of_text(page));
    let status = table.or("status", 503, status);
    let retry_after = table.or("retry_after", Duration::from_secs(60), retry_after);
    table.finish();
    let page = page?;
    let (place, page) = (page.span(), page.into_inner());
    let valid = Maintenance { page, status: status?, retry_after: retry_after? };
    Some(Some(Read { valid, page: place, place: value.span() }))
}

fn page(text: &str) -> Result<PathBuf, Wrong> {
    let example = "write \"/etc/vipd/maintenance.html\"";
    let path = value::full_path(text).map_err(|wrong| wrong.help(example))?;
    if content_type(&path).is_none() {
        let known: Vec<_> = TYPES.iter().map(|(ending, _)| format!(".{ending}")).collect();
        let message = format!("the name of `{}` does not say what kind of page it is", text.escape_debug());
        return Err(Wrong::new(message).help(format!("let it end with one of {}", known.join(", "))));
    }
    Ok(path)
}

fn status(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let status = value::count("a status", 100..=599)(value)?;
    let status = u16::try_from(status).ok().filter(|status| *status == 200 || *status >= 400);
    status.ok_or_else(|| {
        Wrong::new("a maintenance page has no such status")
            .help("write 503: caches and search engines come again; or 200, or another error")
    })
}

/// "Retry-After = HTTP-date / delay-seconds" (RFC 9110 §10.2.3).
fn retry_after(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let after = value::duration(value)?;
    if after.subsec_nanos() > 0 || after.is_zero() {
        return Err(Wrong::new("clients are told whole seconds").help("write \"1m\", at least \"1s\""));
    }
    Ok(after)
}

/// Records what a frontend cannot have, and references to nothing.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    for frontend in &file.frontends {
        if let (Some(Mode::Tcp), Some(Some(read))) = (frontend.mode, &frontend.maintenance) {
            let message = "a frontend with mode = \"tcp\" has nobody to show a page to";
            let problem = problems.error(read.place.clone(), message);
            if let Some(mode) = frontend.mode_place.clone() {
                problem.other(mode, "the mode is set here");
            }
            problem.help("remove it: in maintenance it closes new connections; or use mode = \"http\"");
        }
        let Some(Some(sorry)) = &frontend.sorry_pool else { continue };
        known_pool(file, sorry, problems);
        if let Some(Some(pool)) = &frontend.pool
            && pool.get_ref() == sorry.get_ref()
        {
            let problem = problems.error(sorry.span(), "this is the pool that it is to stand in for");
            problem.other(pool.span(), "the pool is here").help("name another pool, or remove it");
        }
    }
}

/// A pool that stands in for none is probably not meant.
pub(super) fn lint(file: &File, problems: &mut Problems<'_>) {
    for frontend in &file.frontends {
        if let Some(Some(sorry)) = &frontend.sorry_pool
            && request_route::pools(frontend).next().is_none()
        {
            let message =
                "this pool gets no requests: the frontend has no other one that it could stand in for";
            problems
                .warning(sorry.span(), message)
                .help("remove it, or send requests to a pool by a `route`");
        }
    }
}

/// The pages of a file and where they are named.
pub(super) fn pages(frontends: &[Frontend]) -> Vec<(PathBuf, Range<usize>)> {
    let read = frontends.iter().filter_map(|frontend| frontend.maintenance.as_ref()?.as_ref());
    read.map(|read| (read.valid.page.clone(), read.page.clone())).collect()
}

/// The pool that stands in, by name.
pub(super) fn sorry_pool(frontend: &Frontend) -> Option<&Spanned<String>> {
    frontend.sorry_pool.as_ref()?.as_ref()
}

/// The line of a frontend, as `vipd check --show` prints it.
pub(super) fn show(maintenance: Option<&Maintenance>) -> String {
    maintenance.map_or("\"off\"".to_owned(), |Maintenance { page, status, retry_after }| {
        let (page, after) = (page.display().to_string(), duration_text(*retry_after));
        format!("{{ page = {page:?}, status = {status}, retry_after = \"{after}\" }}")
    })
}
