//! The invariants, and the bounds within which they hold. The judge sees every node at every step and knows who can
//! hear whom; it takes no part.

use std::fmt;
use std::net::IpAddr;

use vipd::vrrp::{Centis, Preempt, Priority, Refusal, Role, Span, Time};

use crate::clock::at_most;
use crate::node::Node;

/// The most nodes of a story.
pub(crate) const MOST: usize = 5;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Two that hear each other both serve, for this long.
    TwoActive { nodes: [IpAddr; 2], lasted: Span },
    /// Nobody serves although someone takes part.
    NoneActive { lasted: Span },
    /// Quiet for longer than the bound, and yet the roles are not what they must be.
    Unsettled { why: &'static str, quiet: Span },
    /// The addresses are not where they must be.
    Addresses { source: IpAddr, why: &'static str },
    /// An orderly exit from Active without priority 0.
    SilentExit { source: IpAddr },
    /// A deadline that is already over when a turn ends.
    TimerInThePast { source: IpAddr },
    /// An Active that was away for longer than any peer waits spoke before it had listened.
    Stale { source: IpAddr, after: Span },
    /// A Backup took over from someone at least as good whom it had just heard.
    TookOverThoughHeld { source: IpAddr, after: Span },
    /// So many events that the nodes must be answering each other without end.
    Storm,
    /// A packet was believed that is not for this node or has a wrong bit.
    Believed { by: IpAddr },
    /// A good packet was refused.
    Refused { by: IpAddr, refusal: Refusal },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoActive { nodes: [one, other], lasted } => {
                write!(f, "{one} and {other} hear each other and both were Active for {lasted}")
            }
            Self::NoneActive { lasted } => write!(f, "nobody was Active for {lasted}"),
            Self::Unsettled { why, quiet } => write!(f, "{why} after {quiet} of quiet"),
            Self::Addresses { source, why } => write!(f, "{source}: {why}"),
            Self::SilentExit { source } => write!(f, "{source} left the Active role without priority 0"),
            Self::TimerInThePast { source } => write!(f, "{source} ended a turn with a deadline in the past"),
            Self::Stale { source, after } => {
                write!(f, "{source} was away for {after} and spoke before it had listened")
            }
            Self::TookOverThoughHeld { source, after } => {
                write!(f, "{source} took over {after} after it heard someone at least as good")
            }
            Self::Storm => f.write_str("the nodes answer each other without end"),
            Self::Believed { by } => write!(f, "{by} believed a packet that it must refuse"),
            Self::Refused { by, refusal } => write!(f, "{by} refused a good packet: {refusal}"),
        }
    }
}

/// What the story promises about quiet times, and what follows from it; see the module documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// A packet arrives within this time, or counts as lost.
    pub(crate) delay: Span,
    /// A timer rings at most this late.
    pub(crate) late: Span,
    /// For two Actives that hear each other.
    pub(crate) pair: Span,
    /// For a time without an Active.
    pub(crate) none: Span,
    /// From the last disturbance to the last change of role.
    pub(crate) settle: Span,
    /// Whether `settle` is promised: only when everyone has the same interval.
    pub(crate) settles: bool,
}

impl Bounds {
    /// For nodes with these intervals, some of which preempt after `patience`.
    pub(crate) fn new(intervals: &[Centis], patience: Span, delay: Span, late: Span) -> Self {
        let longest = intervals.iter().copied().max().expect("at least one").span();
        let advert = at_most(longest) + late;
        let down = at_most(longest.times(4)) + late;
        let pair = advert + delay;
        let none = delay + down;
        let patient = if patience == Span::ZERO { Span::ZERO } else { at_most(patience) + down + pair };
        let settles = intervals.iter().all(|interval| interval.span() == longest);
        Self { delay, late, pair, none, settle: none + pair + patient, settles }
    }
}

