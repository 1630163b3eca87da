//! Decoders: one TOML value to what it means. Each says what is wrong and what to write instead.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use crate::vrrp::wire::Password;
use crate::vrrp::{Centis, Preempt, Priority, Span, Version, Vrid};

use super::nearest::nearest;
use super::problem::Wrong;
use super::quantity;
use super::table::wrong_type;
use super::valid::{Garp, Mode, Transport};

/// The decoder of a string that `parse` understands.
pub(super) fn of_text<T>(
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> impl Fn(&DeValue<'_>) -> Result<T, Wrong> {
    move |value| parse(text(value)?)
}

/// A name: letters, digits, `-`, `_` and `.`, so that it can stand in a command, a log line and a table.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(Wrong::new(format!("`{}` is no name", name.escape_debug()))
            .help("write 1 to 64 letters, digits, `-`, `_` or `.`"));
    }
    Ok(name.to_owned())
}

/// A network interface: 1 to 15 bytes (IFNAMSIZ of linux/if.h, its zero byte taken off) of printable ASCII
/// without `/` and `:`, which the kernel refuses or reads as an alias.
pub(super) fn interface(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    let odd = |c: char| !c.is_ascii_graphic() || "/:".contains(c);
    if name.is_empty() || name.len() > 15 || name.chars().any(odd) || matches!(name, "." | "..") {
        return Err(Wrong::new(format!("`{}` cannot be an interface", name.escape_debug()))
            .help("write its name as `ip link` shows it, at most 15 bytes: \"eth0\""));
    }
    Ok(name.to_owned())
}

pub(super) fn vrid(value: &DeValue<'_>) -> Result<Vrid, Wrong> {
    let id = integer(value, 1..=255, "a virtual router id")?;
    u8::try_from(id).ok().and_then(Vrid::new).ok_or_else(|| Wrong::new("a virtual router id is 1 to 255"))
}

pub(super) fn priority(value: &DeValue<'_>) -> Result<Priority, Wrong> {
    let priority = integer(value, 1..=255, "a priority").map_err(|wrong| match whole(value) {
        Some(0) => {
            wrong.help("0 is what a node sends when it gives up; write 2 to 254, or 255 for the owner")
        }
        Some(_) => wrong.help("write 2 to 254, or 255 for the owner of the addresses"),
        None => wrong,
    })?;
    u8::try_from(priority).map(Priority::new).map_err(|_| Wrong::new("a priority is 1 to 255"))
}

pub(super) fn weight(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let weight = integer(value, 1..=256, "a weight").map_err(|wrong| {
        if whole(value) == Some(0) {
            wrong.help("a server that shall get no requests is left out of the file")
        } else {
            wrong
        }
    })?;
    u16::try_from(weight).map_err(|_| Wrong::new("a weight is 1 to 256"))
}

/// How many checks in a row.
pub(super) fn times(value: &DeValue<'_>) -> Result<u32, Wrong> {
    let times = integer(value, 1..=1_000, "a number of checks")?;
    u32::try_from(times).map_err(|_| Wrong::new("a number of checks is 1 to 1000"))
}

/// The decoder of a number of things called `what`.
pub(super) fn count(
    what: &'static str,
    range: RangeInclusive<i64>,
) -> impl Fn(&DeValue<'_>) -> Result<usize, Wrong> {
    move |value| {
        let count = integer(value, range.clone(), what)?;
        usize::try_from(count).map_err(|_| Wrong::new(format!("{count} does not fit into memory")))
    }
}

/// A length of time, zero included.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    bare_number(value, "a length of time needs a unit", "s")?;
    quantity::parse_duration(text(value)?)
}

/// The same, as the protocol counts it.
pub(super) fn span(value: &DeValue<'_>) -> Result<Span, Wrong> {
    duration(value).map(in_micros)
}

