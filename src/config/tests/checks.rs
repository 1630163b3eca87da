//! `check`: what it may ask, and what contradicts itself.

use std::time::Duration;

use super::*;
use crate::pool::Failures;

const CHECK: &str = "{ http = \"/health\" }";

fn check(text: &str) -> Check {
    let parsed = parsed(&with(CHECK, text));
    assert_eq!(parsed.warnings, []);
    let check = parsed.config.pools[0].check.clone().expect("there is one");
    let shown = super::parsed(&show(&parsed.config)).config;
    assert_eq!(shown, parsed.config, "what is shown is read back");
    check
}

/// The problem, and what the text says at the other place that it names.
fn contradiction(text: &str) -> (String, String) {
    let whole = with(CHECK, text);
    let errors = parse("vipd.toml", &whole).expect_err("it contradicts itself");
    let [problem] = &errors.problems[..] else { panic!("one problem, not {errors}") };
    let (other, _) = problem.other.as_ref().expect("it names the other place");
    (format!("{}: {}", &whole[problem.place.clone()], problem.message), whole[other.clone()].to_owned())
}

#[test]
fn every_kind_has_its_settings() {
    let http = check(
        r#"{ http = "/up", method = "HEAD", host = "a.example:81", json = false, expect = 204, h2 = true,
        expect_headers = { "X-Ready" = "yes" }, request_headers = { "Authorization" = "Bearer \"a\"" } }"#,
    );
    let expected = HttpCheck {
        method: Method::Head,
        host: Some("a.example:81".into()),
        h2: true,
        json: false,
        expect: vec![(204, 204)],
        expect_headers: vec![("X-Ready".into(), "yes".into())],
        request_headers: vec![("Authorization".into(), "Bearer \"a\"".into())],
        ..HttpCheck::get("/up")
    };
    assert_eq!(http, Check::new(CheckKind::Http(expected)));
    let body = HttpCheck { body: Some("all \u{e9}".into()), ..HttpCheck::get("/") };
    assert_eq!(check("{ http = \"/\", body = \"all \u{e9}\" }").kind, CheckKind::Http(body));
    let words = vec!["/bin/check".to_owned(), "a b".to_owned()];
    assert_eq!(check(r#"{ exec = ["/bin/check", "a b"] }"#).kind, CheckKind::Exec(words));
    let database = Some("shop".to_owned());
    let postgres = PostgresCheck { role: Role::Follower, user: "vipd".into(), database };
    let text = r#"{ postgres = "standby", user = "vipd", database = "shop" }"#;
    assert_eq!(check(text).kind, CheckKind::Postgres(postgres));
    let redis = RedisCheck { role: Role::Any, password_file: Some("/etc/vipd/redis".into()) };
    assert_eq!(
        check(r#"{ redis = "any", password_file = "/etc/vipd/redis" }"#).kind,
        CheckKind::Redis(redis)
    );
    assert_eq!(check(r#"{ grpc = "shop.Cart" }"#).kind, CheckKind::Grpc("shop.Cart".into()));
}

#[test]
fn tls_goes_with_what_can_speak_it() {
    let system = Some(PoolTls::default());
    let handshake = check("{ tls = true }");
    assert_eq!((handshake.kind, handshake.tls), (CheckKind::Tcp, system.clone()));
    assert_eq!(check(r#"{ http = "/", tls = true }"#).tls, system);
    assert_eq!(check(r#"{ http = "/", tls = false }"#).tls, None);
    let own = check(r#"{ grpc = "", tls = { server_name = "a.example", verify = "/etc/vipd/ca.pem" } }"#).tls;
    let ca = Verify::Ca("/etc/vipd/ca.pem".into());
    assert_eq!(own, Some(PoolTls { server_name: Some("a.example".into()), verify: ca }));
    let anyone = check(r#"{ redis = "any", tls = { verify = "off" } }"#).tls;
    assert_eq!(anyone, Some(PoolTls { server_name: None, verify: Verify::Off }));
}

#[test]
fn contradictions_name_both_places() {
    let told = |text: &str| contradiction(text);
    let both = |said: &str, other: &str| (said.to_owned(), other.to_owned());
    assert_eq!(
        told("{ redis = \"any\", postgres = \"any\" }"),
        both("\"any\": a check is either `postgres` or `redis`", "\"any\"")
    );
    assert_eq!(
        told("{ exec = [\"/bin/true\"], tls = true }"),
        both("true: a check by `exec` cannot speak TLS", "[\"/bin/true\"]")
    );
    assert_eq!(
        told("{ http = \"/\", method = \"HEAD\", body = \"ok\" }"),
        both("\"ok\": the answer to HEAD has no body to look at", "\"HEAD\"")
    );
    assert_eq!(
        told("{ tcp = true, interval = \"2s\", fast_interval = \"3s\" }"),
        both("\"3s\": `fast_interval` is longer than the interval of 2s", "\"2s\"")
    );
    assert_eq!(
        told("{ tcp = true, interval = \"2s\", down_interval = \"1s\" }"),
        both("\"1s\": `down_interval` is shorter than the interval of 2s", "\"2s\"")
    );
}

#[test]
fn intervals_may_follow_the_state() {
    let both = check(r#"{ tcp = true, fast_interval = "100ms", down_interval = "30s" }"#);
    let (fast, down) = (Duration::from_millis(100), Duration::from_secs(30));
    assert_eq!((both.fast_interval, both.down_interval), (Some(fast), Some(down)));
    let off = check(r#"{ tcp = true, fast_interval = "off", down_interval = "off" }"#);
    assert_eq!(off, Check::new(CheckKind::Tcp));
}

#[test]
fn values_that_cannot_be_are_told() {
    let cases = [
        (
            "{ postgres = \"master\" }",
            "\"master\": `master` is not known here; write \"primary\" or \"standby\" or \"any\"",
        ),
        (
            "{ exec = [\"check\"] }",
            "[\"check\"]: `check` is no absolute path; $PATH is not searched: begin the program \
          with /, and write each argument as its own word",
        ),
        ("{ http = \"/\", body = \"\" }", "\"\": every body contains the empty text; remove it"),
        (
            "{ http = \"/\", request_headers = { Host = \"a\" } }",
            "{ Host = \"a\" }: the check writes `Host` itself; \
          remove it; the Host header is set with `host`",
        ),
        (
            "{ http = \"/\", expect_headers = { \"A b\" = \"a\" } }",
            "{ \"A b\" = \"a\" }: `A b` cannot be the name of a \
          header field",
        ),
        (
            "{ http = \"/\", request_headers = { A = \"b\\r\\nC: d\" } }",
            "{ A = \"b\\r\\nC: d\" }: `b\\r\\nC: d` cannot \
          be the value of a header field; no control characters, and no space at its ends",
        ),
        (
            "{ grpc = \"a b\" }",
            "\"a b\": `a b` is no gRPC service; write \"package.Service\", or \"\" for the whole server",
        ),
    ];
    for (text, expected) in cases {
        assert_problem(CHECK, text, expected);
    }
}

#[test]
fn live_traffic_counts_unless_it_is_off() {
    let pool = |lines: &str| {
        let parsed = parsed(&with("name = \"app\"\ncheck", &format!("name = \"app\"\n{lines}\ncheck")));
        assert_eq!(super::parsed(&show(&parsed.config)).config, parsed.config);
        let pool = &parsed.config.pools[0];
        (pool.passive.clone(), pool.panic)
    };
    assert_eq!(pool(""), (Some(Passive::default()), None));
    assert_eq!(pool("passive = \"off\"\npanic = \"30%\""), (None, Some(30)));
    let (eject, eject_max) = (Duration::from_secs(1), Duration::from_secs(2));
    let statuses = Failures::NONE.with(503, 503).and_then(|set| set.with(520, 530)).expect("5xx");
    let own = Passive { errors: 3, statuses, eject, eject_max, keep: 80 };
    assert_eq!(
        pool(r#"passive = { errors = 3, statuses = ["520-530", 503], eject = "1s", eject_max = "2s", keep = "80%" }"#).0,
        Some(own)
    );
    assert_problem(
        "check =",
        "passive = { eject = \"1m\", eject_max = \"2s\" }\ncheck =",
        "\"2s\": `eject` of 1m is longer than `eject_max` of 2s; correct one of the two",
    );
    let none = pool("passive = { statuses = [] }").0.expect("not off");
    assert_eq!(none, Passive { statuses: Failures::NONE, ..Passive::default() });
    assert!([502, 504].iter().all(|status| Passive::default().statuses.has(*status)));
    assert!([500, 501, 503, 599].iter().all(|status| !Passive::default().statuses.has(*status)));
    for (given, expected) in [
        (
            "502",
            "502: expected a list of statuses, found an integer; write [502, 504], [\"500-599\"], or [] for none",
        ),
        (
            "[\"404-502\"]",
            "[\"404-502\"]: a status below 500 is no error of a server: 404-502; write statuses from 500 to 599",
        ),
    ] {
        assert_problem("check =", &format!("passive = {{ statuses = {given} }}\ncheck ="), expected);
    }
    assert_problem(
        "check =",
        "panic = \"0%\"\ncheck =",
        "\"0%\": `0%` is no share of the servers; write \"1%\" to \"100%\"",
    );
}
