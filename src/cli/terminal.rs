//! What a terminal takes: colours, and words beside the result.

use std::io::{IsTerminal, Write};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Text alone.
    Plain,
    /// Text with ANSI colours.
    Colour,
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// As it should be.
    Good,
    /// Worth a look.
    Watch,
    /// Trouble.
    Bad,
    /// What the eye looks for first.
    Head,
    /// What may be skipped.
    Faint,
}

impl Style {
    /// Colours on a terminal that knows them, unless `$NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        if stream.is_terminal() && !dumb && set("NO_COLOR").is_none() { Self::Colour } else { Self::Plain }
    }

    /// `text` in a colour, or as it is.
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good => "32",
            Ink::Watch => "33",
            Ink::Bad => "1;31",
            Ink::Head => "1",
            Ink::Faint => "2",
        };
        match self {
            Self::Colour if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Colour | Self::Plain => text.to_owned(),
        }
    }
}

/// Tells the operator something on standard error; nothing when it is empty. When even that is closed there
/// is nobody left to tell.
pub(crate) fn say(words: &str) {
    if !words.is_empty() {
        let _nobody_listens = writeln!(std::io::stderr(), "{}", words.trim_end());
    }
}