/// How near the stories came to the bounds, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Worst {
    pub(crate) pair: u64,
    pub(crate) none: u64,
    pub(crate) settle: u64,
    /// How often a component was found settled after a disturbance.
    pub(crate) settled: u64,
}

impl Worst {
    pub(crate) fn merge(&mut self, other: Self) {
        self.pair = self.pair.max(other.pair);
        self.none = self.none.max(other.none);
        self.settle = self.settle.max(other.settle);
        self.settled += other.settled;
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |thousandths: u64| format!("{}.{} %", thousandths / 10, thousandths % 10);
        let (pair, none, settle) = (percent(self.pair), percent(self.none), percent(self.settle));
        write!(
            f,
            "settled {} times; of the bounds: two Actives {pair}, none {none}, settling {settle}",
            self.settled
        )
    }
}

/// Who sees everything.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) bounds: Bounds,
    pub(crate) worst: Worst,
    /// Bit `from` of `hears[to]`: what `from` sends reaches `to`.
    hears: [u8; MOST],
    /// When what `from` says to `to` was last disturbed.
    touched: [[Time; MOST]; MOST],
    /// Per node: when what it hears was last disturbed.
    disturbed: [Time; MOST],
    /// Per node: since when it has been Active, and until when it last was.
    active: [Option<Time>; MOST],
    served: [Time; MOST],
    /// The quiet time for which a node's component was already counted as settled.
    counted: [Time; MOST],
}

