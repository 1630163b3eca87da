//! `auth` of a `[[vrrp]]`.

use std::path::Path;

use super::*;
use crate::vrrp::auth::Mode;

/// The small config with this `auth`, which does not give a problem.
fn policy(auth: &str, interval: &str) -> (u8, Mode, u16) {
    let text =
        with("vrid = 51", &format!("vrid = 51\nadvert_interval = \"{interval}\"\nauth = {{ {auth} }}"));
    let parsed = parsed(&text);
    assert_eq!(&text[parsed.key_files[0].clone()], "\"/etc/vipd/keys\"");
    assert_eq!(parse("shown", &show(&parsed.config)).expect("valid").config, parsed.config);
    let auth = parsed.config.routers[0].auth.as_ref().expect("it is there");
    assert_eq!(auth.key_file, Path::new("/etc/vipd/keys"));
    (auth.policy.active.get(), auth.policy.mode, auth.policy.window.seconds())
}

#[test]
fn it_enforces_within_three_intervals_unless_it_says_otherwise() {
    let small = "key_file = \"/etc/vipd/keys\", active = 7";
    assert_eq!(policy(small, "100ms"), (7, Mode::Enforce, 5));
    assert_eq!(policy(small, "10s"), (7, Mode::Enforce, 30));
    let whole = format!("{small}, mode = \"permissive\", window = \"1m\"");
    assert_eq!(policy(&whole, "10s"), (7, Mode::Permissive, 60));
    assert_eq!(parsed(SMALL).config.routers[0].auth, None);
}

#[test]
fn what_is_wrong_says_what_to_write() {
    let wrong = |auth: &str, expected: &[&str]| {
        assert_eq!(problems(&with("vrid = 51", &format!("vrid = 51\nauth = {auth}"))), expected);
    };
    let file = "key_file = \"/etc/vipd/keys\"";
    wrong("\"secret\"", &["\"secret\": expected a table, found a string"]);
    wrong(
        "{ keyfile = \"/etc/vipd/keys\" }",
        &[
            "{ keyfile = \"/etc/vipd/keys\" }: auth has no `active`; add active = 1",
            "keyfile: unknown key `keyfile` in auth; did you mean `key_file`?",
        ],
    );
    wrong(
        "{ key_file = \"keys\", active = 1 }",
        &["\"keys\": `keys` is not the full path of a file; write it from the root: \"/etc/vipd/keys\""],
    );
    for (active, found) in [("0", "0"), ("256", "256")] {
        wrong(
            &format!("{{ {file}, active = {active} }}"),
            &[&format!("{found}: the id of a key is 1 to 255; write a number from 1 to 255")],
        );
    }
    wrong(
        &format!("{{ {file}, active = 1, mode = \"enforced\" }}"),
        &["\"enforced\": `enforced` is not known here; did you mean \"enforce\"?"],
    );
    for window in ["500ms", "0s", "5m1s", "301s", "1.5s"] {
        let said = problems(&with(
            "vrid = 51",
            &format!("vrid = 51\nauth = {{ {file}, active = 1, window = \"{window}\" }}"),
        ));
        let expected = if window == "5m1s" { "is not a length of time" } else { "a window is 1s to 300s" };
        assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
    }
}

#[test]
fn it_does_not_go_with_a_password() {
    let auth = "auth = { key_file = \"/etc/vipd/keys\", active = 1 }";
    let both = format!("vrid = 51\nversion = 2\nadvert_interval = \"1s\"\npassword = \"secret\"\n{auth}");
    assert_eq!(
        problems(&with("vrid = 51", &both)),
        [
            "{ key_file = \"/etc/vipd/keys\", active = 1 }: a router has either `auth` or a `password`; remove the \
             password: anyone on the network reads it"
        ]
    );
}

#[test]
fn a_mode_that_believes_unsigned_adverts_is_a_warning_with_the_next_step() {
    let warned = |mode: &str| {
        let auth = format!("auth = {{ key_file = \"/etc/vipd/keys\", active = 1, mode = \"{mode}\" }}");
        problems(&with("vrid = 51", &format!("vrid = 51\n{auth}")))
    };
    assert_eq!(
        warned("receive-only"),
        ["warning: \"receive-only\": adverts go out unsigned and unsigned ones are believed; write \
             \"permissive\" once every node has `auth`"]
    );
    assert_eq!(
        warned("permissive"),
        ["warning: \"permissive\": unsigned adverts are believed; write \"enforce\" once every node signs: \
             `vipd status` counts what is unsigned"]
    );
    assert_eq!(warned("enforce"), [""; 0]);
}
