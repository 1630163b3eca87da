//! The state machine of one virtual router on one node (RFC 9568 §6.4): inputs and time in, effects out.
//!
//! One door, [`Machine::handle`], and one deadline. It never blocks, never fails and never panics on what a peer
//! says. A timer lives in the state that needs it, so one that makes no sense cannot fire.
//!
//! Where it goes beyond the RFC, and why:
//! * A node that is not fit to serve competes with [`Priority::UNFIT`]. While it is Active it keeps the addresses
//!   until someone better advertises: half a service is better than none.
//!   It offers them with priority 0 when it becomes unfit and with every tenth advert after that: a peer that does not
//!   preempt takes them over no other way, and it may have missed an offer, or have come later.
//! * An advert of priority 1 does not hold back a fit Backup, whatever its Preempt_Mode: unfit yields to fit.
//! * An unfit Backup that hears priority 0 waits one interval longer, so that fit nodes, and the unfit Active that
//!   only offered the role, have the first word.
//! * Priority 0 counts only from the Active that is followed: a stranger cannot start an election.
//! * A router with addresses of both families is one machine that advertises on both wires and hears both. So its
//!   addresses move together, and an advert on either wire holds a Backup back. Equal priorities are decided by the
//!   addresses of the first family alone, lest the two wires disagree.
//! * An Active that was away for as long as any peer needs to take over, or finds that one has ([`Why::Stalled`]), lets the addresses go and
//!   listens like a node that has just started; the RFC would have it advertise, from a belief that is stale. The
//!   owner goes on: nobody may outrank it. A Backup that comes to its deadline an interval too late listens once more
//!   before it concludes that the Active is silent.
//! * An Active that yields to a better one advertises once more ([`Params::farewell`]): two halves of a network that meet
//!   again have two, and the one that stays may have heard nobody. It answers, and announces its addresses to hosts
//!   that the other one has told last.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::announce::{Announcements, Refresh};
use super::stall;
use super::{Centis, Family, Preempt, Priority, Received, Role, Span, Time, Version};

mod watch;

use watch::Watch;

/// An unfit Active offers the role with one advert in so many.
const OFFER_EVERY: u64 = 10;

/// What a virtual router is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// The protocol version: version 2 has another Skew_Time and learns no interval.
    pub version: Version,
    /// Advertisement_Interval.
    pub interval: Centis,
    /// Preempt_Mode.
    pub preempt: Preempt,
    /// How often the Active announces its addresses again; `None`: only when something happened.
    pub refresh: Option<Refresh>,
    /// An Active that yields says so with a last advert. Not for addresses whose MAC address moves with them: nobody has
    /// learned another, and a switch would learn the port of the loser again.
    pub farewell: bool,
}

/// Everything that can happen to a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// It may take part: the interface is up and has this primary address.
    Startup {
        /// Source of our adverts; decides between equal priorities.
        source: IpAddr,
    },
    /// The node stops.
    Shutdown,
    /// It cannot take part: no interface, no listener, no address.
    Fault,
    /// The deadline may have come.
    Timer,
    /// A believed advert of this virtual router.
    Advert(Received),
    /// What to compete with from now on; [`Priority::UNFIT`] offers the role to anyone better.
    Compete(Priority),
    /// Another host says that an address of the router is its own.
    Contested,
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Send an ADVERTISEMENT with this priority.
    SendAdvert(Priority),
    /// Put the addresses on the interface.
    Claim,
    /// Say on the wire whose addresses they are (gratuitous ARP).
    Announce,
    /// Take the addresses off the interface.
    Release,
    /// Tell humans.
    Moved {
        /// The role until now.
        from: Role,
        /// The role from now on.
        to: Role,
        /// Why.
        why: Why,
    },
}

/// Why a role changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The router may take part.
    Started,
    /// The node was away for this long: whether it still is the Active is not known.
    Stalled(Span),
    /// It owns the addresses.
    Owner,
    /// The node stops.
    Stopped,
    /// It cannot take part.
    Fault,
    /// Nobody advertised for this long.
    Silence(Span),
    /// The Active gave the role up.
    Resigned(IpAddr),
    /// This peer of lower priority may not keep the role.
    Preempts(IpAddr, Priority),
    /// This peer advertised a higher priority.
    HigherPriority(IpAddr, Priority),
    /// This peer has the same priority and the higher address.
    HigherAddress(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Initialize,
    Backup(Watch),
    Active {
        source: IpAddr,
        next_advert: Time,
        last_advert: Time,
        /// From when on an unfit node offers the role again.
        next_offer: Time,
        announcements: Announcements,
    },
}

