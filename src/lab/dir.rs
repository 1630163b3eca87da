//! The directory with the lab's configs, logs and sockets.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Error;

/// A directory that is removed with everything in it when this value is dropped.
#[derive(Debug)]
pub struct LabDir {
    path: PathBuf,
    ours: bool,
}

impl LabDir {
    /// A new directory under the system's temporary directory (`$TMPDIR`, else `/tmp`).
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn temporary() -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!("vipd-lab-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, ours: true }),
                // Another PID namespace has the same process id and the same directory.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::new(format!("creating {}: {error}", path.display()))),
            }
        }
    }

    /// A directory that is there already and that someone else removes, such as a mount of a private file system.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ours: false }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        if self.ours {
            // Best effort: a destructor has nobody to tell.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