fn in_micros(time: Duration) -> Span {
    Span::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// A length of time that is not zero.
pub(super) fn wait(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let wait = duration(value)?;
    if wait < Duration::from_millis(1) {
        return Err(Wrong::new("this must be at least 1ms"));
    }
    Ok(wait)
}

pub(super) fn advert_interval(value: &DeValue<'_>) -> Result<Centis, Wrong> {
    bare_number(value, "a length of time needs a unit", "ms")?;
    quantity::parse_advert_interval(text(value)?)
}

/// A size in bytes.
pub(super) fn size(value: &DeValue<'_>) -> Result<u64, Wrong> {
    bare_number(value, "a size needs a unit", "KiB")?;
    quantity::parse_size(text(value)?)
}

/// Whether a better node takes over: `"always"`, `"never"` or `{ after = "30s" }`.
pub(super) fn preempt(value: &DeValue<'_>) -> Result<Preempt, Wrong> {
    if let Some(table) = value.as_table() {
        let (Some(after), 1) = (table.get("after"), table.len()) else {
            return Err(Wrong::new("this table has one key, `after`").help("write { after = \"30s\" }"));
        };
        return Ok(Preempt::After(in_micros(wait(after.get_ref())?)));
    }
    match one_of(value, &["always", "never"], &[])? {
        "never" => Ok(Preempt::Never),
        _ => Ok(Preempt::Always),
    }
}

/// The protocol version: 3 or 2.
pub(super) fn version(value: &DeValue<'_>) -> Result<Version, Wrong> {
    match whole(value) {
        Some(3) => Ok(Version::V3),
        Some(2) => Ok(Version::V2),
        _ => Err(Wrong::new("a version of VRRP is 3 or 2").help("write 3, or leave the key out")),
    }
}

/// What a frontend speaks.
pub(super) fn mode(value: &DeValue<'_>) -> Result<Mode, Wrong> {
    match one_of(value, &["http", "tcp"], &[])? {
        "tcp" => Ok(Mode::Tcp),
        _ => Ok(Mode::Http),
    }
}

/// Where adverts go.
pub(super) fn transport(value: &DeValue<'_>) -> Result<Transport, Wrong> {
    match one_of(value, &["multicast", "unicast"], &[])? {
        "unicast" => Ok(Transport::Unicast),
        _ => Ok(Transport::Multicast),
    }
}

/// The form of a gratuitous ARP.
pub(super) fn garp(value: &DeValue<'_>) -> Result<Garp, Wrong> {
    match one_of(value, &["request", "reply", "both"], &[])? {
        "reply" => Ok(Garp::Reply),
        "both" => Ok(Garp::Both),
        _ => Ok(Garp::Request),
    }
}

/// How often addresses are announced again: a length of time of at least a second, or `"off"`.
pub(super) fn garp_refresh(value: &DeValue<'_>) -> Result<Option<Span>, Wrong> {
    if value.as_str() == Some("off") {
        return Ok(None);
    }
    let every = duration(value)?;
    if every < Duration::from_secs(1) {
        return Err(Wrong::new("announcing again more often than once a second floods the network")
            .help("write \"60s\", at least \"1s\", or \"off\""));
    }
    Ok(Some(Span::from_micros(u64::try_from(every.as_micros()).unwrap_or(u64::MAX))))
}

/// Whether the network is asked who else answers for the addresses.
pub(super) fn verify(value: &DeValue<'_>) -> Result<bool, Wrong> {
    Ok(one_of(value, &["on", "off"], &[])? == "on")
}

/// A password of version 2: one to eight bytes, filled up with zeros (RFC 2338 §5.3.6.2).
pub(super) fn password(value: &DeValue<'_>) -> Result<Password, Wrong> {
    let bytes = text(value)?.as_bytes();
    let mut password = Password::default();
    match password.get_mut(..bytes.len()) {
        Some(room) if !bytes.is_empty() => room.copy_from_slice(bytes),
        Some(_) | None => {
            return Err(Wrong::new("a password of version 2 has one to eight bytes")
                .help("peers cut longer ones off: write the first eight"));
        }
    }
    Ok(password)
}

/// `true` or `false`.
pub(super) fn switch(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| wrong_type("true or false", value))
}

/// The request target of a check (RFC 9112 §3.2.1, origin-form).
pub(super) fn path(value: &DeValue<'_>) -> Result<String, Wrong> {
    let path = text(value)?;
    if !path.starts_with('/') {
        return Err(
            Wrong::new(format!("`{}` is no path", path.escape_debug())).help("begin it with /: \"/health\"")
        );
    }
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
        return Err(Wrong::new("a path has no spaces, no `#` and only ASCII")
            .help("write other characters as %20 and the like"));
    }
    Ok(path.to_owned())
}

