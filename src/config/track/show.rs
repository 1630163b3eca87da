//! `track` and `notify` with every default stated, as `vipd check --show` prints them.

use super::super::quantity::duration_text;
use super::{Command, Hook, Pace, Tracked, Tracker};

/// The lines `track = [..]` and `notify = {..}`, the keys as wide as the others of their table.
pub(in super::super) fn lines(track: &[Tracker], notify: Option<&Hook>) -> String {
    let items: String = track.iter().map(|item| format!("  {},\n", tracker(item))).collect();
    let track = if items.is_empty() { "[]".to_owned() } else { format!("[\n{items}]") };
    format!("track           = {track}\nnotify          = {}\n", notify.map_or("[]".to_owned(), hook))
}

fn tracker(tracker: &Tracker) -> String {
    let what = match &tracker.what {
        Tracked::Interface(name) => format!("interface = {name:?}"),
        Tracked::Pool { name, healthy, .. } => format!("pool = {name:?}, healthy = \"{healthy}%\""),
        Tracked::Script { command, pace } => {
            let Command { words, user } = command;
            format!("script = {}, {}, user = {}", list(words), self::pace(pace), quoted(user))
        }
        Tracked::File { path, interval } => {
            let (path, interval) = (quoted(&path.to_string_lossy()), duration_text(*interval));
            format!("file = {path}, interval = \"{interval}\"")
        }
        Tracked::Gateway { address, pace } => format!("gateway = \"{address}\", {}", self::pace(pace)),
    };
    let cost = tracker.cost.map_or(String::new(), |cost| format!(", priority = -{cost}"));
    format!("{{ {what}{cost} }}")
}

fn pace(pace: &Pace) -> String {
    let Pace { interval, timeout, rise, fall } = pace;
    let (interval, timeout) = (duration_text(*interval), duration_text(*timeout));
    format!("interval = \"{interval}\", timeout = \"{timeout}\", rise = {rise}, fall = {fall}")
}

fn hook(hook: &Hook) -> String {
    let Command { words, user } = &hook.command;
    let timeout = duration_text(hook.timeout);
    format!("{{ run = {}, user = {}, timeout = \"{timeout}\" }}", list(words), quoted(user))
}

/// A TOML list of strings.
pub(in super::super) fn list(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// A TOML basic string: an operator's words may hold anything.
pub(in super::super) fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            '"' | '\\' => format!("\\{letter}"),
            letter if letter.is_control() => format!("\\u{:04X}", u32::from(letter)),
            letter => letter.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}
