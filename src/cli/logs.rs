//! Where the log of the long-running commands goes: standard error, for the journal or a terminal.

use std::io::stderr;

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing_subscriber::EnvFilter;

use super::terminal::Style;

/// Sends the log to standard error from now on: `$VIPD_LOG` says how much (`info` unless set; `debug`, or
/// `info,vipd::ha=debug`; no release has more than `debug`). The journal stamps the time itself, so there it is left out.
pub(crate) fn start() {
    let wanted = std::env::var("VIPD_LOG").unwrap_or_default();
    let wanted = within(&wanted, STATIC_MAX_LEVEL);
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).parse_lossy(wanted);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(Style::of(&stderr()) == Style::Colour)
        .with_target(false);
    // systemd.exec(5): JOURNAL_STREAM is set when standard error is the journal.
    let started = if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().try_init()
    } else {
        log.try_init()
    };
    // A second start in one process keeps the first log, which is as good.
    drop(started);
}

/// As much of what is wanted as this build has. Whoever asks for more would be told, in colours, how to build another.
fn within(wanted: &str, most: LevelFilter) -> String {
    if most == LevelFilter::TRACE { wanted.to_owned() } else { wanted.replace("trace", "debug") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_traces_gives_what_it_has() {
        let wanted = "info,h2=trace";
        assert_eq!(within(wanted, LevelFilter::TRACE), wanted);
        assert_eq!(within(wanted, LevelFilter::DEBUG), "info,h2=debug");
    }
}
