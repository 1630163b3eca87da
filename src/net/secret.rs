//! A file that nobody else may read: the keys that adverts are signed with.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::process::geteuid;

/// More than 255 keys of 64 bytes with a comment each.
const LONGEST: u64 = 64 << 10;

/// The text of a file that is ours or root's alone.
///
/// # Errors
/// What the kernel says, and `InvalidData` when the file is none, can be read or written by others, is another
/// user's, too long, or not text; with the path and the command that mends it.
pub fn read(path: &Path) -> Result<String> {
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
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(refuse(format!("has mode {mode:04o}, so others have access: `chmod 600 {shown}`")));
    }
    let owner = metadata.uid();
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(refuse(format!("belongs to the user with id {owner}: `chown root {shown}`")));
    }
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(unread)?;
    if text.len() as u64 > LONGEST {
        return Err(refuse(format!("is longer than {LONGEST} bytes: is it the right file?")));
    }
    String::from_utf8(text).map_err(|_| refuse("is not text: write `ID HEX`, one key a line".to_owned()))
}

#[cfg(test)]
mod tests;
