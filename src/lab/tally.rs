//! What a stretch of traffic comes to: pure arithmetic over exchanges.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Exchange, Moment};

/// The sum of the requests that were sent in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests sent.
    pub requests: usize,
    /// Those that were not answered with status 200 in time.
    pub failed: usize,
    /// The longest time during which no request that was sent succeeded: between the sending of one that did and the
    /// sending of the next that did, the ends of the stretch included.
    pub longest_gap: Duration,
    /// Requests that succeeded, by target and by the server that answered.
    pub served: BTreeMap<(usize, String), usize>,
    /// Requests that failed, by reason.
    pub reasons: BTreeMap<String, usize>,
}

impl Tally {
    /// Those that failed because their time was up. A machine that is busy with other things makes some of them.
    #[must_use]
    pub fn late(&self) -> usize {
        self.reasons.get("timed out").copied().unwrap_or_default()
    }

    /// The tally of those of `exchanges` that were sent at or after `from` and before `to`.
    pub fn of(exchanges: &[Exchange], from: Moment, to: Moment) -> Self {
        let mut tally = Self::default();
        let mut successes = Vec::new();
        for exchange in exchanges.iter().filter(|exchange| from <= exchange.sent && exchange.sent < to) {
            tally.requests += 1;
            match exchange.outcome.failure() {
                None => {
                    successes.push(exchange.sent);
                    let by = exchange.outcome.server().unwrap_or("?").to_owned();
                    *tally.served.entry((exchange.target, by)).or_default() += 1;
                }
                Some(why) => {
                    tally.failed += 1;
                    *tally.reasons.entry(why).or_default() += 1;
                }
            }
        }
        tally.longest_gap = longest_gap(successes, from, to);
        tally
    }
}

/// Exchanges come in the order of their ends; gaps are between their starts.
fn longest_gap(mut successes: Vec<Moment>, from: Moment, to: Moment) -> Duration {
    successes.sort_unstable();
    let starts = std::iter::once(from).chain(successes.iter().copied());
    let ends = successes.iter().copied().chain([to]);
    starts.zip(ends).map(|(start, end)| end.since(start)).max().unwrap_or_default()
}
