//! The walls of the house: who may import whom, read from every source file.
//!
//! `src/lib.rs` has the map. A new room is added here with what it may import; an arrow that points up or sideways
//! fails, and so does an unlisted room, or a pure room that reaches for the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may import, in the order of the floors.
const ROOMS: &[(&str, &[&str])] = &[
    ("vrrp", &[]),
    ("pool", &[]),
    ("http", &[]),
    ("event", &["vrrp"]),
    ("config", &["pool", "vrrp"]),
    ("link", &["event", "vrrp"]),
    ("net", &["vrrp"]),
    ("ha", &["config", "event", "link", "net", "pool", "vrrp"]),
    ("check", &["config", "event", "http", "net", "pool", "vrrp"]),
    ("proxy", &["config", "http", "net", "pool", "vrrp"]),
    ("agent", &["config", "event", "ha", "link", "net", "vrrp"]),
    ("control", &["check", "config", "event", "link", "net", "pool", "proxy", "vrrp"]),
    ("lab", &["config", "event", "link", "net", "vrrp"]),
    ("cli", &["agent", "config", "control", "event", "lab", "link", "net", "vrrp"]),
    // The doors: the library's map, and the binary that only calls the command line.
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Rooms without I/O, and what they must not name. `std::net` is allowed: addresses are values.
const PURE: &[&str] = &["vrrp", "pool", "http", "event", "config", "link"];
const MACHINE: &[&str] = &[
    "tokio",
    "nix",
    "rustix",
    "socket2",
    "libc",
    "pnet",
    "rtnetlink",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "Instant",
    "SystemTime",
    "std::io::Read",
];

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for file in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = fs::read_to_string(&file).expect("our own source");
        wrong.extend(
            objections(&room_of(&file), &text).into_iter().map(|why| format!("{}: {why}", file.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_guard_can_bark() {
    assert_eq!(objections("vrrp", "use crate::net::clock;").len(), 1);
    assert_eq!(objections("ha", "use crate::{config::Config, proxy::start};").len(), 1);
    assert_eq!(objections("proxy", "fn f() { crate::ha::release(None) }").len(), 1);
    assert_eq!(objections("main", "use vipd::agent::run;").len(), 1);
    assert_eq!(objections("http", "use tokio::net::TcpStream;").len(), 2);
    assert_eq!(objections("attic", "").len(), 1);
    assert_eq!(
        objections("vrrp", "//! See [`crate::ha`].\nuse crate::vrrp::Time; use std::net::Ipv4Addr;").len(),
        0
    );
}

/// Everything that is wrong with a file of `room`.
fn objections(room: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("room {room} is not on the map of integration/layering.rs")];
    };
    let code = without_comments(text);
    let rooms: BTreeSet<_> = ["crate::", "vipd::"].iter().flat_map(|root| imported(&code, root)).collect();
    let known = |name: &String| ROOMS.iter().any(|(room, _)| room == name);
    let mut wrong: Vec<_> = rooms
        .into_iter()
        .filter(|name| known(name) && name != room && !allowed.contains(&name.as_str()))
        .map(|name| format!("{room} must not import {name}"))
        .collect();
    if PURE.contains(&room) {
        wrong.extend(
            MACHINE
                .iter()
                .filter(|word| names(&code, word))
                .map(|word| format!("{room} is pure and must not name {word}")),
        );
    }
    wrong
}

/// The first path segments behind `root`, braces included: `crate::{a, b::c}` gives `a` and `b`.
fn imported(code: &str, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &code[at + root.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.push(word(rest)),
        }
    }
    found
}

/// The first segments of the items of a brace group, nested groups skipped.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut item = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => item = true,
            _ if item && !letter.is_whitespace() => {
                heads.push(word(&group[at..]));
                item = false;
            }
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Whether `word` stands in the code as a whole word.
fn names(code: &str, word: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part) && !code[at + word.len()..].starts_with(part))
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// `src/vrrp/wire.rs` and `src/vrrp.rs` belong to `vrrp`.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("a file of src");
    let first = inside.components().next().expect("not empty");
    Path::new(first.as_os_str()).file_stem().expect("a name").to_string_lossy().into_owned()
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("our own folder").map(|entry| entry.expect("readable").path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let nested = dirs.iter().flat_map(|dir| sources(dir));
    files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")).chain(nested).collect()
}
