//! Backups, and clients that stay with their server.

use super::*;

/// Servers a, b and the backups y, z; those named are not eligible.
fn pool(method: Method, down: &str) -> Rotation {
    let mut all = servers(&[1, 1, 1, 1]);
    for (server, name) in all.iter_mut().zip(["y", "a", "z", "b"]) {
        server.name = name.into();
        server.token = Token::of("pool", name);
        server.backup = matches!(name, "y" | "z");
    }
    all.retain(|server| !down.contains(server.name.as_str()));
    let rule = Rule { method, sticky: Some("VIPD".into()), ..Rule::default() };
    Rotation::new(all, rule, Arc::new(Turn::new()))
}

/// Everyone who gets one of many requests.
fn served(rotation: &Rotation) -> String {
    let mut names: Vec<_> = picks(rotation, 200).chars().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().collect()
}

#[test]
fn a_backup_gets_requests_only_when_no_other_server_is_eligible() {
    for method in METHODS {
        assert_eq!(served(&pool(method, "")), "ab", "{method:?}");
        assert_eq!(served(&pool(method, "a")), "b", "{method:?}");
        assert_eq!(served(&pool(method, "ab")), "yz", "{method:?}");
        assert_eq!(served(&pool(method, "aby")), "z", "{method:?}");
        assert_eq!(served(&pool(method, "abyz")), "-", "{method:?}");
    }
}

#[test]
fn a_request_that_every_other_server_has_failed_gets_a_backup() {
    for method in METHODS {
        let (rotation, draw) = (pool(method, ""), Dice(1).draw());
        let mut tried = Tried::default();
        let mut order = String::new();
        while let Some(server) = rotation.pick(draw, &tried) {
            order += &server.name;
            tried.add(server.id);
        }
        let (first, last) = order.split_at(2);
        assert!(matches!(first, "ab" | "ba") && matches!(last, "yz" | "zy"), "{method:?}: {order}");
    }
}

#[test]
fn a_client_stays_with_its_server_while_that_is_eligible() {
    for method in METHODS {
        let ask = |rotation: &Rotation, name: &str, tried: &Tried| {
            let draw = Draw { held: Some(Token::of("pool", name)), ..Dice(9).draw() };
            rotation.pick(draw, tried).map(|server| server.name.clone()).unwrap_or_default()
        };
        let (all, none) = (pool(method, ""), Tried::default());
        for name in ["a", "b", "a", "b"] {
            assert_eq!(ask(&all, name, &none), name, "{method:?}");
        }
        assert_eq!(ask(&all, "y", &none), "y", "a session that a backup began stays there");
        assert_eq!(ask(&pool(method, "a"), "a", &none), "b", "{method:?}");
        let mut tried = Tried::default();
        tried.add(ServerId(1));
        assert_eq!(ask(&all, "a", &tried), "b", "{method:?}");
        assert!(["a", "b"].contains(&ask(&all, "nobody", &none).as_str()));
    }
}

#[test]
fn a_token_is_its_text_and_nothing_else_is_one() {
    let token = Token::of("app", "app1");
    assert_eq!(Token::parse(&token.text()), Some(token));
    let upper = token.text().to_ascii_uppercase();
    for text in [&b""[..], b"0", b"00000000000000000", b"000000000000000g", b"+000000000000000", &upper] {
        assert_eq!(Token::parse(text), None, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_rotation_knows_whether_it_must_be_made_anew() {
    let mut all = servers(&[1, 2, 3]);
    all[0].backup = true;
    let rotation = Rotation::new(all.clone(), Rule::default(), Arc::new(Turn::new()));
    assert!(rotation.is_of(&all));
    assert!(!rotation.is_of(&all[1..]));
    all[1].weight = 9;
    assert!(!rotation.is_of(&all));
}
