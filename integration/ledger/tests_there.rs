//! Whether a test that a ledger names is there: read from the sources, since no test can ask the others.

use std::fs;
use std::path::Path;

/// Whether `room::tests::file::name` is a test: in the file of its modules, or inline in a file further up.
pub(crate) fn exists(root: &Path, path: &str) -> bool {
    let parts: Vec<_> = path.split("::").collect();
    let Some((name, modules)) = parts.split_last() else { return false };
    (1..=modules.len()).rev().any(|depth| {
        let place = modules[..depth].join("/");
        ["src", "integration"].into_iter().any(|tree| {
            let stem = root.join(tree).join(&place);
            let files = [stem.with_extension("rs"), stem.join("mod.rs")];
            files.iter().any(|file| fs::read_to_string(file).is_ok_and(|text| has_test(&text, name)))
        })
    })
}

/// A function of that name with `#[test]` right above it.
fn has_test(text: &str, name: &str) -> bool {
    let declaration = format!("fn {name}(");
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with(&declaration) {
            return is_test;
        }
        // Other attributes and comments may stand in between.
        is_test = line == "#[test]" || (is_test && (line.starts_with('#') || line.starts_with("//")));
    }
    false
}
