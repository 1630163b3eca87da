//! The ledger of requirements against the tests that are there: each RFC has a table in `ledger/`, each row a state
//! and its proof. A test that is renamed or removed, a row without proof or reason, and a wrong count fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[path = "ledger/row.rs"]
mod row;
#[path = "ledger/tests_there.rs"]
mod tests_there;

use row::{Row, State};

/// What a ledger is wrong about, and the counts that it should state.
fn judge(text: &str, root: &Path) -> (Vec<String>, String) {
    let mut wrong = Vec::new();
    let mut rows: Vec<Row<'_>> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id |")) {
        match Row::read(line) {
            Ok(row) if rows.iter().any(|before| before.id == row.id) => {
                wrong.push(format!("{}: twice", row.id))
            }
            Ok(row) => {
                wrong.extend(objections(&row, root).map(|why| format!("{}: {why}", row.id)));
                rows.push(row);
            }
            Err(why) => wrong.push(format!("{why}: {line}")),
        }
    }
    let counts = counts(&rows);
    if !text.lines().any(|line| line == counts) {
        wrong.push(format!("it should say: {counts}"));
    }
    (wrong, counts)
}

fn objections(row: &Row<'_>, root: &Path) -> impl Iterator<Item = String> {
    let tests = row.tests();
    let missing: Vec<_> = tests.iter().filter(|name| !tests_there::exists(root, name)).collect();
    let missing = missing.into_iter().map(|name| format!("there is no test {name}")).collect::<Vec<_>>();
    let bare = match row.state {
        State::Met => tests.is_empty().then_some("met, but no test proves it"),
        State::Deviates | State::NotOurs | State::Open => {
            (row.words() < 2).then_some("neither met nor a reason given")
        }
    };
    missing.into_iter().chain(bare.map(str::to_owned))
}

fn counts(rows: &[Row<'_>]) -> String {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.state).or_insert(0) += 1;
    }
    let counts = State::ALL.map(|state| format!("{} {state}", counts.get(&state).unwrap_or(&0)));
    format!("Counts: {} requirements, {}.", rows.len(), counts.join(", "))
}

fn assert_true_to_the_tests(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("integration/ledger").join(name)).expect("a ledger");
    let (wrong, _) = judge(&text, root);
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

#[test]
fn rfc_9568() {
    assert_true_to_the_tests("rfc9568.md");
}

#[test]
fn rfc_3768() {
    assert_true_to_the_tests("rfc3768.md");
}

/// The ids of a table of scenarios, and those of its tests that are not there; a row without tests counts as such.
fn scenarios(text: &str, root: &Path) -> (Vec<String>, Vec<String>) {
    let rows = text.lines().filter(|line| line.starts_with("| T"));
    let cells = rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let (mut ids, mut missing) = (Vec::new(), Vec::new());
    for cells in cells {
        let [id, _stimulus, _follows, tests] = cells[..] else { panic!("not four cells: {cells:?}") };
        ids.push(id.to_owned());
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        let there = |name: &&str| tests_there::exists(root, name);
        missing.extend(named.iter().filter(|name| !there(name)).map(|name| format!("{id}: {name}")));
        missing.extend(named.is_empty().then(|| format!("{id}: no test")));
    }
    (ids, missing)
}

#[test]
fn every_scenario_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("integration/ledger/scenarios.md")).expect("the scenarios");
    let (ids, missing) = scenarios(&text, root);
    assert_eq!(missing, [""; 0]);
    assert_eq!(ids, (1..=19).map(|nth| format!("T{nth}")).collect::<Vec<_>>());
    let (_, missing) = scenarios("| T1 | a | b | `ledger::nothing` |\n| T2 | a | b | |", root);
    assert_eq!(missing, ["T1: ledger::nothing", "T2: no test"]);
}

#[test]
fn a_false_ledger_is_found_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let objections = |rows: &str| {
        let (_, counts) = judge(rows, root);
        judge(&format!("{rows}\n{counts}"), root).0
    };
    let row = |state: &str, proof: &str| format!("| 6.4-1 | MUST | do it | {state} | {proof} |");
    let good = row("met", "`ledger::rfc_9568`");
    assert_eq!(objections(&good), [""; 0]);
    assert_eq!(
        objections(&row("met", "`vrrp::tests::machine::addresses_are_compared_as_unsigned_numbers`")),
        [""; 0]
    );
    // A helper is no test, nor is a test of another file.
    for name in ["ledger::judge", "ledger::no_such_test", "vrrp::tests::wire::rfc_9568", "nowhere::rfc_9568"]
    {
        assert_eq!(
            objections(&row("met", &format!("`{name}`"))),
            [format!("6.4-1: there is no test {name}")]
        );
    }
    assert_eq!(objections(&row("met", "because we say so")), ["6.4-1: met, but no test proves it"]);
    assert_eq!(objections(&row("open", "")), ["6.4-1: neither met nor a reason given"]);
    assert_eq!(objections(&format!("{good}\n{good}")), ["6.4-1: twice"]);
    assert_eq!(objections(&row("done", "somehow")).len(), 1, "an unknown state");
    assert_eq!(objections(&good.replace("MUST", "WILL")).len(), 1, "an unknown level");
    assert_eq!(
        judge(&good, root).0,
        ["it should say: Counts: 1 requirements, 1 met, 0 deviates, 0 not ours, 0 open."]
    );
}