impl Judge {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            worst: Worst::default(),
            hears: [u8::MAX; MOST],
            touched: [[Time::ZERO; MOST]; MOST],
            disturbed: [Time::ZERO; MOST],
            active: [None; MOST],
            served: [Time::ZERO; MOST],
            counted: [Time::ZERO; MOST],
        }
    }

    pub(crate) fn hears(&self, to: usize, from: usize) -> bool {
        self.hears[to] & (1 << from) != 0
    }

    pub(crate) fn wire(&mut self, now: Time, from: usize, to: usize, whole: bool) {
        if self.hears(to, from) != whole {
            self.hears[to] ^= 1 << from;
            self.touch_link(now, from, to);
        }
    }

    /// What `from` says to `to` was not as promised.
    pub(crate) fn touch_link(&mut self, now: Time, from: usize, to: usize) {
        self.touched[from][to] = now;
        self.disturbed[to] = now;
    }

    /// Something happened to a node: everyone who may hear it, and it itself, start anew.
    pub(crate) fn touch_node(&mut self, now: Time, node: usize) {
        for other in 0..MOST {
            self.touched[node][other] = now;
            self.touched[other][node] = now;
        }
        self.disturbed = [now; MOST];
    }

    /// Before anything happens at `now`: what lasted until now must not have lasted too long.
    pub(crate) fn look(&mut self, now: Time, nodes: &[Node]) -> Result<(), Violation> {
        self.look_for_two(now, nodes)?;
        let present = mask(nodes, |node| !node.frozen && node.role() != Role::Initialize);
        let mut seen = 0;
        for node in 0..nodes.len() {
            if present & !seen & (1 << node) != 0
                && let Some(members) = self.component(node, present)
            {
                seen |= members;
                self.look_at(now, nodes, members)?;
            }
        }
        Ok(())
    }

    /// A node's role has changed.
    pub(crate) fn moved(&mut self, now: Time, node: usize, nodes: &[Node]) -> Result<(), Violation> {
        let active = nodes[node].role() == Role::Active;
        if active && self.active[node].is_none() {
            self.active[node] = Some(now);
        } else if !active && self.active[node].take().is_some() {
            self.served[node] = now;
        }
        let present = mask(nodes, |node| !node.frozen && node.role() != Role::Initialize);
        let Some(members) = self.component(node, present).filter(|members| members & (1 << node) != 0) else {
            return Ok(());
        };
        let quiet = now.since(self.quiet_since(members));
        if !self.bounds.settles {
            return Ok(());
        }
        if quiet > self.bounds.settle {
            return Err(Violation::Unsettled { why: "a role changed", quiet });
        }
        self.worst.settle = self.worst.settle.max(share(quiet, self.bounds.settle));
        Ok(())
    }

    fn look_for_two(&mut self, now: Time, nodes: &[Node]) -> Result<(), Violation> {
        for one in 0..nodes.len() {
            let Some(since) = self.active[one].filter(|_| !nodes[one].frozen) else { continue };
            for other in one + 1..nodes.len() {
                let Some(other_since) = self.active[other].filter(|_| !nodes[other].frozen) else { continue };
                if !self.hears(one, other) || !self.hears(other, one) {
                    continue;
                }
                let disturbed = self.touched[one][other].max(self.touched[other][one]);
                let lasted = now.since(since.max(other_since).max(disturbed));
                if lasted > self.bounds.pair {
                    let nodes = [nodes[one].source(), nodes[other].source()];
                    return Err(Violation::TwoActive { nodes, lasted });
                }
                self.worst.pair = self.worst.pair.max(share(lasted, self.bounds.pair));
            }
        }
        Ok(())
    }

    /// A component that is closed: everyone in it hears the same nodes, those of the component.
    fn component(&self, node: usize, present: u8) -> Option<u8> {
        let heard = |node: usize| (self.hears[node] & present) | (1 << node);
        let members = heard(node);
        bits(members).all(|member| heard(member) == members).then_some(members)
    }

    /// Since when nothing has disturbed what reaches the members.
    fn quiet_since(&self, members: u8) -> Time {
        let mut since = Time::ZERO;
        for member in bits(members) {
            since = since.max(self.disturbed[member]);
        }
        since
    }

    fn look_at(&mut self, now: Time, nodes: &[Node], members: u8) -> Result<(), Violation> {
        let quiet_since = self.quiet_since(members);
        let mut actives = bits(members).filter(|node| self.active[*node].is_some());
        let (first, second) = (actives.next(), actives.next());
        if first.is_none() {
            let served = bits(members).map(|node| self.served[node]).max().unwrap_or_default();
            let lasted = now.since(quiet_since.max(served));
            if lasted > self.bounds.none {
                return Err(Violation::NoneActive { lasted });
            }
            self.worst.none = self.worst.none.max(share(lasted, self.bounds.none));
        }
        let quiet = now.since(quiet_since);
        if quiet <= self.bounds.settle || !self.bounds.settles {
            return Ok(());
        }
        let Some(active) = first.filter(|_| second.is_none()) else {
            return Err(Violation::Unsettled { why: "not exactly one is Active", quiet });
        };
        let best = bits(members).map(|node| nodes[node].priority()).max().unwrap_or(Priority::RESIGN);
        let serving = nodes[active].priority();
        if best > Priority::UNFIT && serving == Priority::UNFIT {
            return Err(Violation::Unsettled { why: "an unfit node serves beside a fit one", quiet });
        }
        let everyone_preempts = bits(members).all(|node| nodes[node].settings.preempt != Preempt::Never);
        if (everyone_preempts || best == Priority::OWNER) && serving < best {
            return Err(Violation::Unsettled { why: "not the best one serves", quiet });
        }
        if self.counted[active] != quiet_since {
            self.counted[active] = quiet_since;
            self.worst.settled += 1;
        }
        Ok(())
    }
}

fn share(of: Span, bound: Span) -> u64 {
    of.as_micros() * 1_000 / bound.as_micros()
}

fn mask(nodes: &[Node], wanted: impl Fn(&Node) -> bool) -> u8 {
    nodes.iter().enumerate().filter(|(_, node)| wanted(node)).fold(0, |mask, (bit, _)| mask | (1 << bit))
}

fn bits(mask: u8) -> impl Iterator<Item = usize> {
    (0..MOST).filter(move |bit| mask & (1 << bit) != 0)
}
