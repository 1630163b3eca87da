//! One check of one server: by its kind, within its time, told in words for a human.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::connect::{Connectors, open};
use super::http::Kept;
use super::words::{CONNECTING, Outcome, Passed, Stage, UNABLE, length};
use super::{Target, exec, grpc, http, postgres, redis};
use crate::config::CheckKind;
use crate::pool::Observation;

/// What a check saw.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// `None`: nothing, because this node could not ask.
    pub(super) observation: Option<Observation>,
    pub(super) why: String,
    pub(super) own_name: Option<String>,
}

/// Checks `target` once within `limit` (what is left of the check's timeout). `line` has the connection of the check
/// before, and afterwards that for the next.
pub(super) async fn probe(
    target: &Target,
    connectors: &Connectors,
    line: &mut Option<Kept>,
    limit: Duration,
) -> Sight {
    let begun = Instant::now();
    let mut stage = CONNECTING;
    let failed = |why| Sight { observation: Some(Observation::Fail), why, own_name: None };
    match timeout(limit, ask(target, connectors, line, &mut stage)).await {
        Ok(Ok(Passed { words, own_name })) => {
            let why = format!("{words} in {}", length(begun.elapsed()));
            Sight { observation: Some(Observation::Pass), why, own_name }
        }
        Ok(Err(why)) if stage == UNABLE => Sight { observation: None, why, own_name: None },
        Ok(Err(why)) => failed(why),
        Err(_) => failed(format!("timed out after {} {stage}", length(target.check.timeout))),
    }
}

async fn ask(
    target: &Target,
    connectors: &Connectors,
    line: &mut Option<Kept>,
    stage: &mut Stage,
) -> Outcome {
    match &target.check.kind {
        CheckKind::Tcp => {
            open(target, connectors, stage).await?;
            let words = if target.check.tls.is_some() { "connected by TLS" } else { "connected" };
            Ok(Passed::new(words))
        }
        CheckKind::Http(check) => http::ask(check, target, connectors, line, stage).await,
        CheckKind::Exec(words) => exec::run(words, target, stage).await,
        CheckKind::Postgres(check) => postgres::ask(check, target, connectors, stage).await,
        CheckKind::Redis(check) => redis::ask(check, target, connectors, stage).await,
        CheckKind::Grpc(service) => grpc::ask(service, target, connectors, stage).await,
    }
}

#[cfg(test)]
mod tests;
