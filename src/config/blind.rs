//! What a frontend that speaks TCP asks of a pool in vain: nothing of a request is known there.

use std::ops::Range;

use super::balance::{Balance, HashKey};
use super::pools::Pool;
use super::problem::Problems;
use super::raw::{File, Frontend};
use super::resolve::index_of;
use super::valid::Mode;

/// Records pools that choose by requests behind frontends that see none.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    for frontend in file.frontends.iter().filter(|frontend| frontend.mode == Some(Mode::Tcp)) {
        let names =
            [&frontend.pool, &frontend.sorry_pool].into_iter().filter_map(|name| name.as_ref()?.as_ref());
        for pool in names.filter_map(|name| file.pools.get(index_of(file, name.get_ref())?)) {
            for (place, what) in in_vain(pool) {
                object(place, what, frontend, problems);
            }
        }
    }
}

/// What of a pool needs requests to be seen, with its place.
fn in_vain(pool: &Pool) -> impl Iterator<Item = (Range<usize>, &'static str)> {
    let hashes = match &pool.balance {
        Some(Balance::Hash(HashKey::Path)) => Some("hash a path"),
        Some(Balance::Hash(HashKey::Header(_))) => Some("hash a header"),
        Some(Balance::Hash(HashKey::Cookie(_))) => Some("hash a cookie"),
        Some(
            Balance::Hash(HashKey::Source)
            | Balance::RoundRobin
            | Balance::LeastConnections
            | Balance::Random,
        )
        | None => None,
    };
    let sticks = matches!(pool.sticky, Some(Some(_))).then_some("keep clients by a cookie");
    let places = [pool.balance_place.clone(), pool.sticky_place.clone()];
    places.into_iter().zip([hashes, sticks]).filter_map(|(place, what)| Some((place?, what?)))
}

fn object(place: Range<usize>, what: &str, frontend: &Frontend, problems: &mut Problems<'_>) {
    let message = format!("a frontend with mode = \"tcp\" uses this pool, and cannot {what}");
    let problem = problems.error(place, message).help(
        "use balance = \"source\" without `sticky`, or a pool of its own for the frontend, or mode = \"http\"",
    );
    if let Some(mode) = frontend.mode_place.clone() {
        problem.other(mode, "the mode is here");
    }
}
