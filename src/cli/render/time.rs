//! Moments and lengths of time for people. UTC throughout: two nodes and a log can be compared.

const DAY: u64 = 86_400;

/// A moment to the millisecond, as RFC 3339 writes it: `2026-11-20T15:58:56.123Z`.
pub(crate) fn utc(ms: u64) -> String {
    let (date, time) = split(ms / 1_000);
    format!("{date}T{time}.{:03}Z", ms % 1_000)
}

/// A moment to the second, for reading: `2026-11-20 15:58:56 UTC`.
pub(crate) fn utc_seconds(ms: u64) -> String {
    let (date, time) = split(ms / 1_000);
    format!("{date} {time} UTC")
}

/// How long ago `then` was, in one or two units: `40 ms`, `7 s`, `3 min 20 s`, `2 h 14 min`, `12 d 4 h`.
pub(crate) fn age(now_ms: u64, then_ms: u64) -> String {
    let ms = now_ms.saturating_sub(then_ms);
    let two = |value: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{value} {unit}"),
        rest => format!("{value} {unit} {rest} {small}"),
    };
    match ms / 1_000 {
        0 => format!("{ms} ms"),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        seconds @ 3_600..DAY => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        seconds => two(seconds / DAY, "d", seconds % DAY / 3_600, "h"),
    }
}

/// Date and time of day of a second since the epoch.
fn split(seconds: u64) -> (String, String) {
    let (year, month, day) = civil(seconds / DAY);
    let of_day = seconds % DAY;
    let (hour, minute, second) = (of_day / 3_600, of_day % 3_600 / 60, of_day % 60);
    (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}:{second:02}"))
}

/// The civil date of a day since 1970-01-01. Years are counted from March, so that the leap day comes last
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468; // from 0000-03-01
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}
