//! A file of text that a config names: read whole, when it is a file and not too long.

use std::fs::{Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The text of a file of at most `longest` bytes.
///
/// # Errors
/// What the kernel says, and `InvalidData` when it is no file, too long, or not UTF-8; with the path.
pub fn read(path: &Path, longest: u64) -> Result<String> {
    read_unless(path, longest, |_| None)
}

/// As [`read`], unless there is an `objection` to the file: why, and what to do.
pub(super) fn read_unless(
    path: &Path,
    longest: u64,
    objection: impl FnOnce(&Metadata) -> Option<String>,
) -> Result<String> {
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
    if let Some(why) = objection(&metadata) {
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
mod tests {
    use super::*;

    #[test]
    fn text_is_read_up_to_its_bound_and_nothing_else_is() {
        let dir = std::env::temp_dir().join(format!("vipd-text-file-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory can be made");
        let says = |bytes: &[u8]| {
            let path = dir.join("page.html");
            std::fs::write(&path, bytes).expect("the directory is ours");
            read(&path, 6).map_err(|error| error.to_string().replace(&path.display().to_string(), "it"))
        };
        assert_eq!(says(&"später".as_bytes()[..6]), Ok("späte".to_owned()));
        assert_eq!(says(b""), Ok(String::new()));
        assert_eq!(says(b"longer."), Err("it is longer than 6 bytes: is it the right file?".to_owned()));
        assert_eq!(says(b"\xff\xfe"), Err("it is not text: is it the right file?".to_owned()));
        let error = |path: &Path| read(path, 6).expect_err("nothing to read").to_string();
        assert!(error(&dir).ends_with(" is not a file"), "{}", error(&dir));
        let absent = dir.join("absent");
        assert!(error(&absent).contains("absent cannot be read: No such file"), "{}", error(&absent));
        let _ = std::fs::remove_dir_all(&dir);
    }
}
