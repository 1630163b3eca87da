//! What went wrong while the lab was built or used, in words for whoever runs it.

use std::fmt;

/// What went wrong: a first line that names what was tried, what the kernel or the program said, and what to do where that is
/// known; then, perhaps, logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// An error in these words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Its first line: without the status and the log that may follow.
    pub fn headline(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    /// For `map_err`: "`what`: the cause".
    pub(crate) fn at<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