/// One virtual router on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    params: Params,
    priority: Priority,
    state: State,
}

impl Machine {
    /// A router in Initialize that will compete with `priority`.
    pub const fn new(params: Params, priority: Priority) -> Self {
        Self { params, priority, state: State::Initialize }
    }

    /// Its role.
    pub const fn role(&self) -> Role {
        match self.state {
            State::Initialize => Role::Initialize,
            State::Backup(_) => Role::Backup,
            State::Active { .. } => Role::Active,
        }
    }

    /// What it competes with.
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// When to call back with [`Input::Timer`]; `None` in Initialize.
    pub fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Initialize => None,
            State::Backup(watch) => Some(self.down_at(watch)),
            State::Active { next_advert, announcements, .. } => {
                Some(announcements.deadline().map_or(*next_advert, |announce| announce.min(*next_advert)))
            }
        }
    }

    /// The only door: appends to `out` what is to be done, in order.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Effect>) {
        if !matches!(input, Input::Shutdown | Input::Fault) {
            let replaced = matches!(input, Input::Advert(advert) if advert.priority != Priority::RESIGN);
            self.doubt(now, replaced, out);
        }
        match (self.state, input) {
            (_, Input::Compete(priority)) => self.compete(now, priority, out),
            (State::Initialize, Input::Startup { source }) => self.start(now, source, out),
            (
                State::Initialize,
                Input::Shutdown | Input::Fault | Input::Timer | Input::Advert(_) | Input::Contested,
            ) => {}
            (_, Input::Shutdown) => self.leave(Why::Stopped, out),
            (_, Input::Fault) => self.leave(Why::Fault, out),
            (State::Backup(watch), Input::Timer) => self.watch_timer(now, watch, out),
            (State::Backup(watch), Input::Advert(advert)) => self.watch_advert(now, watch, advert),
            (State::Active { .. }, Input::Timer) => self.serve_timer(now, out),
            (State::Active { source, .. }, Input::Advert(advert)) => {
                self.serve_advert(now, source, advert, out);
            }
            (State::Active { .. }, Input::Contested) => self.defend(now, out),
            (State::Backup(_), Input::Contested)
            | (State::Backup(_) | State::Active { .. }, Input::Startup { .. }) => {}
        }
    }

    /// RFC 9568 §6.4.1: the owner serves at once, everyone else listens for a whole Active_Down_Interval first.
    fn start(&mut self, now: Time, source: IpAddr, out: &mut Vec<Effect>) {
        if self.priority == Priority::OWNER {
            self.take_over(now, source, Role::Initialize, Why::Owner, out);
            return;
        }
        self.state = State::Backup(Watch::begin(source, now, self.params.interval));
        out.push(Effect::Moved { from: Role::Initialize, to: Role::Backup, why: Why::Started });
    }

    /// An Active that was away for too long is none until it has listened.
    fn doubt(&mut self, now: Time, replaced: bool, out: &mut Vec<Effect>) {
        let State::Active { source, last_advert, .. } = self.state else { return };
        let Params { version, interval, .. } = self.params;
        let silent = stall::of_active(version, interval, last_advert, replaced, now);
        let Some(silent) = silent else { return };
        if self.priority == Priority::OWNER {
            return;
        }
        self.state = State::Backup(Watch::begin(source, now, interval));
        let why = Why::Stalled(silent);
        out.extend([Effect::Release, Effect::Moved { from: Role::Active, to: Role::Backup, why }]);
    }

    fn leave(&mut self, why: Why, out: &mut Vec<Effect>) {
        let from = self.role();
        if from == Role::Active {
            out.extend([Effect::SendAdvert(Priority::RESIGN), Effect::Release]);
        }
        self.state = State::Initialize;
        out.push(Effect::Moved { from, to: Role::Initialize, why });
    }

    /// A change of priority moves no address by itself: the next adverts tell the others.
    fn compete(&mut self, now: Time, priority: Priority, out: &mut Vec<Effect>) {
        let offers = priority == Priority::UNFIT && self.priority != Priority::UNFIT;
        if priority == self.priority {
            return;
        }
        self.priority = priority;
        let pause = self.offer_pause();
        if let State::Active { next_advert, last_advert, next_offer, .. } = &mut self.state {
            out.push(Effect::SendAdvert(if offers { Priority::RESIGN } else { priority }));
            *last_advert = now;
            *next_advert = now + self.params.interval.span();
            *next_offer = now + pause;
        }
    }

    /// From one offer of an unfit Active to the next.
    const fn offer_pause(&self) -> Span {
        self.params.interval.span().times(OFFER_EVERY)
    }

    /// The advert goes first, so that an old Active drops the addresses before our gratuitous ARP is out.
    fn take_over(&mut self, now: Time, source: IpAddr, from: Role, why: Why, out: &mut Vec<Effect>) {
        self.state = State::Active {
            source,
            next_advert: now + self.params.interval.span(),
            last_advert: now,
            next_offer: now + self.offer_pause(),
            announcements: Announcements::begin(now, self.params.refresh),
        };
        out.extend([
            Effect::SendAdvert(self.priority),
            Effect::Claim,
            Effect::Announce,
            Effect::Moved { from, to: Role::Active, why },
        ]);
    }

    // Active, RFC 9568 §6.4.3

    fn serve_timer(&mut self, now: Time, out: &mut Vec<Effect>) {
        let interval = self.params.interval.span();
        let pause = self.offer_pause();
        let State::Active { next_advert, last_advert, next_offer, announcements, .. } = &mut self.state
        else {
            return;
        };
        if now >= *next_advert {
            if self.priority == Priority::UNFIT && now >= *next_offer {
                out.push(Effect::SendAdvert(Priority::RESIGN));
                *next_offer = now + pause;
            } else {
                out.push(Effect::SendAdvert(self.priority));
            }
            *last_advert = now;
            // Keep the beat; after a pause of more than a whole interval begin a new one.
            *next_advert = if now.since(*next_advert) < interval { *next_advert } else { now } + interval;
        }
        if announcements.due(now) {
            out.push(Effect::Announce);
        }
    }

    fn serve_advert(&mut self, now: Time, source: IpAddr, advert: Received, out: &mut Vec<Effect>) {
        let State::Active { last_advert, .. } = self.state else { return };
        let why = if advert.priority > self.priority {
            Why::HigherPriority(advert.source, advert.priority)
        } else if advert.priority == self.priority && Family::of(advert.source) != Family::of(source) {
            // The other wire decides.
            return;
        } else if advert.priority == self.priority && advert.source > source {
            // "the primary IPvX address of the sender is greater than the local primary IPvX address", unsigned.
            Why::HigherAddress(advert.source)
        } else {
            return self.insist(now, advert.priority, out);
        };
        if self.params.farewell && last_advert != now {
            out.push(Effect::SendAdvert(self.priority));
        }
        let mut watch = Watch::begin(source, now, advert.interval);
        watch.follow(now, &advert);
        self.state = State::Backup(watch);
        out.extend([Effect::Release, Effect::Moved { from: Role::Active, to: Role::Backup, why }]);
    }

    /// "Discard ADVERTISEMENT. Send an ADVERTISEMENT immediately to assert Active state" (RFC 9568 §6.4.3). Once a
    /// moment: a queue that is drained after a pause gets one answer.
    fn insist(&mut self, now: Time, theirs: Priority, out: &mut Vec<Effect>) {
        let State::Active { next_advert, last_advert, .. } = &mut self.state else {
            return;
        };
        if *last_advert != now {
            out.push(Effect::SendAdvert(self.priority));
            *last_advert = now;
            *next_advert = now + self.params.interval.span();
        }
        if theirs != Priority::RESIGN {
            self.defend(now, out);
        }
    }

    /// Someone may have taught the network another MAC address: announce at once and a few times more. While such a
    /// burst runs it is the answer, so that two nodes that quarrel announce a dozen times a second and not faster.
    fn defend(&mut self, now: Time, out: &mut Vec<Effect>) {
        let State::Active { announcements, .. } = &mut self.state else { return };
        if announcements.quiet(now) {
            *announcements = Announcements::begin(now, self.params.refresh);
            out.push(Effect::Announce);
        }
    }
}
