//! The way to the agent: says over `agent.sock` how the data plane is, hears which frontends are in maintenance, and
//! finds the agent again when it was away.
//!
//! It must never hold the desk up: the latest report waits in a `watch` channel, and older ones that were not sent
//! yet are forgotten. A proxy that was started by hand has no agent; it serves all the same.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::link::{Reply, Report, Request, frame};

/// Sends the latest report whenever there is a new one, for as long as there may be one. Connects again, with
/// back-off, when the agent is not there.
pub(super) async fn run(
    socket: &Path,
    mut reports: watch::Receiver<Report>,
    maintenance: &watch::Sender<Vec<String>>,
) {
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        let begun = Instant::now();
        let why = match UnixStream::connect(socket).await {
            Ok(stream) => match serve(stream, &mut reports, maintenance).await {
                Ended::NoMoreReports => return,
                Ended::Broken(why) => why,
            },
            Err(error) => error.to_string(),
        };
        if begun.elapsed() > LAST_PAUSE {
            (pause, told) = (FIRST_PAUSE, false);
        }
        if !told {
            tracing::warn!("no agent at {}: {why}; serving on and trying again", socket.display());
            told = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The agent has little to say to us: a refusal, or the names of frontends.
const MAX_REPLY: usize = 256 << 10;

/// Why a connection is not used any more.
enum Ended {
    NoMoreReports,
    Broken(String),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Uses one connection until it breaks. The agent is told how things stand first of all.
async fn serve(
    stream: UnixStream,
    reports: &mut watch::Receiver<Report>,
    maintenance: &watch::Sender<Vec<String>>,
) -> Ended {
    let (mut read, mut write) = stream.into_split();
    let mut heard = Vec::new();
    reports.mark_changed();
    loop {
        let result = tokio::select! {
            changed = reports.changed() => match changed {
                Ok(()) => send(&mut write, reports).await,
                Err(_) => return Ended::NoMoreReports,
            },
            read = read.read_buf(&mut heard) => hear(read, &mut heard, maintenance),
        };
        if let Err(ended) = result {
            return ended;
        }
    }
}

async fn send(write: &mut OwnedWriteHalf, reports: &mut watch::Receiver<Report>) -> Result<(), Ended> {
    let report = reports.borrow_and_update().clone();
    Ok(write.write_all(&frame::encode(&Request::Report(report))).await?)
}

/// A refusal ends the connection: whoever answers there does not want our reports.
fn hear(
    read: io::Result<usize>,
    heard: &mut Vec<u8>,
    maintenance: &watch::Sender<Vec<String>>,
) -> Result<(), Ended> {
    if read? == 0 {
        return Err(Ended::Broken("it closed the connection".into()));
    }
    while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
        let line: Vec<_> = heard.drain(..=end).collect();
        match frame::decode(&line).map_err(Ended::Broken)? {
            Reply::Refused { why } | Reply::Forbidden { why } => return Err(Ended::Broken(why)),
            Reply::Close { frontends } => {
                maintenance.send_replace(frontends);
            }
            Reply::Status(_)
            | Reply::Event(_)
            | Reply::Dump { .. }
            | Reply::Done { .. }
            | Reply::Maintenance(_) => {}
        }
    }
    if heard.len() > MAX_REPLY {
        return Err(Ended::Broken("it sends a line without an end".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
