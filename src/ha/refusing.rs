//! Packets that are not believed: counted by reason, and in a flood sampled by the kernel.

use crate::config::Router;
use crate::net::vrrp_filter::SAMPLE;
use crate::vrrp::{Refusal, Refusals, Time};

use super::flood::{Change, Flood};
use super::wires::Wires;

/// What is refused, and whether it is a flood.
#[derive(Debug, Default)]
pub(crate) struct Refusing {
    refusals: Refusals,
    flood: Flood,
}

impl Refusing {
    /// Packets refused since the start, by reason; estimates for the time of a flood.
    pub(crate) fn seen(&self) -> Vec<(String, u64)> {
        self.refusals.seen().map(|(refusal, count)| (refusal.to_string(), count)).collect()
    }

    /// In a flood, how many refused packets each one that is read stands for.
    pub(crate) fn sampling(&self) -> Option<u32> {
        self.flood.is_on().then_some(SAMPLE)
    }

    /// Counted always, logged when the count passes a power of two: a flood costs a line now and then.
    pub(crate) fn refuse(&mut self, refusal: Refusal, times: u64) {
        let count = self.refusals.count(refusal, times);
        self.flood.refused(times);
        // Other groups on the same network are nothing to worry about.
        let tells = refusal != Refusal::UnknownVrid && (count - times).checked_ilog2() != Some(count.ilog2());
        if tells {
            tracing::warn!("refused a VRRP packet, {refusal} ({count} so far)");
        }
    }

    /// Has the kernel sample what none of `routers` could take while there is a flood of it.
    pub(crate) fn check(&mut self, now: Time, wires: &mut Wires, routers: &[Router]) {
        let Some(change) = self.flood.check(now) else { return };
        let changed = match change {
            Change::Begins => wires.sample(Some(routers)),
            Change::Ends => wires.sample(None),
        };
        match (change, changed) {
            (Change::Begins, Ok(())) => {
                tracing::warn!("a flood of refused VRRP packets: 1 in {SAMPLE} is read and counted for all");
            }
            (Change::Ends, Ok(())) => {
                tracing::info!("the flood of refused VRRP packets is over: each one is counted again");
            }
            (_, Err(error)) => {
                tracing::warn!("the kernel does not change the filter of VRRP packets: {error}");
            }
        }
    }
}
