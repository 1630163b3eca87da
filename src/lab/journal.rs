//! What happened over time, in order of arrival: written by one thread, waited on by others.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A list that only grows; clones share it. Waiting is woken by each new entry, so nothing polls and nothing sleeps.
#[derive(Debug)]
pub struct Journal<T> {
    inner: Arc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    entries: Mutex<Vec<T>>,
    grew: Condvar,
}

impl<T> Journal<T> {
    /// An empty journal.
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { entries: Mutex::new(Vec::new()), grew: Condvar::new() }) }
    }

    /// Appends `entry` and wakes whoever waits.
    pub fn push(&self, entry: T) {
        self.lock().push(entry);
        self.inner.grew.notify_all();
    }

    /// How many entries there are: where [`Journal::wait`] starts to look for what comes after now.
    pub fn mark(&self) -> usize {
        self.lock().len()
    }

    /// Reads the entries so far; nothing is appended meanwhile, so `read` should be quick.
    pub fn read<R>(&self, read: impl FnOnce(&[T]) -> R) -> R {
        read(&self.lock())
    }

    /// What `find` makes of the entries from `mark` on, asked again with each new entry; `None` when it found nothing
    /// `within` this time.
    pub fn wait<R>(
        &self,
        mark: usize,
        within: Duration,
        mut find: impl FnMut(&[T]) -> Option<R>,
    ) -> Option<R> {
        let mut found = None;
        let search = |entries: &mut Vec<T>| {
            found = find(entries.get(mark..).unwrap_or_default());
            found.is_none()
        };
        let waited = self.inner.grew.wait_timeout_while(self.lock(), within, search);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        found
    }

    /// A panicking reader leaves the list whole: it is only ever appended to.
    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self::new()
    }
}
