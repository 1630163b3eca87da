//! Asks a gateway whether it is there.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use tokio::time::timeout;

use crate::config::{Pace, duration_text};
use crate::net::ping::{self, Question};

use super::News;

pub(super) async fn watch(gateway: Ipv4Addr, first: Question, pace: Pace, news: News) {
    let mut question = first;
    super::every(pace.interval, || {
        question.sequence = question.sequence.wrapping_add(1);
        attempt(gateway, question, pace, news.clone())
    })
    .await;
}

async fn attempt(gateway: Ipv4Addr, question: Question, pace: Pace, news: News) {
    match timeout(pace.timeout, ping::ask(gateway, question)).await {
        Ok(Ok(())) => news.passed("it answers a ping").await,
        Ok(Err(error)) if error.kind() == ErrorKind::NetworkUnreachable => {
            news.failed("there is no route to it").await;
        }
        Ok(Err(error)) => news.failed(format!("it cannot be asked: {error}")).await,
        Err(_) => news.failed(format!("no answer to a ping within {}", duration_text(pace.timeout))).await,
    }
}
