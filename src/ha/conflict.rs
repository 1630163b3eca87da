//! What one router sees that should not be: who else answers for its addresses, who else advertises its VRID, and how
//! its peers' adverts differ from its own. Pure: the driver shows it what happens and does what it asks for.

use std::net::IpAddr;

use crate::event::{Alarm, Event};
use crate::link::AlarmStatus;
use crate::net::claim::Claim;
use crate::vrrp::{AddressSet, Centis, Family, Priority, Received, Role, Span, Time, Version, Vrid};

use super::alarm::{Alarms, HOLD};
use super::contest::{self, Contest, Order};

/// Another Active that goes on for so many intervals has not heard us.
const INTERVALS: u64 = 3;

/// What our own adverts say, to compare others with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ours {
    pub(crate) router: String,
    pub(crate) vrid: Vrid,
    pub(crate) version: Version,
    pub(crate) interval: Centis,
    /// The addresses, IPv4 and IPv6.
    pub(crate) addresses: [AddressSet; 2],
    /// Whether the network may be asked who has them.
    pub(crate) verify: bool,
}

/// Who sent an advert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// This node of the config.
    Node(String),
    /// Its address is none of the config, and nodes advertise from those.
    Stranger,
    /// It cannot be told: nodes advertise from addresses that are not in the config.
    Unknown,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight<'a> {
    /// The role is this from now on.
    Role(Role),
    /// Someone else claims an address of the router.
    Claim(Claim),
    /// An advert of the router's VRID that is not our own, believed or not.
    Advert(&'a Received, Sender),
    /// The deadline may have come.
    Timer,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    /// Ask the network who has our addresses.
    pub(crate) probe: bool,
    /// Announce them.
    pub(crate) defend: bool,
}

/// Another one that advertises while we are Active.
#[derive(Clone, Copy, Debug)]
struct Rival {
    first: Time,
    last: Time,
}

/// The conflicts of one router.
#[derive(Debug)]
pub(crate) struct Conflicts {
    ours: Ours,
    active: bool,
    contest: Contest,
    rival: Option<Rival>,
    alarms: Alarms,
}

impl Conflicts {
    pub(crate) fn new(ours: Ours) -> Self {
        let (contest, alarms) = (Contest::new(ours.verify), Alarms::default());
        Self { ours, active: false, contest, rival: None, alarms }
    }

    /// The only door. `wall_ms` is for humans alone.
    pub(crate) fn handle(
        &mut self,
        now: Time,
        wall_ms: u64,
        sight: &Sight<'_>,
        events: &mut Vec<Event>,
    ) -> Asks {
        let mut orders = Vec::new();
        match sight {
            Sight::Role(role) => self.enter(now, *role, &mut orders),
            // Another router of the group that is about to be Active: the adverts decide, and one that announces before
            // it advertises must not be talked over for good.
            Sight::Claim(claim) if claim.mac == self.ours.vrid.mac(Family::of(claim.address)) => {}
            Sight::Claim(claim) => self.contest.handle(now, contest::Input::Claimed(*claim), &mut orders),
            Sight::Advert(advert, sender) => self.compare((now, wall_ms), advert, sender, events),
            Sight::Timer => {
                self.contest.handle(now, contest::Input::Timer, &mut orders);
                self.alarms.expire(now, &self.ours.router, events);
            }
        }
        let mut asks = Asks::default();
        for order in orders {
            match order {
                Order::Probe => asks.probe = true,
                Order::Defend => asks.defend = true,
                Order::Duplicate(claim) => {
                    let what = duplicate(claim);
                    self.raise((now, wall_ms), Alarm::DuplicateAddress, HOLD, what, events);
                }
            }
        }
        asks
    }

    /// When to call back with [`Sight::Timer`].
    pub(crate) fn deadline(&self) -> Option<Time> {
        [self.contest.deadline(), self.alarms.deadline()].into_iter().flatten().min()
    }

    /// The alarms that are raised.
    pub(crate) fn alarms(&self) -> Vec<AlarmStatus> {
        self.alarms.status()
    }

