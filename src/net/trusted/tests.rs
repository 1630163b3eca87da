//! Paths on a real file system: each way in which others could replace a program, and the ways in which they cannot.

use std::fs::{Permissions, create_dir, remove_dir_all, set_permissions, write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::program;

/// A directory of this test's own, below the sticky `/tmp`.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vipd-trusted-{name}-{}", std::process::id()));
        create_dir(&path).expect("a new directory");
        mode(&path, 0o755);
        Self(path)
    }

    fn program(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        write(&path, "#!/bin/sh\n").expect("written");
        mode(&path, 0o755);
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _best_effort = remove_dir_all(&self.0);
    }
}

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
}

/// Trusts whoever runs the test, so that it says the same for everyone, and `nobody`, who owns `/` inside a user
/// namespace that maps root alone.
fn said(path: &Path) -> String {
    let own = [nix::unistd::geteuid().as_raw(), 65_534];
    program(path, &own).map_or_else(|why| format!("{why}; {}", why.help()), |()| String::new())
}

#[test]
fn a_program_that_only_its_owner_may_write_is_trusted_even_below_a_sticky_directory() {
    let dir = Dir::new("good");
    assert_eq!(said(&dir.program("x")), "");
    assert_eq!(said(Path::new("/bin/sh")), "", "through links");
}

#[test]
fn the_part_that_others_may_write_is_named_with_its_mode() {
    let dir = Dir::new("bad");
    let path = dir.program("x");
    let shown = path.display();
    mode(&path, 0o757);
    assert_eq!(said(&path), format!("{shown} is writable by everyone (mode 0757); `chmod o-w {shown}`"));
    mode(&path, 0o644);
    assert_eq!(
        said(&path),
        format!("{shown} is no program (mode 0644); `chmod +x {shown}`, or correct the path")
    );
    mode(&path, 0o755);
    let parent = dir.0.display();
    mode(&dir.0, 0o777);
    assert_eq!(said(&path), format!("{parent} is writable by everyone (mode 0777); `chmod o-w {parent}`"));
    mode(&dir.0, 0o1777);
    assert_eq!(said(&path), "", "sticky");
    assert_eq!(said(&dir.0.join("y")), format!("there is no {parent}/y; install it, or correct the path"));
}

#[test]
fn group_root_may_write_and_no_other_group() {
    let dir = Dir::new("group");
    let path = dir.program("x");
    mode(&path, 0o775);
    if chown(&path, None, Some(50)).is_err() {
        // Not allowed to give files away: our own group, unless that is root's.
        assert_eq!(said(&path).is_empty(), nix::unistd::getegid().as_raw() == 0);
        return;
    }
    mode(&path, 0o775);
    let shown = path.display();
    assert_eq!(said(&path), format!("{shown} is writable by group 50 (mode 0775); `chmod g-w {shown}`"));
    chown(&path, None, Some(0)).expect("given back");
    mode(&path, 0o775);
    assert_eq!(said(&path), "");
}

#[test]
fn a_stranger_who_owns_a_part_could_replace_it() {
    let dir = Dir::new("owner");
    let path = dir.program("x");
    let own = nix::unistd::geteuid().as_raw();
    // Whoever owns it is the stranger: chown needs root, trusting nobody does not.
    let strange = program(&path, &[65_534]);
    assert_eq!(strange.is_ok(), own == 0);
    if own == 0 && chown(&path, Some(1234), None).is_ok() {
        let shown = path.display();
        let said = program(&path, &[65_534]).expect_err("a stranger's").to_string();
        assert_eq!(said, format!("{shown} belongs to user 1234, who could replace it (mode 0755)"));
        assert!(program(&path, &[1234, 65_534]).is_ok(), "unless it runs as that user");
    }
}

#[test]
fn links_are_followed_part_by_part() {
    let dir = Dir::new("links");
    let path = dir.program("x");
    let through = |name: &str, target: &Path| {
        let link = dir.0.join(name);
        symlink(target, &link).expect("a link");
        link
    };
    assert_eq!(
        said(&through(
            "relative",
            Path::new("../").join(dir.0.file_name().expect("a name")).join("x").as_path()
        )),
        ""
    );
    assert_eq!(said(&through("absolute", &path)), "");
    let open = dir.0.join("open");
    create_dir(&open).expect("a directory");
    write(open.join("x"), "").expect("written");
    mode(&open, 0o777);
    let said_of_open = said(&through("into-open", &open.join("x")));
    assert!(
        said_of_open.starts_with(&format!("{} is writable by everyone", open.display())),
        "{said_of_open}"
    );
    let looped = through("loop", Path::new("loop"));
    assert_eq!(
        said(&looped),
        format!("{} is a symbolic link that leads nowhere; correct the links", looped.display())
    );
}
