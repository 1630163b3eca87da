//! One node: a machine, its own clock, its interface. It does what `ha::driver` does: packets first, then the timer,
//! effects in their order, a refused address becomes a fault. Here, and only here, a machine is built.

use std::net::IpAddr;
use std::rc::Rc;

use vipd::vrrp::{
    Centis, Dialect, Effect, Family, Input, Machine, Params, Preempt, Priority, Received, Refresh, Role,
    Span, Time, Version, Why,
};

use crate::clock::Clock;
use crate::judge::Violation;
use crate::packet::{self, Letter};

/// Something wrong with a node, put in on purpose to see the judge object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Hears no advert of a higher rank than its own.
    Deaf,
    /// A Backup that hears its timer ten intervals late.
    Slow,
    /// A Backup that takes over as soon as it can think of it.
    Hasty,
    /// A Backup that hears no adverts; as Active it does.
    Restless,
    /// Hears no timer.
    Sleeper,
    /// Does not take the addresses off.
    Clinger,
    /// Leaves without priority 0.
    Rude,
    /// Does not notice that it was away.
    Dreamer,
}

/// What a node was told, in the words of an operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) version: Version,
    pub(crate) interval: Centis,
    pub(crate) preempt: Preempt,
    pub(crate) priority: Priority,
    pub(crate) dialect: Dialect,
}

/// What came of an input.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Adverts for the wire, with their priorities.
    pub(crate) adverts: Vec<Priority>,
    /// Changes of role.
    pub(crate) moves: Vec<(Role, Role, Why)>,
    /// The kernel refused the addresses.
    pub(crate) refused: bool,
}

#[derive(Debug)]
pub(crate) struct Node {
    /// Its address on each wire it is on.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) frozen: bool,
    /// Stays out until the weather changes.
    pub(crate) banned: bool,
    /// The kernel refuses the addresses.
    pub(crate) refuses: bool,
    pub(crate) sabotage: Option<Sabotage>,
    /// What arrived while it was frozen.
    pub(crate) inbox: Vec<Rc<Letter>>,
    machine: Option<Machine>,
    claimed: bool,
    /// When a Backup last heard someone at least as good, on its own clock, and their interval.
    held: Option<(Time, Span)>,
    /// When it last said that it is Active, on its own clock.
    spoke: Time,
    effects: Vec<Effect>,
}

impl Node {
    pub(crate) fn new(sources: Vec<IpAddr>, clock: Clock, settings: Settings) -> Self {
        Self {
            sources,
            clock,
            settings,
            frozen: false,
            banned: false,
            refuses: false,
            sabotage: None,
            inbox: Vec::new(),
            machine: None,
            claimed: false,
            held: None,
            spoke: Time::ZERO,
            effects: Vec::new(),
        }
    }

    /// The process begins; it takes no part yet.
    pub(crate) fn boot(&mut self) {
        let Settings { version, interval, preempt, .. } = self.settings;
        let refresh = Some(Refresh { every: interval.span().times(20), salt: 51 });
        let params = Params { version, interval, preempt, refresh, farewell: true };
        self.machine = Some(Machine::new(params, Priority::UNFIT));
    }

    /// The power is gone.
    pub(crate) fn crash(&mut self) {
        self.machine = None;
        self.claimed = false;
        self.frozen = false;
        self.held = None;
        self.inbox.clear();
    }

    /// The address that decides between equal priorities, and that names it.
    pub(crate) fn source(&self) -> IpAddr {
        self.sources[0]
    }

    pub(crate) fn runs(&self) -> bool {
        self.machine.is_some()
    }

    pub(crate) fn role(&self) -> Role {
        self.machine.as_ref().map_or(Role::Initialize, Machine::role)
    }

    pub(crate) fn priority(&self) -> Priority {
        self.machine.as_ref().map_or(Priority::RESIGN, Machine::priority)
    }

    /// When it wants to be called, in true time.
    pub(crate) fn wake(&self) -> Option<Time> {
        let deadline = self.machine.as_ref().and_then(Machine::deadline)?;
        let slow = self.sabotage == Some(Sabotage::Slow) && self.role() == Role::Backup;
        let late = if slow { self.settings.interval.span().times(10) } else { Span::ZERO };
        Some(self.clock.true_time(deadline) + late)
    }

    /// It may take part, with this priority.
    pub(crate) fn enter(&mut self, now: Time, done: &mut Done) -> Result<(), Violation> {
        let priority = self.settings.priority;
        self.feed(now, Input::Compete(priority), done)?;
        self.feed(now, Input::Startup { source: self.source() }, done)
    }

    /// A packet from the wire.
    pub(crate) fn receive(&mut self, now: Time, letter: &Letter, done: &mut Done) -> Result<(), Violation> {
        let Settings { version, interval, .. } = self.settings;
        let own = self.sources.iter().find(|source| Family::of(**source) == letter.family());
        let own = *own.expect("letters come on wires that everyone is on");
        match packet::judge(letter, own, version, interval) {
            Ok(advert) if letter.good => self.feed(now, Input::Advert(advert), done),
            Ok(_) => Err(Violation::Believed { by: own }),
            Err(refusal) if letter.good => Err(Violation::Refused { by: own, refusal }),
            Err(_) => Ok(()),
        }
    }

