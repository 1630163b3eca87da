//! Waiting for a server that has as many requests as it may.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::choose::{Choice, Pick, Picked};
use super::core::Core;
use super::deadline::{Ticks, Timer};
use super::gone::Patient;
use super::problem::Problem;
use crate::pool::{Queue, ServerId, Tried, Woken};

impl Core {
    /// The next server for the request, waited for when there has to be; `None` when no server is left. A client that
    /// leaves while it waits gives up its place.
    pub(super) async fn server(
        &self,
        choice: &Choice,
        tried: &Tried,
        timer: &Timer,
        client: Patient<'_>,
    ) -> Result<Option<Picked>, Problem> {
        match self.pick(choice, tried) {
            Pick::Server(picked) => Ok(Some(picked)),
            Pick::Nobody => Ok(None),
            // What is rare must not make what is not any larger.
            Pick::Busy { queue, wants } => {
                Box::pin(client.unless_gone(self.wait(choice, tried, timer, &queue, wants))).await?
            }
        }
    }

    async fn wait(
        &self,
        choice: &Choice,
        tried: &Tried,
        timer: &Timer,
        queue: &Arc<Queue>,
        mut wants: Option<ServerId>,
    ) -> Result<Option<Picked>, Problem> {
        timer.set(Ticks::new(queue.patience()));
        let waiting = queue.join(wants, tried.clone()).ok_or(Problem::QueueFull)?;
        loop {
            // A place may have become free before we were seen waiting.
            match self.pick(choice, tried) {
                Pick::Server(picked) => return Ok(Some(picked)),
                Pick::Nobody => return Ok(None),
                // The server that it wanted may have left.
                Pick::Busy { wants: now, .. } if now != wants => {
                    wants = now;
                    waiting.turn_to(wants, tried);
                    continue;
                }
                Pick::Busy { .. } => {}
            }
            let woken = poll_fn(|cx| match waiting.poll(cx) {
                Poll::Ready(woken) => Poll::Ready(Some(woken)),
                Poll::Pending if timer.expired() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match woken.await {
                None => return Err(Problem::QueueTimeout),
                Some(Woken::Look) => {}
                Some(Woken::Place(id, place)) => {
                    if let Some(picked) = self.seated(choice, id, place) {
                        return Ok(Some(picked));
                    }
                    // It left the rotation just then.
                    waiting.turn_to(wants, tried);
                }
            }
        }
    }
}
