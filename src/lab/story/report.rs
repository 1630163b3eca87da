//! The table at the end, and whether everything happened as it should.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::narrator::millis;
use super::world::{APPS, BACKUP, TARGETS};
use crate::lab::Tally;
use crate::vrrp::timing::{active_down_interval, skew_time};
use crate::vrrp::{Centis, Span, Version};

/// One event of the story and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What happened.
    pub(super) event: String,
    /// From the event to the first advert of the new Active; `None` when the address does not move.
    pub(super) takeover: Option<Duration>,
    /// The requests from the event until all was well again.
    pub(super) tally: Tally,
}

/// What the story comes to.
#[derive(Debug)]
pub(super) struct Report {
    /// How long lb2 waits in silence.
    down: Span,
    /// How long lb2 waits after a priority 0.
    skew: Span,
    rows: Vec<Row>,
    round_robin: BTreeMap<(usize, String), usize>,
    complaints: Vec<String>,
}

impl Report {
    /// An empty one of a story with adverts every `interval`.
    pub(super) const fn new(interval: Centis) -> Self {
        let down = active_down_interval(Version::V3, BACKUP, interval);
        let skew = skew_time(Version::V3, BACKUP, interval);
        Self { down, skew, rows: Vec::new(), round_robin: BTreeMap::new(), complaints: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The counts of the steady state.
    pub(super) fn round_robin(&mut self, served: BTreeMap<(usize, String), usize>) {
        self.round_robin = served;
    }

    /// Something that is not as it should be.
    pub(super) fn complain(&mut self, what: String) {
        self.complaints.push(what);
    }

    /// Whether everything happened as it should.
    pub(super) fn is_good(&self) -> bool {
        self.complaints.is_empty() && !self.rows.is_empty()
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        writeln!(
            f,
            "{:<34}{:>18}{:>18}{:>14}",
            "event", "time to take over", "requests failed", "longest gap"
        )?;
        writeln!(f, "{}", "─".repeat(84))?;
        for row in &self.rows {
            let takeover = row.takeover.map_or_else(|| "–".to_owned(), millis);
            let failed = format!("{} of {}", row.tally.failed, row.tally.requests);
            let gap = millis(row.tally.longest_gap);
            writeln!(f, "{:<34}{takeover:>18}{failed:>18}{gap:>14}", row.event)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "time to take over: from the event to the first advert of the node that takes over. In silence, lb2"
        )?;
        let [down, skew] = [self.down, self.skew].map(|span| millis(span.as_duration()));
        writeln!(
            f,
            "waits {down} (Active_Down_Interval) from the last advert; after a priority 0, {skew} (Skew_Time)."
        )?;
        writeln!(
            f,
            "longest gap: the longest time in which no request of the client succeeded (one every 2 ms)."
        )?;
        writeln!(f)
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nRound robin in the steady state (answers by each application server)")?;
        write!(f, "  {:<22}", "")?;
        for app in APPS {
            write!(f, "{app:>8}")?;
        }
        writeln!(f)?;
        for (target, (port, name)) in TARGETS.iter().enumerate() {
            write!(f, "  port {port} ({name}){:<8}", "")?;
            for app in APPS {
                let count = self.round_robin.get(&(target, app.to_owned())).copied().unwrap_or(0);
                write!(f, "{count:>8}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.round_robin.is_empty() {
            self.counts(f)?;
        }
        if !self.rows.is_empty() {
            self.table(f)?;
        }
        if self.complaints.is_empty() {
            return write!(f, "Everything happened as it should.");
        }
        write!(f, "Not as it should be:")?;
        self.complaints.iter().try_for_each(|what| write!(f, "\n  {what}"))
    }
}
