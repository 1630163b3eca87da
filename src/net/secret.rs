//! A file that nobody else may read: the keys that adverts are signed with, and those of certificates.

use std::ffi::CString;
use std::fmt::Display;
use std::fs::Metadata;
use std::io::Result;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{User, getgrouplist};
use rustix::process::geteuid;

use super::text_file;

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
    text_file::read_unless(path, longest, |file| circle.objection(file, &path.display()))
}

#[cfg(test)]
mod tests;
