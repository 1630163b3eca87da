//! What the config says of good and of bad files.

mod auth;
mod balance;
mod blind;
mod checks;
mod heartbeat;
mod identify;
mod maintenance;
mod per_source;
mod placed;
mod proxy_protocol;
mod queue;
mod random;
mod request_route;
mod routes;
mod sample;
mod tls;
mod track;
mod values;
mod vmac;
mod warnings;
mod whole;

use super::*;

const SMALL: &str = r#"
[[node]]
name = "lb1"
address = "10.77.0.1"
priority = 200

[[node]]
name = "lb2"
address = "10.77.0.2"
priority = 100

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
addresses = ["10.77.0.100/24"]

[[frontend]]
name = "web"
bind = ["10.77.0.100:80"]
pool = "app"

[[pool]]
name = "app"
check = { http = "/health" }
server = [{ name = "app1", address = "10.77.0.11:8080" }, { name = "app2", address = "10.77.0.12:8080" }]
"#;

const LAB: &str = include_str!("../../../config/lab.toml");

fn parsed(text: &str) -> Parsed {
    parse("vipd.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// `SMALL` with one piece replaced; the piece must be there.
fn with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old} is not in the small config");
    SMALL.replacen(old, new, 1)
}

/// Each problem as `text at the place: message; help`.
fn problems(text: &str) -> Vec<String> {
    let list = match parse("vipd.toml", text) {
        Ok(parsed) => parsed.warnings,
        Err(errors) => errors.problems,
    };
    list.into_iter()
        .map(|problem| {
            let kind = if problem.severity == Severity::Warning { "warning: " } else { "" };
            let help = problem.help.map_or(String::new(), |help| format!("; {help}"));
            format!("{kind}{}: {}{help}", &text[problem.place.clone()], problem.message)
        })
        .collect()
}

/// One piece replaced gives exactly this problem.
#[track_caller]
fn assert_problem(old: &str, new: &str, expected: &str) {
    assert_eq!(problems(&with(old, new)), [expected]);
}
