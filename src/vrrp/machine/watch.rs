//! The Backup's watch over the Active (RFC 9568 §6.4.2): whose adverts hold it back, and until when.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Effect, Machine, State, Why};
use crate::vrrp::timing::{active_down_interval, skew_time};
use crate::vrrp::{Centis, Family, Preempt, Priority, Received, Role, Time, stall};

/// A Backup's view of the Active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Our own primary address.
    pub(super) source: IpAddr,
    /// When Active_Down_Timer was set.
    armed_at: Time,
    /// Active_Adver_Interval, learned from the Active.
    interval: Centis,
    /// Whose adverts set the timer, IPv4 and IPv6; `None` before the first.
    followed: [Option<IpAddr>; 2],
    /// The followed Active gave the role up.
    resigned: bool,
    /// A lower advert that was not allowed to set the timer.
    discarded: Option<(IpAddr, Priority)>,
    /// It came to its deadline too late and listens once more.
    again: bool,
    /// When the first lower advert was heard from an Active that may go on for a while (preempt after a delay).
    lower_since: Option<Time>,
}

impl Watch {
    pub(super) fn begin(source: IpAddr, now: Time, interval: Centis) -> Self {
        Self {
            source,
            armed_at: now,
            interval,
            followed: [None, None],
            resigned: false,
            discarded: None,
            again: false,
            lower_since: None,
        }
    }

    pub(super) fn follow(&mut self, now: Time, advert: &Received) {
        self.armed_at = now;
        self.interval = advert.interval;
        self.followed[wire_of(advert.source)] = Some(advert.source);
        self.resigned = false;
        self.discarded = None;
        self.again = false;
    }

    /// The Active that was heard last on the first wire that has one.
    fn active(&self) -> Option<IpAddr> {
        self.followed.into_iter().flatten().next()
    }
}

/// The place of a family's wire.
const fn wire_of(source: IpAddr) -> usize {
    match Family::of(source) {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

impl Machine {
    pub(super) fn down_at(&self, watch: &Watch) -> Time {
        let version = self.params.version;
        let wait = match (watch.resigned, self.priority == Priority::UNFIT) {
            (false, _) => active_down_interval(version, self.priority, watch.interval),
            (true, false) => skew_time(version, self.priority, watch.interval),
            (true, true) => skew_time(version, self.priority, watch.interval) + watch.interval.span(),
        };
        watch.armed_at + wait
    }

    pub(super) fn watch_timer(&mut self, now: Time, mut watch: Watch, out: &mut Vec<Effect>) {
        let deadline = self.down_at(&watch);
        if now < deadline {
            return;
        }
        if !watch.again && stall::of_backup(watch.interval, deadline, now) {
            (watch.again, watch.resigned, watch.armed_at) = (true, false, now);
            self.state = State::Backup(watch);
            return;
        }
        let why = match (watch.discarded, watch.active()) {
            (Some((peer, priority)), _) => Why::Preempts(peer, priority),
            (None, Some(peer)) if watch.resigned => Why::Resigned(peer),
            (None, _) => Why::Silence(now.since(watch.armed_at)),
        };
        self.take_over(now, watch.source, Role::Backup, why, out);
    }

    pub(super) fn watch_advert(&mut self, now: Time, mut watch: Watch, advert: Received) {
        if advert.priority == Priority::RESIGN {
            if watch.followed[wire_of(advert.source)] == Some(advert.source) && !watch.resigned {
                watch.resigned = true;
                watch.armed_at = now;
            }
        } else if self.follows(now, &mut watch, advert.priority) {
            // "Set Active_Adver_Interval to Max Advertise Interval contained in the ADVERTISEMENT; recompute the
            // Skew_Time; recompute the Active_Down_Interval; reset the Active_Down_Timer".
            watch.follow(now, &advert);
        } else {
            watch.discarded = Some((advert.source, advert.priority));
        }
        self.state = State::Backup(watch);
    }

    /// "If Preempt_Mode is False, or if the priority in the ADVERTISEMENT is greater than or equal to the local
    /// priority"; an unfit Active is never followed by a fit Backup.
    fn follows(&self, now: Time, watch: &mut Watch, theirs: Priority) -> bool {
        if theirs >= self.priority {
            watch.lower_since = None;
            return true;
        }
        match self.params.preempt {
            // "The router that owns the addresses always preempts, independent of this flag" (§6.1).
            _ if self.priority == Priority::OWNER => false,
            Preempt::Always => false,
            Preempt::Never => theirs > Priority::UNFIT,
            Preempt::After(delay) => {
                let since = *watch.lower_since.get_or_insert(now);
                theirs > Priority::UNFIT && now < since + delay
            }
        }
    }
}
