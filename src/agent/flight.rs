//! Where the flight recorder's dumps go: a file for each transition, written by a thread of its own, because a slow disk
//! must not keep the loop. The last few are kept.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::ha::Dump;

/// Files that are kept.
const FILES: usize = 16;
/// Beginning and end of their names; in between is the moment, of equal length for the next 250 years.
const NAME: (&str, &str) = ("flight-", ".json");

/// A dump with its place and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// The node it was recorded on.
    pub node: String,
    /// Version of the daemon: another one may decide otherwise.
    pub version: String,
    /// When it was taken, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What was recorded.
    pub dump: Dump,
}

/// Writes dumps to a directory. The newest wins: while one is written, those that come are replaced by the last.
#[derive(Debug)]
pub(crate) struct Archive {
    newest: Arc<Mutex<Option<Flight>>>,
    /// Closing it ends the thread.
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Archive {
    /// Begins; nothing is made in `dir` before the first dump.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        let newest = Arc::new(Mutex::new(None));
        let (bell, rung) = sync_channel(1);
        let slot = Arc::clone(&newest);
        let write = move || write_all(&dir, &slot, &rung);
        let thread = std::thread::Builder::new().name("flight".to_owned()).spawn(write)?;
        Ok(Self { newest, bell: Some(bell), thread: Some(thread) })
    }

    /// Keeps a dump, soon.
    pub(crate) fn keep(&self, flight: Flight) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(flight);
        if let Some(bell) = &self.bell {
            // Full: it has been rung, and the thread has yet to look.
            let _rung_already = bell.try_send(());
        }
    }
}

impl Drop for Archive {
    /// The last dump is on the disk when the agent has ended.
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            let _it_said_so = thread.join();
        }
    }
}

fn write_all(dir: &Path, newest: &Mutex<Option<Flight>>, rung: &Receiver<()>) {
    while rung.recv().is_ok() {
        let flight = newest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(flight) = flight else { continue };
        if let Err(error) = write(dir, &flight).and_then(|()| prune(dir)) {
            tracing::warn!("the flight recorder cannot write to {}: {error}", dir.display());
        }
    }
}

/// Whole or not at all: a reader never sees half a file.
fn write(dir: &Path, flight: &Flight) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let (begin, end) = NAME;
    let unfinished = dir.join("unfinished");
    let mut file = BufWriter::new(fs::File::create(&unfinished)?);
    serde_json::to_writer(&mut file, flight)?;
    file.flush()?;
    fs::rename(unfinished, dir.join(format!("{begin}{}{end}", flight.at_ms)))
}

fn prune(dir: &Path) -> io::Result<()> {
    let (begin, end) = NAME;
    let names = fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(begin) && name.ends_with(end)).collect();
    names.sort_unstable();
    let excess = names.len().saturating_sub(FILES);
    names.iter().take(excess).try_for_each(|name| fs::remove_file(dir.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(at_ms: u64) -> Flight {
        let dump = Dump { routers: Vec::new(), entries: std::collections::VecDeque::new() };
        Flight { node: "lb1".to_owned(), version: "1".to_owned(), at_ms, dump }
    }

    #[test]
    fn the_newest_is_on_the_disk_at_the_end_and_old_ones_go() {
        let dir = std::env::temp_dir().join(format!("vipd-flight-{}", std::process::id()));
        for at_ms in 1_000..1_020 {
            let archive = Archive::open(dir.clone()).expect("a thread");
            archive.keep(flight(at_ms));
        }
        let mut names: Vec<_> = fs::read_dir(&dir)
            .expect("a directory")
            .map(|entry| entry.expect("a file").file_name())
            .collect();
        names.sort();
        assert_eq!(names.len(), FILES);
        assert_eq!(
            names.first().map(|name| name.to_string_lossy().into_owned()),
            Some("flight-1004.json".into())
        );
        let text = fs::read_to_string(dir.join("flight-1019.json")).expect("the newest");
        assert_eq!(serde_json::from_str::<Flight>(&text).expect("JSON"), flight(1_019));
        fs::remove_dir_all(&dir).expect("it is ours");
    }
}
