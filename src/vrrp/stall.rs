//! When a node has been away for so long that it must not act on what it believed before (a stopped process, a paused
//! virtual machine, a suspended computer, a starved processor).

use super::timing::active_down_interval;
use super::{Centis, Priority, Span, Time, Version};

/// How long an Active has been silent, when it is so long that a peer may have taken its place: Active_Down_Interval of
/// the lowest priority, by which every peer has. Before that an advert may still come in time, unless another one
/// advertises already (`replaced`): then Active_Down_Interval of the highest counts, before which nobody has.
pub(super) fn of_active(
    version: Version,
    interval: Centis,
    last_advert: Time,
    replaced: bool,
    now: Time,
) -> Option<Span> {
    let silent = now.since(last_advert);
    let peer = if replaced { Priority::OWNER } else { Priority::UNFIT };
    (silent >= active_down_interval(version, peer, interval)).then_some(silent)
}

/// Whether a Backup comes to its deadline so late that an advert was due in between which nobody could receive for it.
pub(super) fn of_backup(interval: Centis, deadline: Time, now: Time) -> bool {
    now.since(deadline) >= interval.span()
}
