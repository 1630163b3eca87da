//! `passive` and `panic` of a `[[pool]]`: what live traffic says of its servers, and what happens when few are left.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Problems, Wrong};
use super::quantity::duration_text;
use super::table::{Field, Table, wrong_type};
use super::track::read::percent;
use super::value;
use crate::pool::Failures;

/// Servers that fail one request after the other are left out for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passive {
    /// Errors in a row that do it: no connection, no answer, half an answer, or one of these statuses. Default 5.
    pub errors: u32,
    /// Default 502 and 504.
    ///
    /// These are what we would find ourselves, said by someone nearer: a server that passes requests on got no answer, or
    /// none in time. The others of 5xx are words about a request or a client (500 for one that an application cannot
    /// take, 503 where Nginx limits a client's rate), which whoever sends it could repeat until the server is left out;
    /// there only an operator knows what they mean.
    pub statuses: Failures,
    /// For how long; twice as long each time that follows soon. Default 10 s.
    pub eject: Duration,
    /// The longest. Default 5 min.
    pub eject_max: Duration,
    /// The share of the pool's servers that stays in rotation, in percent. Default 50.
    pub keep: u8,
}

impl Default for Passive {
    fn default() -> Self {
        let (eject, eject_max) = (Duration::from_secs(10), Duration::from_secs(300));
        let gateway = |status| Failures::NONE.with(status, status).unwrap_or_default();
        let statuses = gateway(502).with(504, 504).unwrap_or_default();
        Self { errors: 5, statuses, eject, eject_max, keep: 50 }
    }
}

/// `"off"`, or a table; `Some(None)` is off, `None` is wrong.
pub(super) fn passive(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Option<Passive>> {
    let usual = Passive::default();
    let Some(value) = value else { return Some(Some(usual)) };
    if value.get_ref().as_str() == Some("off") {
        return Some(None);
    }
    let mut table = Table::open("passive", value, problems)?;
    let errors = table.or("errors", usual.errors, value::times);
    let statuses = table.or("statuses", usual.statuses, statuses);
    let eject = table.optional("eject", value::wait);
    let eject_max = table.optional("eject_max", value::wait);
    let keep = table.or("keep", usual.keep, percent);
    let (eject, eject_max) = (eject?, eject_max?);
    let (shortest, longest) = (or(&eject, usual.eject), or(&eject_max, usual.eject_max));
    if shortest > longest {
        let (given, other) = if eject_max.is_some() { (eject_max, eject) } else { (eject, None) };
        let place = given.map_or(value.span(), |given| given.span());
        let (shortest, longest) = (duration_text(shortest), duration_text(longest));
        let message = format!("`eject` of {shortest} is longer than `eject_max` of {longest}");
        let problem = table.problems.error(place, message).help("correct one of the two");
        if let Some(other) = other {
            problem.other(other.span(), "`eject` is here");
        }
        table.finish();
        return None;
    }
    table.finish();
    Some(Some(Passive {
        errors: errors?,
        statuses: statuses?,
        eject: shortest,
        eject_max: longest,
        keep: keep?,
    }))
}

fn or(given: &Field<Duration>, usual: Duration) -> Duration {
    given.as_ref().map_or(usual, |given| *given.get_ref())
}

/// A list of statuses and ranges of them, which may be empty.
fn statuses(value: &DeValue<'_>) -> Result<Failures, Wrong> {
    let items = value.as_array().ok_or_else(|| {
        wrong_type("a list of statuses", value).help("write [502, 504], [\"500-599\"], or [] for none")
    })?;
    items.iter().try_fold(Failures::NONE, |set, item| {
        let (low, high) = value::status_range(item.get_ref())?;
        set.with(low, high).ok_or_else(|| {
            let message = format!("a status below 500 is no error of a server: {low}-{high}");
            Wrong::new(message).help("write statuses from 500 to 599")
        })
    })
}

/// `"off"`, or a share of the servers.
pub(super) fn panic(value: &DeValue<'_>) -> Result<Option<u8>, Wrong> {
    if value.as_str() == Some("off") { Ok(None) } else { percent(value).map(Some) }
}

/// The lines of both, as `vipd check --show` prints them.
pub(super) fn show(passive: Option<&Passive>, panic: Option<u8>) -> String {
    let passive = passive.map_or("\"off\"".to_owned(), |Passive { errors, statuses, eject, eject_max, keep }| {
        let (eject, eject_max) = (duration_text(*eject), duration_text(*eject_max));
        let range = |(low, high)| {
            if low == high { format!("{low}") } else { format!("\"{low}-{high}\"") }
        };
        let statuses = statuses.ranges().into_iter().map(range).collect::<Vec<_>>().join(", ");
        format!(
            "{{ errors = {errors}, statuses = [{statuses}], eject = \"{eject}\", eject_max = \"{eject_max}\", keep = \"{keep}%\" }}"
        )
    });
    let panic = panic.map_or("off".to_owned(), |share| format!("{share}%"));
    format!("passive = {passive}\npanic   = \"{panic}\"\n")
}
