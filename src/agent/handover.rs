//! `vipd handover`: offers the role, and takes the offer back when nobody takes it.
//!
//! The node that is Active offers with priority 0 and goes on serving at priority 1. A fit peer takes over within
//! Skew_Time and this node lets go when it hears so: no moment without a holder, and no handover into nothing.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::link::{Reply, RouterStatus};
use crate::net::clock;
use crate::vrrp::timing::active_down_interval;
use crate::vrrp::{Priority, Time};

use super::desk::Desk;

/// For the peer's kernel and ours, on top of the protocol's own time.
const MARGIN: Duration = Duration::from_millis(500);

/// A handover that waits for someone to take over.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) deadline: Instant,
    routers: Vec<usize>,
    asked_at: Time,
    reply: mpsc::Sender<Reply>,
}

impl Desk {
    /// Offers those of `routers` that are Active here, or says why there is nothing to offer.
    pub(super) async fn hand_over(
        &mut self,
        routers: &[usize],
        reply: &mpsc::Sender<Reply>,
    ) -> io::Result<Result<(), String>> {
        let routers: Vec<_> = routers.iter().copied().filter(|router| self.is_active(*router)).collect();
        let status = self.ha.status();
        let longest = routers
            .iter()
            .map(|router| {
                active_down_interval(
                    status[*router].version,
                    Priority::UNFIT,
                    status[*router].advert_interval,
                )
            })
            .max();
        let Some(longest) = longest else {
            return Ok(Err(format!("{} is not Active: there is nothing to hand over", self.node)));
        };
        let asked_at = clock::now();
        for router in &routers {
            self.ha.stand_back(*router, true).await?;
        }
        let deadline = Instant::now() + longest.as_duration() + MARGIN;
        self.handovers.push(Handover { deadline, routers, asked_at, reply: reply.clone() });
        Ok(Ok(()))
    }

    /// Competes again at the configured priority.
    pub(super) async fn undo(&mut self, routers: &[usize]) -> io::Result<Reply> {
        for router in routers {
            self.ha.stand_back(*router, false).await?;
        }
        Ok(Reply::Done { message: format!("{} competes again at its own priority", self.node) })
    }

    /// Answers the handovers that came to an end, one way or the other.
    pub(super) async fn settle_handovers(&mut self) -> io::Result<()> {
        for handover in std::mem::take(&mut self.handovers) {
            let kept: Vec<_> =
                handover.routers.iter().copied().filter(|router| self.is_active(*router)).collect();
            if kept.is_empty() {
                let message = self.handed_over(&handover);
                let _gone = handover.reply.try_send(Reply::Done { message });
            } else if Instant::now() >= handover.deadline {
                self.undo(&kept).await?;
                let why = format!(
                    "nobody took over: no fit peer was heard; {} serves on at its own priority",
                    self.node
                );
                let _gone = handover.reply.try_send(Reply::Refused { why });
            } else {
                self.handovers.push(handover);
            }
        }
        Ok(())
    }

    fn handed_over(&self, handover: &Handover) -> String {
        let took = clock::now().since(handover.asked_at);
        let status = self.ha.status();
        let moved = handover
            .routers
            .iter()
            .map(|router| format!("{} to {}", status[*router].name, peer(&status[*router])));
        let moved = moved.collect::<Vec<_>>().join(", ");
        format!("handed over {moved} in {took}; `vipd handover --undo` competes again")
    }
}

fn peer(router: &RouterStatus) -> String {
    let peer = router.peer.as_ref();
    peer.map_or_else(
        || "a peer".to_owned(),
        |peer| peer.name.clone().unwrap_or_else(|| peer.address.to_string()),
    )
}
