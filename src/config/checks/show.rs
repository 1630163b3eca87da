//! `check` with every default stated, as `vipd check --show` prints it.

use std::time::Duration;

use super::super::quantity::duration_text;
use super::super::tls;
use super::super::track::show::{list, quoted};
use super::{Check, CheckKind, HttpCheck, Method, PostgresCheck, RedisCheck, Role};

/// The value of `check`.
pub(in super::super) fn check(check: &Check) -> String {
    let tls = check.tls.as_ref().map(|tls| format!("tls = {}", tls::show::pool(tls)));
    let what = match (&check.kind, tls) {
        (CheckKind::Tcp, Some(tls)) => tls,
        (kind, Some(tls)) => format!("{}, {tls}", self::kind(kind)),
        (kind, None) => self::kind(kind),
    };
    let (interval, timeout) = (duration_text(check.interval), duration_text(check.timeout));
    let (fast, down) = (or_off(check.fast_interval), or_off(check.down_interval));
    let (rise, fall) = (check.rise, check.fall);
    format!(
        "{{ {what}, interval = \"{interval}\", timeout = \"{timeout}\", fast_interval = \"{fast}\", \
         down_interval = \"{down}\", rise = {rise}, fall = {fall} }}"
    )
}

fn or_off(interval: Option<Duration>) -> String {
    interval.map_or("off".to_owned(), duration_text)
}

fn kind(kind: &CheckKind) -> String {
    match kind {
        CheckKind::Tcp => "tcp = true".to_owned(),
        CheckKind::Http(check) => http(check),
        CheckKind::Exec(words) => format!("exec = {}", list(words)),
        CheckKind::Postgres(PostgresCheck { role, user, database }) => {
            let database = database.as_ref().unwrap_or(user);
            let role = named(*role, ["primary", "standby", "any"]);
            format!("postgres = \"{role}\", user = {}, database = {}", quoted(user), quoted(database))
        }
        CheckKind::Redis(RedisCheck { role, password_file }) => {
            let file = password_file.as_ref().map(|file| quoted(&file.to_string_lossy()));
            let file = file.map_or(String::new(), |file| format!(", password_file = {file}"));
            format!("redis = \"{}\"{file}", named(*role, ["master", "replica", "any"]))
        }
        CheckKind::Grpc(service) => format!("grpc = {}", quoted(service)),
    }
}

fn http(check: &HttpCheck) -> String {
    let HttpCheck { method, path, host, request_headers, expect, expect_headers, body, h2, json } = check;
    let method = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
    };
    let expect: Vec<_> = expect.iter().map(|(low, high)| format!("{low}-{high}")).collect();
    let mut text = format!("http = {}, method = \"{method}\", expect = {}", quoted(path), list(&expect));
    if let Some(host) = host {
        text.push_str(&format!(", host = {}", quoted(host)));
    }
    for (key, fields) in [("request_headers", request_headers), ("expect_headers", expect_headers)] {
        if !fields.is_empty() {
            text.push_str(&format!(", {key} = {}", table(fields)));
        }
    }
    if let Some(body) = body {
        text.push_str(&format!(", body = {}", quoted(body)));
    }
    text + &format!(", h2 = {h2}, json = {json}")
}

fn table(fields: &[(String, String)]) -> String {
    let field = |(name, value): &(String, String)| format!("{} = {}", quoted(name), quoted(value));
    format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

const fn named(role: Role, [writer, follower, any]: [&'static str; 3]) -> &'static str {
    match role {
        Role::Writer => writer,
        Role::Follower => follower,
        Role::Any => any,
    }
}
