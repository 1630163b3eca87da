//! Lengths of time and sizes as people write them: a number and its unit.

use std::time::Duration;

use crate::vrrp::Centis;

use super::problem::Wrong;

/// Longer than any wait that makes sense here; keeps sums of durations far from overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

const TIME_UNITS: [(&str, u64); 5] =
    [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A duration as the config writes it: `100ms`, `1.5s`, `1m`; units are us, ms, s, m and h, at most 24 h.
///
/// # Errors
/// What is wrong with it and what to write, one line.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(one_line)
}

/// An advert interval as the config writes it: whole hundredths of a second, 10ms to 40.95s.
///
/// # Errors
/// What is wrong with it and what to write, one line.
pub fn advert_interval(text: &str) -> Result<Centis, String> {
    parse_advert_interval(text).map_err(one_line)
}

/// The shortest spelling that [`duration`] reads as exactly this length: `100ms`, `1.5s`, `1m`. Parts of a
/// microsecond are left out.
pub fn duration_text(length: Duration) -> String {
    let micros = length.as_micros();
    let whole = |unit: u128| micros > 0 && micros.is_multiple_of(unit);
    match micros {
        _ if whole(3_600_000_000) => format!("{}h", micros / 3_600_000_000),
        _ if whole(60_000_000) => format!("{}m", micros / 60_000_000),
        0 => "0s".to_owned(),
        1_000_000.. => with_decimals(micros, 1_000_000, "s"),
        1_000.. => with_decimals(micros, 1_000, "ms"),
        _ => format!("{micros}us"),
    }
}

/// The shortest spelling that is read as exactly this many bytes: `32KiB`.
pub(super) fn size_text(bytes: u64) -> String {
    let unit = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or(format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    let (number, unit) = split(text);
    let not_one = || Wrong::new(format!("`{text}` is not a length of time"));
    let Some((_, nanos)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(not_one().help(match (unit, meant_time_unit(unit)) {
            ("", _) if !number.is_empty() => format!("write a unit: \"{number}ms\" or \"{number}s\""),
            (_, Some(meant)) => format!("write \"{number}{meant}\""),
            _ => "write a number and us, ms, s, m or h: \"100ms\", \"1.5s\"".to_owned(),
        }));
    };
    let nanos = scaled(number, *nanos)
        .ok_or_else(|| not_one().help("write it like \"100ms\", \"1.5s\" or \"1m\""))?;
    let length = Duration::from_nanos(nanos);
    if length > LONGEST {
        return Err(Wrong::new(format!("`{text}` is longer than 24h")).help("write at most \"24h\""));
    }
    Ok(length)
}

pub(super) fn parse_advert_interval(text: &str) -> Result<Centis, Wrong> {
    let length = parse_duration(text)?;
    let micros = length.as_micros();
    if !micros.is_multiple_of(10_000) {
        let (down, up) = (micros / 10_000 * 10, micros / 10_000 * 10 + 10);
        return Err(Wrong::new("an advert interval is sent in whole hundredths of a second")
            .help(format!("write \"{down}ms\" or \"{up}ms\"")));
    }
    u16::try_from(micros / 10_000).ok().and_then(Centis::new).ok_or_else(|| {
        Wrong::new(format!("`{text}` is outside the intervals of VRRP version 3"))
            .help("write \"10ms\" to \"40.95s\"; 100ms takes over in about 0.36 s")
    })
}

pub(super) fn parse_size(text: &str) -> Result<u64, Wrong> {
    let (number, unit) = split(text);
    let not_one = || Wrong::new(format!("`{text}` is not a size"));
    let Some((_, bytes)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = match unit.to_ascii_lowercase().as_str() {
            "m" | "mb" | "mib" => "MiB",
            "g" | "gb" | "gib" => "GiB",
            _ => "KiB",
        };
        let number = if number.is_empty() { "32" } else { number };
        return Err(not_one().help(format!("write a unit: \"{number}{meant}\"")));
    };
    scaled(number, *bytes).ok_or_else(|| not_one().help("write it like \"32KiB\" or \"1.5MiB\""))
}

fn one_line(wrong: Wrong) -> String {
    match wrong.help {
        Some(help) => format!("{}; {help}", wrong.message),
        None => wrong.message,
    }
}

fn meant_time_unit(unit: &str) -> Option<&'static str> {
    match unit.trim().to_ascii_lowercase().as_str() {
        "us" | "usec" | "µs" | "micros" => Some("us"),
        "ms" | "msec" | "msecs" | "millis" => Some("ms"),
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("m"),
        "h" | "hr" | "hour" | "hours" => Some("h"),
        _ => None,
    }
}

/// The number in front and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// `number` times `unit`, when that is a whole number.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 9 {
        return None;
    }
    let one = 10_u64.pow(u32::try_from(decimals.len()).ok()?);
    let part = u128::from(decimals.parse::<u64>().ok()?) * u128::from(unit);
    let total = u128::from(whole.parse::<u64>().ok()?) * u128::from(unit) + part / u128::from(one);
    u64::try_from(total).ok().filter(|_| part.is_multiple_of(u128::from(one)))
}

/// `1500 / 1000` as `1.5`, without trailing zeros.
fn with_decimals(value: u128, unit: u128, name: &str) -> String {
    let width = unit.to_string().len() - 1;
    let decimals = format!("{:0width$}", value % unit);
    match decimals.trim_end_matches('0') {
        "" => format!("{}{name}", value / unit),
        decimals => format!("{}.{decimals}{name}", value / unit),
    }
}
