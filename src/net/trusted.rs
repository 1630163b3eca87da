//! Whether others could put another program in the place of one: every part of its path is looked at, symbolic links
//! included (path_resolution(7)).
//!
//! A part is safe when it belongs to root or to someone who is trusted here, and nobody else may write to it. In a
//! directory with the sticky bit (1777) others may add files, but not replace one that is not theirs.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{Metadata, read_link, symlink_metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Why a path is not trusted: the part of it that is to blame, and what to do.
#[derive(Debug)]
pub struct Untrusted {
    /// The part of the path.
    pub part: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Absent(io::Error),
    NotAProgram(u32),
    Owner { uid: u32, mode: u32 },
    Group { gid: u32, mode: u32 },
    World(u32),
    Loop,
}

/// Says whether nobody but root and the users of `trusted` could replace the program at `path`.
///
/// # Errors
/// The first part of the path that others may change, that is not there, or that is no program.
pub fn program(path: &Path, trusted: &[u32]) -> Result<(), Untrusted> {
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut at = PathBuf::from("/");
    let mut links = 0;
    let mut found = look(&at, trusted)?;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        found = look(&at, trusted)?;
        if !found.is_symlink() {
            continue;
        }
        links += 1;
        let target = read_link(&at).map_err(|error| untrusted(&at, Why::Absent(error)))?;
        if links > MAX_LINKS {
            return Err(untrusted(&at, Why::Loop));
        }
        at.pop();
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        parts(&target).rev().for_each(|part| rest.push_front(part));
    }
    let executable = found.is_file() && found.mode() & 0o111 != 0;
    if executable { Ok(()) } else { Err(untrusted(&at, Why::NotAProgram(found.mode()))) }
}

/// As the kernel has it (path_resolution(7)).
const MAX_LINKS: u32 = 40;
const STICKY: u32 = 0o1000;

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|part| part.as_os_str().to_owned())
}

fn look(at: &Path, trusted: &[u32]) -> Result<Metadata, Untrusted> {
    let found = symlink_metadata(at).map_err(|error| untrusted(at, Why::Absent(error)))?;
    judge(&found, trusted).map_err(|why| untrusted(at, why))?;
    Ok(found)
}

fn judge(found: &Metadata, trusted: &[u32]) -> Result<(), Why> {
    let (uid, gid, mode) = (found.uid(), found.gid(), found.mode());
    if uid != 0 && !trusted.contains(&uid) {
        return Err(Why::Owner { uid, mode });
    }
    // The mode of a symbolic link means nothing (symlink(7)).
    if found.is_symlink() || (found.is_dir() && mode & STICKY != 0) {
        return Ok(());
    }
    if mode & 0o002 != 0 {
        return Err(Why::World(mode));
    }
    if mode & 0o020 != 0 && gid != 0 { Err(Why::Group { gid, mode }) } else { Ok(()) }
}

fn untrusted(part: &Path, why: Why) -> Untrusted {
    Untrusted { part: part.to_owned(), why }
}

impl Untrusted {
    /// What to do about it.
    pub fn help(&self) -> String {
        let part = self.part.display();
        match self.why {
            Why::Absent(_) => "install it, or correct the path".to_owned(),
            Why::NotAProgram(_) => format!("`chmod +x {part}`, or correct the path"),
            Why::Owner { .. } => format!("`chown root {part}`, or let it run as that user"),
            Why::Group { .. } => format!("`chmod g-w {part}`"),
            Why::World(_) => format!("`chmod o-w {part}`"),
            Why::Loop => "correct the links".to_owned(),
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part.display();
        let bits = |mode: &u32| mode & 0o7777;
        match &self.why {
            Why::Absent(error) if error.kind() == io::ErrorKind::NotFound => write!(f, "there is no {part}"),
            Why::Absent(error) => write!(f, "{part} cannot be looked at: {error}"),
            Why::NotAProgram(mode) => write!(f, "{part} is no program (mode {:04o})", bits(mode)),
            Why::Owner { uid, mode } => {
                write!(f, "{part} belongs to user {uid}, who could replace it (mode {:04o})", bits(mode))
            }
            Why::Group { gid, mode } => {
                write!(f, "{part} is writable by group {gid} (mode {:04o})", bits(mode))
            }
            Why::World(mode) => write!(f, "{part} is writable by everyone (mode {:04o})", bits(mode)),
            Why::Loop => write!(f, "{part} is a symbolic link that leads nowhere"),
        }
    }
}

impl std::error::Error for Untrusted {}

#[cfg(test)]
mod tests;
