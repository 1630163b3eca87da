//! Which of the paths of one router's adverts lives, as a Backup sees it. Pure.
//!
//! A path is lost when nothing came on it for an Active_Down_Interval while the other one brought adverts: silence on
//! both is the machine's business. So a loss is found when an advert comes, and no timer is needed. An Active hears
//! nobody, and knows nothing of its paths.

use crate::event::{AdvertPath, Event};
use crate::link::PathState;
use crate::vrrp::{Span, Time};

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The adverts of the protocol.
    Main,
    /// The UDP heartbeat.
    Heartbeat,
}

/// What is known of one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) path: AdvertPath,
    pub(crate) state: PathState,
    /// For humans: when it came to this state.
    pub(crate) since_ms: u64,
    /// Believed adverts since the start.
    pub(crate) received: u64,
    /// How often it was lost since the start.
    pub(crate) losses: u64,
    heard: Option<Time>,
    /// Its loss was told, and its return was not yet.
    missed: bool,
}

/// Both paths of one router.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    paths: [Path; 2],
    watching: bool,
    /// Since when something has been heard on any path without a longer pause.
    began: Time,
    last: Option<Time>,
}

impl Paths {
    /// `main` is how the protocol's own adverts travel.
    pub(crate) fn new(main: AdvertPath, wall_ms: u64) -> Self {
        let path = |path| Path {
            path,
            state: PathState::Unknown,
            since_ms: wall_ms,
            received: 0,
            losses: 0,
            heard: None,
            missed: false,
        };
        let paths = [main, AdvertPath::Heartbeat].map(path);
        Self { paths, watching: false, began: Time::ZERO, last: None }
    }

    /// The main one first.
    pub(crate) const fn both(&self) -> &[Path; 2] {
        &self.paths
    }

    /// From now on the router is a Backup, or it is none.
    pub(crate) fn watch(&mut self, wall_ms: u64, backup: bool) {
        if backup == self.watching {
            return;
        }
        (self.watching, self.last) = (backup, None);
        for path in &mut self.paths {
            path.heard = None;
            path.enter(PathState::Unknown, wall_ms);
        }
    }

    /// A believed advert came on a path. `interval` is that of its sender, `down` is the Active_Down_Interval.
    pub(crate) fn heard(
        &mut self,
        (now, wall_ms): (Time, u64),
        which: Which,
        (interval, down): (Span, Span),
        router: &str,
        events: &mut Vec<Event>,
    ) {
        // After a pause of everybody each path gets its time anew: one of them is always first.
        if self.last.is_none_or(|last| now.since(last) > interval.times(2)) {
            self.began = now;
        }
        self.last = Some(now);
        let [main, heartbeat] = &mut self.paths;
        let (this, other) = match which {
            Which::Main => (main, heartbeat),
            Which::Heartbeat => (heartbeat, main),
        };
        this.received += 1;
        this.heard = Some(now);
        if std::mem::take(&mut this.missed) {
            events.push(Event::PathBack { router: router.to_owned(), path: this.path });
        }
        if !self.watching {
            return;
        }
        this.enter(PathState::Alive, wall_ms);
        let silent_since = other.heard.map_or(self.began, |heard| heard.max(self.began));
        if now.since(silent_since) >= down {
            other.enter(PathState::Lost, wall_ms);
            if !std::mem::replace(&mut other.missed, true) {
                other.losses += 1;
                let (router, path, what) = (router.to_owned(), other.path, remedy(other.path).to_owned());
                events.push(Event::PathLost { router, path, what });
            }
        }
    }
}

impl Path {
    fn enter(&mut self, state: PathState, wall_ms: u64) {
        if self.state != state {
            (self.state, self.since_ms) = (state, wall_ms);
        }
    }
}

const fn remedy(path: AdvertPath) -> &'static str {
    match path {
        AdvertPath::Multicast => {
            "the heartbeat alone holds this node back; look for a switch or firewall that drops IP protocol 112 to \
             224.0.0.18 or ff02::12"
        }
        AdvertPath::Unicast => {
            "the heartbeat alone holds this node back; look for a firewall that drops IP protocol 112"
        }
        AdvertPath::Heartbeat => {
            "look at the link between the nodes' heartbeat addresses, and for a firewall that drops the UDP port"
        }
    }
}

#[cfg(test)]
mod tests;
