//! Which files are read, and what is said of the others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use super::*;

/// A directory of one test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vipd-secret-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    fn file(&self, text: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join("keys");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _already_gone = fs::remove_dir_all(&self.0);
    }
}

fn refused(path: &Path) -> String {
    let error = read(path).expect_err("not to be read");
    error.to_string().replace(&path.display().to_string(), "FILE")
}

#[test]
fn a_file_of_our_own_is_read() {
    let place = Place::new("own");
    for mode in [0o600, 0o400, 0o700] {
        assert_eq!(read(&place.file(b"1 00\n", mode)).expect("read"), "1 00\n");
    }
}

#[test]
fn a_file_that_others_have_access_to_is_refused_with_what_mends_it() {
    let place = Place::new("others");
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        let path = place.file(b"1 00\n", mode);
        let expected = format!("FILE has mode {mode:04o}, so others have access: `chmod 600 FILE`");
        assert_eq!(refused(&path), expected);
    }
}

#[test]
fn what_is_no_text_of_ours_is_refused() {
    let place = Place::new("odd");
    assert_eq!(refused(&place.0), "FILE is not a file");
    let absent = place.0.join("absent");
    assert_eq!(refused(&absent), "FILE cannot be read: No such file or directory (os error 2)");
    let long = vec![b'#'; 70_000];
    assert_eq!(refused(&place.file(&long, 0o600)), "FILE is longer than 65536 bytes: is it the right file?");
    let binary = place.file(&[0xFF, 0xFE], 0o600);
    assert_eq!(refused(&binary), "FILE is not text: is it the right file?");
    let fifo = place.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
    assert_eq!(refused(&fifo), "FILE is not a file");
}

#[test]
fn another_users_file_is_refused() {
    let place = Place::new("foreign");
    let path = place.file(b"1 00\n", 0o600);
    if chown(&path, Some(12_345), None).is_err() {
        // Only root gives files away; root runs this test in continuous integration.
        return;
    }
    assert_eq!(refused(&path), "FILE belongs to the user with id 12345: `chown root FILE`");
}
