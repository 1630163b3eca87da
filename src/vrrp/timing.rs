//! Every formula of the protocol's timers (RFC 9568 §6.1), in integer microseconds.

use super::{Centis, Priority, Span, Version};

/// How many silent intervals make an Active dead.
const DOWN_INTERVALS: u64 = 3;

/// Skew_Time: "(((256 - Priority) * Active_Adver_Interval) / 256)" (RFC 9568 §6.1). The better a Backup, the
/// sooner it moves. In version 2 it is "((256 - Priority) / 256)" seconds whatever the interval (RFC 3768 §6.1).
pub const fn skew_time(version: Version, priority: Priority, active_adver_interval: Centis) -> Span {
    let slack = 256 - priority.get() as u64;
    let whole = match version {
        Version::V2 => 1_000_000,
        Version::V3 => active_adver_interval.span().as_micros(),
    };
    Span::from_micros(slack * whole / 256)
}

/// Active_Down_Interval: "(3 * Active_Adver_Interval) + Skew_Time" (RFC 9568 §6.1, RFC 3768 §6.1).
pub const fn active_down_interval(
    version: Version,
    priority: Priority,
    active_adver_interval: Centis,
) -> Span {
    let silence = active_adver_interval.span().times(DOWN_INTERVALS).as_micros();
    Span::from_micros(silence + skew_time(version, priority, active_adver_interval).as_micros())
}