/// The Host header of a check (RFC 9110 §7.2).
pub(super) fn host(value: &DeValue<'_>) -> Result<String, Wrong> {
    let host = text(value)?;
    if host.is_empty() || host.bytes().any(|byte| !byte.is_ascii_graphic() || b"/?#@".contains(&byte)) {
        return Err(Wrong::new(format!("`{}` is no host", host.escape_debug()))
            .help("write a name with or without a port: \"app.example.com\""));
    }
    Ok(host.to_owned())
}

/// A user of the system.
pub(super) fn user(value: &DeValue<'_>) -> Result<String, Wrong> {
    let user = text(value)?;
    if user.is_empty() || user.bytes().any(|byte| !byte.is_ascii_graphic() || b":/,".contains(&byte)) {
        return Err(
            Wrong::new(format!("`{}` is no user", user.escape_debug())).help("write a user's name: \"vipd\"")
        );
    }
    Ok(user.to_owned())
}

/// Expected statuses: `200`, `"200-399"`, or a list of these.
pub(super) fn statuses(value: &DeValue<'_>) -> Result<Vec<(u16, u16)>, Wrong> {
    match value.as_array() {
        Some(items) if items.is_empty() => Err(Wrong::new("no status would count as success")),
        Some(items) => items.iter().map(|item| status_range(item.get_ref())).collect(),
        None => status_range(value).map(|range| vec![range]),
    }
}

pub(super) fn status_range(value: &DeValue<'_>) -> Result<(u16, u16), Wrong> {
    let wrong = |what: &dyn Display| {
        Wrong::new(format!("`{what}` is no status and no range of statuses"))
            .help("write 200, \"200-399\" or [200, \"300-399\"], within 100-599")
    };
    let text = match (whole(value), value.as_str()) {
        (Some(status), _) => status.to_string(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => return Err(wrong_type("a status such as 200 or \"200-399\"", value)),
    };
    let (low, high) = text.split_once('-').unwrap_or((&text, &text));
    match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
        (Ok(low), Ok(high)) if 100 <= low && low <= high && high <= 599 => Ok((low, high)),
        _ => Err(wrong(&text)),
    }
}

/// The full path of a file.
pub(super) fn full_path(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text);
    let odd = |c: char| !c.is_ascii_graphic() && !c.is_alphanumeric() && c != ' ';
    if !path.is_absolute() || text.ends_with('/') || text.contains(odd) {
        return Err(Wrong::new(format!("`{}` is not the full path of a file", text.escape_debug())));
    }
    Ok(path)
}

/// Any string.
pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Wrong> {
    value.as_str().ok_or_else(|| wrong_type("a string in quotes", value))
}

/// One of the words of this release; `later` ones are known but not there yet.
pub(super) fn one_of(
    value: &DeValue<'_>,
    words: &[&'static str],
    later: &[&str],
) -> Result<&'static str, Wrong> {
    let text = text(value)?;
    if let Some(word) = words.iter().find(|word| **word == text) {
        return Ok(word);
    }
    let known = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    if later.contains(&text) {
        return Err(
            Wrong::new(format!("this release does not have \"{text}\" yet")).help(format!("write {known}"))
        );
    }
    let wrong = Wrong::new(format!("`{}` is not known here", text.escape_debug()));
    Err(match nearest(text, words.iter().copied()) {
        Some(meant) => wrong.help(format!("did you mean \"{meant}\"?")),
        None => wrong.help(format!("write {known}")),
    })
}

/// An integer of the file that fits into 64 bits.
fn whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

pub(super) fn integer(value: &DeValue<'_>, range: RangeInclusive<i64>, what: &str) -> Result<i64, Wrong> {
    if !value.is_integer() {
        let quoted = value.as_str().filter(|text| text.parse::<i64>().is_ok());
        let wrong = wrong_type(&format!("{what}, an integer without quotes"), value);
        return Err(match quoted {
            Some(number) => wrong.help(format!("write {number}")),
            None => wrong,
        });
    }
    whole(value).filter(|number| range.contains(number)).ok_or_else(|| {
        Wrong::new(format!("{what} is {} to {}", range.start(), range.end())).help(format!(
            "write a number from {} to {}",
            range.start(),
            range.end()
        ))
    })
}

/// Refuses a number that has no unit, and says how it would be written.
fn bare_number(value: &DeValue<'_>, why: &str, unit: &str) -> Result<(), Wrong> {
    let number = match value {
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            return Ok(());
        }
    };
    Err(Wrong::new(why).help(format!("write \"{number}{unit}\" with its unit, in quotes")))
}
