//! The alarms of one router: raised when something is seen, counted while it goes on, cleared when it has not been seen
//! for a while. Pure. One alarm of a kind at a time, so that nobody can make the list grow.

use crate::event::{Alarm, Event};
use crate::link::AlarmStatus;
use crate::vrrp::{Span, Time};

/// How long an alarm outlives what it is about, at least.
pub(crate) const HOLD: Span = Span::from_millis(10_000);

/// An alarm that is raised.
#[derive(Debug)]
struct Raised {
    status: AlarmStatus,
    /// When it is cleared unless it is seen again.
    until: Time,
}

/// Those of one router, in the order in which they were raised.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    raised: Vec<Raised>,
}

impl Alarms {
    /// What `alarm` is about was seen: raises it, or counts. It is cleared after `hold` without another sight.
    pub(crate) fn seen(
        &mut self,
        (now, wall_ms): (Time, u64),
        router: &str,
        alarm: Alarm,
        (hold, what): (Span, String),
        events: &mut Vec<Event>,
    ) {
        let until = now + hold.max(HOLD);
        if let Some(raised) = self.raised.iter_mut().find(|raised| raised.status.alarm == alarm) {
            raised.status.count = raised.status.count.saturating_add(1);
            raised.status.what = what;
            raised.until = until;
            return;
        }
        events.push(Event::AlarmRaised { router: router.to_owned(), alarm, what: what.clone() });
        let status = AlarmStatus { alarm, since_ms: wall_ms, count: 1, what };
        self.raised.push(Raised { status, until });
    }

    /// Clears what has not been seen for long enough.
    pub(crate) fn expire(&mut self, now: Time, router: &str, events: &mut Vec<Event>) {
        self.raised.retain(|Raised { status: AlarmStatus { alarm, count, .. }, until }| {
            let stays = now < *until;
            if !stays {
                events.push(Event::AlarmCleared { router: router.to_owned(), alarm: *alarm, count: *count });
            }
            stays
        });
    }

    /// When to call [`Alarms::expire`].
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.raised.iter().map(|raised| raised.until).min()
    }

    /// Those that are raised.
    pub(crate) fn status(&self) -> Vec<AlarmStatus> {
        self.raised.iter().map(|raised| raised.status.clone()).collect()
    }
}
