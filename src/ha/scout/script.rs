//! Runs a program and says whether it exited with 0 in time.

use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::config::{Command, Pace, duration_text};
use crate::net::program::{NotStarted, Order, Program, describe};

use super::super::track::{Finding, Standing};
use super::{News, every};

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn watch(
    command: Command,
    environment: Vec<(&'static str, String)>,
    pace: Pace,
    news: News,
) {
    let order = Order { words: command.words, user: command.user, environment, input: Vec::new() };
    every(pace.interval, || attempt(&order, pace.timeout, &news)).await;
}

/// The failure is told as soon as it is one; the next attempt waits until this program is gone.
async fn attempt(order: &Order, limit: Duration, news: &News) {
    let deadline = Instant::now() + limit;
    let late = || format!("took longer than {}", duration_text(limit));
    let mut start = pin!(Program::start(order.clone()));
    let mut program = match timeout_at(deadline, &mut start).await {
        Ok(Ok(program)) => program,
        Ok(Err(NotStarted::Refused(why))) => {
            return news.send(Finding::Fact { standing: Standing::Failing, why }).await;
        }
        Ok(Err(NotStarted::Failed(why))) => return news.failed(why).await,
        Err(_) => {
            news.failed(format!("{} to start", late())).await;
            if let Ok(program) = start.await {
                stop(program).await;
            }
            return;
        }
    };
    match timeout_at(deadline, program.ended()).await {
        Ok(Ok(status)) => tell(status, &program, news).await,
        Ok(Err(error)) => news.failed(format!("it could not be watched: {error}")).await,
        Err(_) => {
            news.failed(said(&late(), &program)).await;
            stop(program).await;
        }
    }
}

async fn tell(status: ExitStatus, program: &Program, news: &News) {
    let why = said(&describe(status), program);
    if status.success() { news.passed(why).await } else { news.failed(why).await }
}

fn said(how: &str, program: &Program) -> String {
    program.first_line().map_or_else(|| how.to_owned(), |line| format!("{how}: {line}"))
}

async fn stop(mut program: Program) {
    program.terminate();
    if timeout(GRACE, program.ended()).await.is_err() {
        program.kill();
        let _gone = program.ended().await;
    }
}
