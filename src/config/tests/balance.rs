//! How pools spread requests, as files say it.

use super::*;

fn balance(text: &str) -> Balance {
    parsed(&with("check =", &format!("balance = {text}\ncheck ="))).config.pools.swap_remove(0).balance
}

#[test]
fn every_way_can_be_written_and_is_shown_as_it_is_written() {
    let header = Balance::Hash(HashKey::Header("X-User".into()));
    let cookie = Balance::Hash(HashKey::Cookie("session".into()));
    for (text, meant) in [
        ("\"round-robin\"", Balance::RoundRobin),
        ("\"least-connections\"", Balance::LeastConnections),
        ("\"random\"", Balance::Random),
        ("\"source\"", Balance::Hash(HashKey::Source)),
        ("{ hash = \"path\" }", Balance::Hash(HashKey::Path)),
        ("{ hash = { header = \"X-User\" } }", header),
        ("{ hash = { cookie = \"session\" } }", cookie),
    ] {
        assert_eq!(balance(text), meant);
        assert_eq!(meant.to_string(), text);
    }
    assert_eq!(balance("{ hash = \"source\" }"), Balance::Hash(HashKey::Source));
}

#[test]
fn what_others_call_it_is_understood_and_what_is_wrong_is_said() {
    let problem = |text: &str, expected: &str| {
        assert_problem("check =", &format!("balance = {text}\ncheck ="), &format!("{text}: {expected}"));
    };
    for (theirs, ours) in [
        ("roundrobin", "\"round-robin\""),
        ("leastconn", "\"least-connections\""),
        ("ip_hash", "\"source\""),
        ("uri", "{ hash = \"path\" }"),
    ] {
        let expected = format!("`{theirs}` is called otherwise here; write {ours}");
        problem(&format!("\"{theirs}\""), &expected);
    }
    problem(
        "\"hdr(X-User)\"",
        "hashing a header is written otherwise here; write { hash = { header = \"X-User\" } }",
    );
    problem(
        "\"least-conections\"",
        "`least-conections` is not known here; did you mean \"least-connections\"?",
    );
    problem("{ hash = \"sorce\" }", "`sorce` cannot be hashed; did you mean \"source\"?");
    let example = "write { hash = \"source\" }, { hash = \"path\" }, { hash = { header = \"X-User\" } } or { hash = \
                   { cookie = \"session\" } }";
    problem("{ by = \"path\" }", &format!("this table has one key, `hash`; {example}"));
    problem(
        "{ hash = 5 }",
        &format!("expected \"source\", \"path\" or a table, found an integer; {example}"),
    );
    problem("{ hash = {} }", &format!("this table has one key, `header` or `cookie`; {example}"));
    problem(
        "{ hash = { header = \"a b\" } }",
        "`a b` is no name of a header or a cookie; write letters, digits and `-`, 1 to 64 of them",
    );
}
