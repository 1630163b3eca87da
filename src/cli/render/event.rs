//! An event as one line.

use crate::event::Stamped;

use super::time::utc;

/// One line whatever the words are: `2026-11-20T15:58:56.123Z lb1 web: Backup → Active: no advert for 361 ms`.
pub(crate) fn line(stamped: &Stamped) -> String {
    let event = stamped.event.to_string().replace(char::is_control, "?");
    format!("{} {} {event}", utc(stamped.at_ms), stamped.node)
}
