//! A file that nobody else may read: the keys that adverts are signed with, and those of certificates.

use std::ffi::CString;
use std::fmt::Display;
use std::fs::{Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::unistd::{User, getgrouplist};
use rustix::process::geteuid;

/// More than 255 keys of 64 bytes with a comment each.
const LONGEST: u64 = 64 << 10;

/// Who may read a secret besides root and us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// A user that may also own it.
    user: Option<u32>,
    /// Groups that may read it.
    groups: Vec<u32>,
}

impl Circle {
    /// The user of this name and the groups it is in; root alone when there is no such user.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let Ok(Some(user)) = User::from_name(name) else { return Self::default() };
        let groups = CString::new(name).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
        let groups = groups.unwrap_or_else(|| vec![user.gid]);
        Self {
            user: Some(user.uid.as_raw()),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
        }
    }

    /// What to do so that the user can read a file that is root's.
    fn advice(&self, shown: &dyn Display) -> String {
        match self.groups.first() {
            Some(group) => format!("`chgrp {group} {shown}` and `chmod 640 {shown}`"),
            None => format!("`chmod 600 {shown}`"),
        }
    }

    /// Why the file cannot be a secret of this circle, and the command that mends it.
    fn objection(&self, file: &Metadata, shown: &dyn Display) -> Option<String> {
        let (mode, owner) = (file.mode() & 0o7777, file.uid());
        // The group of root has nobody else in it.
        let shared = file.gid() == 0 || self.groups.contains(&file.gid());
        let forbidden = if shared && *self != Self::default() { 0o027 } else { 0o077 };
        if mode & forbidden != 0 {
            return Some(format!("has mode {mode:04o}, so others have access: {}", self.advice(shown)));
        }
        let foreign = owner != 0 && owner != geteuid().as_raw() && Some(owner) != self.user;
        foreign.then(|| format!("belongs to the user with id {owner}: `chown root {shown}`"))
    }
}

/// The text of a file that is ours or root's alone.
///
/// # Errors
/// What the kernel says, and `InvalidData` when the file is none, can be read or written by others, is another
/// user's, too long, or not text; with the path and the command that mends it.
pub fn read(path: &Path) -> Result<String> {
    read_within(path, &Circle::default(), LONGEST)
}

/// The text of a file of at most `longest` bytes that nobody outside `circle` may read, nor anyone but its owner write.
///
/// # Errors
/// As [`read`].
pub fn read_within(path: &Path, circle: &Circle, longest: u64) -> Result<String> {
    let shown = path.display();
    let refuse = |why: String| Error::new(ErrorKind::InvalidData, format!("{shown} {why}"));
    let unread = |error: Error| Error::new(error.kind(), format!("{shown} cannot be read: {error}"));
    // A FIFO would keep us waiting for a writer.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = opened.map_err(unread)?;
    // Asked of what is open, so that nobody exchanges it in between.
    let metadata = file.metadata().map_err(unread)?;
    if !metadata.is_file() {
        return Err(refuse("is not a file".to_owned()));
    }
    if let Some(why) = circle.objection(&metadata, &shown) {
        return Err(refuse(why));
    }
    let mut text = Vec::new();
    file.take(longest + 1).read_to_end(&mut text).map_err(unread)?;
    if text.len() as u64 > longest {
        return Err(refuse(format!("is longer than {longest} bytes: is it the right file?")));
    }
    String::from_utf8(text).map_err(|_| refuse("is not text: is it the right file?".to_owned()))
}

#[cfg(test)]
mod tests;
