//! `vipd maintenance`: pages instead of servers, by command.

use std::io::{Write, stdout};

use crate::link::{FrontendMaintenance, MaintenanceStatus, Reply, Request};

use super::args::{Global, MaintenanceOptions, Switch};
use super::client::Client;
use super::exit::{Exit, Failure};

/// Asks the agent and prints how it stands.
pub(crate) fn maintenance(global: &Global, options: MaintenanceOptions) -> Result<(), Failure> {
    let MaintenanceOptions { action, frontends, all: _, json } = options;
    let mut client = Client::connect(&global.runtime_dir())?;
    let request = Request::Maintenance { frontends, on: action == Switch::On };
    let stands = |reply| if let Reply::Maintenance(status) = reply { Some(status) } else { None };
    let status = client.ask_for(&request, stands)?;
    let mut out = stdout();
    if json {
        let line = serde_json::to_string(&status).map_err(|error| Failure::new(Exit::Failed, error))?;
        return Ok(writeln!(out, "{line}")?);
    }
    Ok(out.write_all(text(&status, action).as_bytes())?)
}

/// A line a frontend, and what the other nodes will do.
fn text(status: &MaintenanceStatus, action: Switch) -> String {
    let MaintenanceStatus { node, frontends, others } = status;
    let mut text: String = frontends.iter().map(|front| format!("{node}: {}\n", line(front))).collect();
    if !others.is_empty() {
        let (others, verb) = (others.join(", "), if others.len() == 1 { "does" } else { "do" });
        let then = match action {
            Switch::On => "after a takeover its servers get the requests",
            Switch::Off => "if it was told to begin, it goes on there",
        };
        text += &format!("{others} {verb} not know of it: {then}; give the command there as well\n");
    }
    text
}

fn line(front: &FrontendMaintenance) -> String {
    let FrontendMaintenance { name, tcp, maintenance, in_effect } = front;
    let what = match (maintenance, tcp) {
        (true, false) => "answers with its maintenance page",
        (true, true) => "closes new connections",
        (false, _) => "serves",
    };
    let when = if *in_effect { "from now on" } else { "once the proxy listens: see `vipd status`" };
    format!("{name} {what} {when}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_what_holds_where_and_from_when_on() {
        let front = |name: &str, tcp, maintenance, in_effect| FrontendMaintenance {
            name: name.to_owned(),
            tcp,
            maintenance,
            in_effect,
        };
        let status = |frontends, others: &[&str]| MaintenanceStatus {
            node: "lb1".to_owned(),
            frontends,
            others: others.iter().map(ToString::to_string).collect(),
        };
        let on = status(vec![front("web", false, true, true), front("db", true, true, false)], &["lb2"]);
        assert_eq!(
            text(&on, Switch::On),
            "lb1: web answers with its maintenance page from now on\n\
             lb1: db closes new connections once the proxy listens: see `vipd status`\n\
             lb2 does not know of it: after a takeover its servers get the requests; give the command there as well\n"
        );
        let off = status(vec![front("web", false, false, true)], &[]);
        assert_eq!(text(&off, Switch::Off), "lb1: web serves from now on\n");
    }
}