    fn enter(&mut self, now: Time, role: Role, orders: &mut Vec<Order>) {
        let active = role == Role::Active;
        if active != self.active {
            self.active = active;
            self.rival = None;
            let input = if active { contest::Input::Began } else { contest::Input::Ended };
            self.contest.handle(now, input, orders);
        }
    }

    fn compare(&mut self, at: (Time, u64), advert: &Received, sender: &Sender, events: &mut Vec<Event>) {
        let hold = advert.interval.span().times(INTERVALS + 1);
        if let Sender::Stranger = sender {
            let what = stranger(self.ours.vrid, advert);
            return self.raise(at, Alarm::Stranger, hold, what, events);
        }
        // In words only when there is something to say: most adverts are in order.
        let who = || match sender {
            Sender::Node(name) => format!("{name} ({})", advert.source),
            Sender::Unknown | Sender::Stranger => advert.source.to_string(),
        };
        if advert.priority != Priority::RESIGN && self.persists(at.0, advert) {
            self.raise(at, Alarm::TwoActives, hold, two_actives(&who(), advert.priority), events);
        }
        if advert.interval != self.ours.interval {
            self.raise(at, Alarm::IntervalDiffers, hold, self.interval(&who(), advert), events);
        }
        let own = self.ours.addresses[usize::from(matches!(advert.source, IpAddr::V6(_)))];
        if advert.addresses != own {
            self.raise(at, Alarm::AddressesDiffer, hold, addresses(&who(), advert.addresses, own), events);
        }
    }

    /// Whether others have been advertising for longer than they need to hear us and give way.
    fn persists(&mut self, now: Time, advert: &Received) -> bool {
        if !self.active {
            return false;
        }
        let patience = advert.interval.span().max(self.ours.interval.span()).times(INTERVALS);
        let rival = self.rival.filter(|rival| now.since(rival.last) <= patience);
        let first = rival.map_or(now, |rival| rival.first);
        self.rival = Some(Rival { first, last: now });
        now.since(first) > patience
    }

    fn raise(&mut self, at: (Time, u64), alarm: Alarm, hold: Span, what: String, events: &mut Vec<Event>) {
        self.alarms.seen(at, &self.ours.router, alarm, (hold, what), events);
    }

    fn interval(&self, who: &str, advert: &Received) -> String {
        let (theirs, ours) = (advert.interval, self.ours.interval);
        let so = match self.ours.version {
            Version::V2 => ", so its adverts are refused",
            Version::V3 => "",
        };
        format!(
            "{who} advertises every {theirs}, our advert_interval is {ours}{so}: write the same interval on every node"
        )
    }
}

fn duplicate(Claim { address, mac: [a, b, c, d, e, f] }: Claim) -> String {
    format!(
        "the host at {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} answers for {address} as well: find it by that \
         address in the switch's table and take {address} off it; until then it is announced again and again (a router \
         that answers for every address, as proxy ARP does, is no mistake there: set verify = \"off\")"
    )
}

fn stranger(vrid: Vrid, advert: &Received) -> String {
    let Received { source, priority, .. } = advert;
    format!(
        "{source} is no [[node]] of the config and advertises our VRID {vrid} with priority {priority}: add it as a \
         [[node]], or give one of the two groups another vrid"
    )
}

fn two_actives(who: &str, priority: Priority) -> String {
    format!(
        "{who} advertises with priority {priority} although this node is Active: it does not hear us or does not \
         believe us; look at its status, and for a firewall that drops IP protocol 112 on the way there"
    )
}

fn addresses(who: &str, theirs: AddressSet, ours: AddressSet) -> String {
    let differ = if theirs.count == ours.count {
        "other addresses than we do".to_owned()
    } else {
        format!("{} addresses where we list {}", theirs.count, ours.count)
    };
    format!(
        "{who} lists {differ}: some would be lost in a takeover; write the same `addresses` on every node"
    )
}

#[cfg(test)]
mod tests;