    /// The end of a turn: the timer if it is due, and then nothing may be overdue.
    pub(crate) fn expire(&mut self, now: Time, done: &mut Done) -> Result<(), Violation> {
        let local = self.clock.local(now);
        let overdue = |node: &Self| {
            let deadline = node.machine.as_ref().and_then(Machine::deadline);
            deadline.is_some_and(|deadline| deadline <= local)
        };
        if overdue(self) || (self.sabotage == Some(Sabotage::Hasty) && self.role() == Role::Backup) {
            self.feed(now, Input::Timer, done)?;
        }
        if overdue(self) && self.sabotage != Some(Sabotage::Slow) {
            return Err(Violation::TimerInThePast { source: self.source() });
        }
        Ok(())
    }

    /// One input through the machine, and its effects.
    pub(crate) fn feed(&mut self, now: Time, input: Input, done: &mut Done) -> Result<(), Violation> {
        let local = self.clock.local(now);
        let stale = self.stale(local);
        let Some(machine) = &mut self.machine else {
            return Ok(());
        };
        let mut time = local;
        match (self.sabotage, input) {
            (Some(Sabotage::Deaf), Input::Advert(advert)) if advert.priority > machine.priority() => {
                return Ok(());
            }
            (Some(Sabotage::Restless), Input::Advert(_)) if machine.role() == Role::Backup => return Ok(()),
            (Some(Sabotage::Sleeper), Input::Timer) => return Ok(()),
            (Some(Sabotage::Hasty), Input::Timer) => {
                time = machine.deadline().map_or(time, |at| at.max(time))
            }
            (Some(Sabotage::Dreamer), _) if stale => {
                time = self.spoke + self.settings.interval.span();
            }
            _ => {}
        }
        let rank = machine.priority();
        let mut effects = std::mem::take(&mut self.effects);
        machine.handle(time, input, &mut effects);
        if let Input::Advert(advert) = input {
            self.listen(local, rank, advert);
        }
        let performed = self.perform(local, stale, &effects, done);
        effects.clear();
        self.effects = effects;
        if !performed? {
            done.refused = true;
            return self.feed(now, Input::Fault, done);
        }
        let active = self.role() == Role::Active;
        if self.claimed != active {
            let why = if active { "Active without the addresses" } else { "addresses without being Active" };
            return Err(Violation::Addresses { source: self.source(), why });
        }
        Ok(())
    }

    /// An Active that no peer can take for alive, and that is not the owner: it must not speak before it has listened.
    fn stale(&self, local: Time) -> bool {
        let second = Span::from_millis(1_000);
        let Settings { interval, .. } = self.settings;
        let longest = interval.span().times(3) + interval.span().max(second);
        let peers = if self.settings.version == Version::V2 { longest } else { interval.span().times(4) };
        self.role() == Role::Active && self.priority() != Priority::OWNER && local.since(self.spoke) >= peers
    }

    /// Notes, apart from the machine, who holds this node back.
    fn listen(&mut self, local: Time, rank: Priority, advert: Received) {
        if self.role() != Role::Backup {
            self.held = None;
        } else if advert.priority == Priority::RESIGN {
            // A stranger's resignation must not count; strangers have no place in the order of the nodes.
            if !packet::is_stranger(advert.source) {
                self.held = None;
            }
        } else if advert.priority >= rank
            || (self.settings.preempt == Preempt::Never
                && rank < Priority::OWNER
                && advert.priority > Priority::UNFIT)
        {
            self.held = Some((local, advert.interval.span()));
        } else if matches!(self.settings.preempt, Preempt::After(_)) {
            // For how long only the machine knows.
            self.held = None;
        }
    }

    /// Performs the effects in order; `false` when the kernel refused the addresses.
    fn perform(
        &mut self,
        local: Time,
        stale: bool,
        effects: &[Effect],
        done: &mut Done,
    ) -> Result<bool, Violation> {
        let mut resigned = false;
        let source = self.source();
        let mut listened = !stale;
        let wrong = |why| Err(Violation::Addresses { source, why });
        for effect in effects {
            match *effect {
                Effect::SendAdvert(Priority::RESIGN) if self.sabotage == Some(Sabotage::Rude) => {}
                Effect::SendAdvert(priority) if priority > Priority::RESIGN && !listened => {
                    return Err(Violation::Stale { source, after: local.since(self.spoke) });
                }
                Effect::SendAdvert(priority) => {
                    resigned = priority == Priority::RESIGN;
                    self.spoke = local;
                    done.adverts.push(priority);
                }
                Effect::Claim if self.claimed => return wrong("claimed twice"),
                Effect::Claim => {
                    // Refused or not: some of them may be on the interface from now on.
                    self.claimed = true;
                    if self.refuses {
                        return Ok(false);
                    }
                }
                Effect::Announce if !listened => {
                    return Err(Violation::Stale { source, after: local.since(self.spoke) });
                }
                Effect::Announce if !self.claimed => return wrong("announced but not claimed"),
                Effect::Announce => {}
                Effect::Release if !self.claimed => return wrong("released but not claimed"),
                Effect::Release => {
                    listened = true;
                    self.claimed = self.sabotage == Some(Sabotage::Clinger);
                }
                Effect::Moved { from, to, why } => {
                    if from == Role::Active && to == Role::Initialize && !resigned {
                        return Err(Violation::SilentExit { source });
                    }
                    self.moved(local, from, to)?;
                    done.moves.push((from, to, why));
                }
            }
        }
        Ok(true)
    }

    fn moved(&mut self, local: Time, from: Role, to: Role) -> Result<(), Violation> {
        if to == Role::Initialize {
            self.held = None;
        }
        if (from, to) == (Role::Backup, Role::Active)
            && let Some((heard, interval)) = self.held.take()
            && local.since(heard) < interval.times(3)
        {
            return Err(Violation::TookOverThoughHeld { source: self.source(), after: local.since(heard) });
        }
        Ok(())
    }
}
