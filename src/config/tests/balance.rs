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

#[test]
fn backups_cookies_and_slow_start_have_their_words() {
    let pool = |old: &str, new: &str| parsed(&with(old, new)).config.pools.swap_remove(0);
    let address = "\"10.77.0.12:8080\"";
    let plain = pool("app2", "app2");
    assert_eq!(
        (plain.sticky, plain.slow_start, plain.servers[1].backup),
        (None, std::time::Duration::ZERO, false)
    );
    assert!(pool(address, &format!("{address}, backup = true")).servers[1].backup);
    let sticky = pool("check =", "sticky = { cookie = \"VIPD\" }\ncheck =").sticky;
    assert_eq!(sticky.as_deref(), Some("VIPD"));
    assert_eq!(
        pool("check =", "slow_start = \"30s\"\ncheck =").slow_start,
        std::time::Duration::from_secs(30)
    );

    let problem = |new: &str, expected: &str| assert_problem("check =", &format!("{new}\ncheck ="), expected);
    let example = "write { cookie = \"VIPD\" } or \"off\"";
    problem("sticky = {}", &format!("{{}}: this table has one key, `cookie`; {example}"));
    problem(
        "sticky = true",
        &format!("true: expected a table with the name of a cookie, found a boolean; {example}"),
    );
    problem(
        "sticky = { cookie = \"a;b\" }",
        "{ cookie = \"a;b\" }: `a;b` is no name of a header or a cookie; write letters, digits and `-`, 1 to 64 of them",
    );
    assert_problem(
        address,
        &format!("{address}, backup = \"true\""),
        "\"true\": expected true or false, found a string; write backup = true, without quotes",
    );
}

#[test]
fn what_backups_and_slow_start_cannot_do_is_a_warning() {
    let all = SMALL.replace("8080\" }", "8080\", backup = true }");
    assert_eq!(
        problems(&all),
        [
            "warning: true: every server of this pool is a backup: it is as if none was; leave `backup` out for the \
          servers that get requests as a rule"
        ]
    );
    assert_problem(
        "check = { http = \"/health\" }",
        "slow_start = \"5s\"",
        "warning: \"5s\": slow_start does nothing in a pool without checks: its servers never come back; add a check, \
         or remove it",
    );
}
