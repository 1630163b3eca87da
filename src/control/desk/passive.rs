//! What live traffic says of a pool's servers, and what the desk does when few of them are left.

use std::time::Duration;

use super::{Effects, Pool, Watched};
use crate::config;
use crate::event::Event;
use crate::link::{ServerReport, ServerState};
use crate::pool::{Outliers, Rules, Tally, Verdict};
use crate::proxy::{Count, Stats};
use crate::vrrp::Time;

/// The part of a pool that its config calls `passive` and `panic`.
#[derive(Debug)]
pub(super) struct Passive {
    outliers: Option<Outliers>,
    /// The share of the servers below which all are used, in percent.
    share: Option<u8>,
    /// All are used.
    pub(super) panics: bool,
}

impl Passive {
    pub(super) fn new(pool: &config::Pool) -> Self {
        let rules = |passive: &config::Passive| {
            let config::Passive { errors, eject, eject_max, keep, .. } = *passive;
            Outliers::new(Rules { errors, eject, eject_max, keep }, pool.servers.len())
        };
        Self { outliers: pool.passive.as_ref().map(rules), share: pool.panic, panics: false }
    }

    /// Whether anybody wants to know what the cores have counted.
    pub(super) const fn counts(&self) -> bool {
        self.outliers.is_some()
    }

    fn is_out(&self, place: usize) -> bool {
        self.outliers.as_ref().is_some_and(|outliers| outliers.is_out(place))
    }
}

impl Pool {
    /// Whether a server is healthy and not left out.
    pub(super) fn serves(&self, place: usize, watched: &Watched) -> bool {
        watched.health.eligible() && !self.passive.is_out(place)
    }

    /// Takes in what the cores have counted.
    pub(super) fn counted(&mut self, now: Time, wall_ms: u64, counts: &[Count], out: &mut Effects) {
        let Some(outliers) = &mut self.passive.outliers else { return };
        let tally = |watched: &Watched| {
            let count = counts.get(watched.server.id.0).copied().unwrap_or_default();
            let (requests, errors) = (count.requests - count.failed, count.errors + count.failed);
            Tally { requests, errors, healthy: watched.health.eligible() }
        };
        let tallies: Vec<_> = self.servers.iter().map(tally).collect();
        let mut verdicts = Vec::new();
        outliers.handle(Duration::from_micros(now.as_micros()), &tallies, &mut verdicts);
        for verdict in verdicts {
            let pool = self.name.clone();
            let (Verdict::Ejected { server: place, .. } | Verdict::Returned { server: place }) = verdict;
            let watched = &mut self.servers[place];
            let server = watched.server.name.clone();
            watched.since_ms = wall_ms;
            out.events.push(match verdict {
                Verdict::Ejected { errors, length, .. } => {
                    let why = format!("{errors} errors in a row, back in {}", config::duration_text(length));
                    watched.left_out.clone_from(&why);
                    Event::ServerEjected { pool, server, why }
                }
                Verdict::Returned { .. } => Event::ServerReturned { pool, server },
            });
            out.publish = true;
            out.report = true;
        }
    }

    /// Begins or ends a panic. Before the first checks have ended there is nothing to panic about.
    pub(super) fn calm_or_panic(&mut self, out: &mut Effects) {
        let Some(share) = self.passive.share else { return };
        let known = self.servers.iter().all(|watched| watched.is_known());
        let panics = known && self.healthy().count() * 100 < self.servers.len() * usize::from(share);
        if panics != self.passive.panics {
            self.passive.panics = panics;
            out.events.push(Event::Panic { pool: self.name.clone(), begins: panics });
            out.publish = true;
            out.report = true;
        }
    }

    pub(super) fn reports(&self, stats: &Stats) -> Vec<ServerReport> {
        let report = |(place, watched): (usize, &Watched)| {
            let mut report = watched.report(stats);
            if self.passive.is_out(place) && watched.health.eligible() {
                report.state = ServerState::Ejected;
                report.reason.clone_from(&watched.left_out);
            }
            report
        };
        self.servers.iter().enumerate().map(report).collect()
    }
}
