//! Files that are replaced while the process runs. Nobody says when: somebody looks, every [`LOOK`].

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often files are looked at.
pub const LOOK: Duration = Duration::from_secs(2);

/// Files that are read together.
#[derive(Debug)]
pub struct Watch {
    files: Vec<PathBuf>,
    /// As they were when they were last read.
    read: Vec<Stamp>,
    /// And as they were at the last look: who replaces two files is given the time between two looks.
    seen: Vec<Stamp>,
}

/// What changes when a file does; `None` while there is none.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Watch {
    /// Begins before they are read for the first time: a change in between is seen at the first look.
    #[must_use]
    pub fn new(files: Vec<PathBuf>) -> Self {
        let read = stamps(&files);
        Self { files, seen: read.clone(), read }
    }

    /// Whether they have to be read again: they have changed, and nobody was at it between the last two looks. Whatever
    /// comes of it, they count as read.
    pub fn has_changed(&mut self) -> bool {
        let now = stamps(&self.files);
        let settled = now == self.seen;
        self.seen = now;
        let changed = settled && self.seen != self.read;
        if changed {
            self.read.clone_from(&self.seen);
        }
        changed
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}
