//! The network and its time: events in order, packets with fates, and the judge before and after each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::rc::Rc;

use vipd::vrrp::wire::Advert;
use vipd::vrrp::{Priority, Role, Span, Time};

use crate::judge::{Bounds, Judge, Violation};
use crate::node::{Done, Node, Settings};
use crate::packet::{self, Letter};
use crate::rng::Rng;

/// After a refused address, `ha` tries again this much later.
const RETRY: Span = Span::from_millis(1_000);

/// Several times what the longest story needs.
const MOST_STEPS: u64 = 100_000;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A packet reaches a node; `late` is one that nobody promised.
    Arrival { from: usize, to: usize, late: bool, letter: Rc<Letter> },
    /// A node's timer rings, unless it was set anew meanwhile.
    Wake { node: usize, setting: u64 },
    /// A frozen node goes on.
    Thaw(usize),
    /// A node that left takes part again.
    Return(usize),
    /// The story's next turn.
    Turn,
}

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Something happened.
    Event,
    /// The story decides what happens.
    Turn,
    /// Nothing will happen any more.
    End,
}

/// What happens to packets, in cases of 100.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) corrupted: u64,
    pub(crate) doubled: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) adverts: u64,
    pub(crate) takeovers: u64,
}

impl Tally {
    pub(crate) fn merge(&mut self, other: Self) {
        self.steps += other.steps;
        self.adverts += other.adverts;
        self.takeovers += other.takeovers;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events, {} adverts, {} takeovers", self.steps, self.adverts, self.takeovers)
    }
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) nodes: Vec<Node>,
    pub(crate) judge: Judge,
    pub(crate) weather: Weather,
    pub(crate) tally: Tally,
    /// The story in words, when someone wants to read it.
    pub(crate) told: Option<Vec<String>>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
    sequence: u64,
    /// Per node: for when its timer is set, and how often it was set.
    settings: Vec<(Option<Time>, u64)>,
}

impl World {
    pub(crate) fn new(rng: Rng, nodes: Vec<Node>, bounds: Bounds, tell: bool) -> Self {
        Self {
            now: Time::ZERO,
            rng,
            settings: vec![(None, 0); nodes.len()],
            nodes,
            judge: Judge::new(bounds),
            weather: Weather::default(),
            tally: Tally::default(),
            told: tell.then(Vec::new),
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(told) = &mut self.told {
            told.push(format!("{:>12.6} s  {}", now.as_micros() as f64 / 1e6, line()));
        }
    }

    pub(crate) fn after(&mut self, wait: Span, event: Event) {
        self.at(self.now + wait, event);
    }

    fn at(&mut self, at: Time, event: Event) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[slot] = Some(event);
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence, slot)));
    }

    /// Lets the next event happen; the judge looks first.
    pub(crate) fn step(&mut self) -> Result<Next, Violation> {
        let Some(Reverse((at, _, slot))) = self.queue.pop() else {
            return Ok(Next::End);
        };
        self.free.push(slot);
        let event = self.events[slot].take().expect("an event per slot");
        self.now = at;
        self.tally.steps += 1;
        if self.tally.steps > MOST_STEPS {
            return Err(Violation::Storm);
        }
        self.judge.look(at, &self.nodes)?;
        match event {
            Event::Arrival { from, to, late, letter } => self.arrive(from, to, late, letter)?,
            Event::Wake { node, setting } => {
                if self.settings[node].1 == setting && !self.nodes[node].frozen {
                    self.settings[node].0 = None;
                    self.finish(node, Done::default())?;
                }
            }
            Event::Thaw(node) => self.thaw(node)?,
            Event::Return(node) => self.enter(node)?,
            Event::Turn => return Ok(Next::Turn),
        }
        Ok(Next::Event)
    }

    fn arrive(&mut self, from: usize, to: usize, late: bool, letter: Rc<Letter>) -> Result<(), Violation> {
        if late {
            self.judge.touch_link(self.now, from, to);
        }
        let node = &mut self.nodes[to];
        if node.frozen {
            node.inbox.push(letter);
            return Ok(());
        }
        let mut done = Done::default();
        node.receive(self.now, &letter, &mut done)?;
        self.finish(to, done)
    }

    /// The process goes on: what is in its socket first, then its timer.
    pub(crate) fn thaw(&mut self, node: usize) -> Result<(), Violation> {
        if !self.nodes[node].frozen {
            return Ok(());
        }
        self.judge.touch_node(self.now, node);
        self.tell(|| format!("node {node} goes on"));
        self.nodes[node].frozen = false;
        let mut done = Done::default();
        for letter in std::mem::take(&mut self.nodes[node].inbox) {
            self.nodes[node].receive(self.now, &letter, &mut done)?;
        }
        self.finish(node, done)
    }

    /// A node takes part, unless it must not.
    pub(crate) fn enter(&mut self, node: usize) -> Result<(), Violation> {
        let target = &mut self.nodes[node];
        if target.banned || target.frozen || target.role() != Role::Initialize {
            return Ok(());
        }
        if !target.runs() {
            target.boot();
        }
        self.judge.touch_node(self.now, node);
        let mut done = Done::default();
        target.enter(self.now, &mut done)?;
        self.finish(node, done)
    }

    /// The end of a node's turn: its timer, its adverts on the wire, the judge's eye, the alarm.
    pub(crate) fn finish(&mut self, node: usize, mut done: Done) -> Result<(), Violation> {
        self.nodes[node].expire(self.now, &mut done)?;
        if done.refused {
            self.judge.touch_node(self.now, node);
            self.tell(|| format!("node {node} cannot put the addresses on"));
            self.after(RETRY, Event::Return(node));
        }
        for priority in done.adverts {
            self.transmit(node, priority);
        }
        for (from, to, why) in &done.moves {
            self.tell(|| format!("node {node}: {from} -> {to}, {why:?}"));
            self.tally.takeovers += u64::from(*to == Role::Active);
        }
        if !done.moves.is_empty() {
            self.judge.moved(self.now, node, &self.nodes)?;
        }
        self.rearm(node);
        Ok(())
    }

    pub(crate) fn rearm(&mut self, node: usize) {
        let wake = self.nodes[node].wake();
        let (set, settings) = &mut self.settings[node];
        if *set == wake {
            return;
        }
        *set = wake;
        *settings += 1;
        let setting = *settings;
        if let Some(at) = wake {
            let late = self.rng.span(Span::ZERO, self.judge.bounds.late);
            self.at(at.max(self.now) + late, Event::Wake { node, setting });
        }
    }

    fn transmit(&mut self, from: usize, priority: Priority) {
        let Settings { version, interval, dialect, .. } = self.nodes[from].settings;
        let advert = Advert { version, vrid: packet::vrid(), priority, interval };
        self.tell(|| format!("node {from} advertises {priority}"));
        self.tally.adverts += 1;
        for wire in 0..self.nodes[from].sources.len() {
            let letter = Rc::new(packet::emit(self.nodes[from].sources[wire], advert, dialect));
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                if self.nodes[to].runs() && self.judge.hears(to, from) {
                    self.carry(from, to, &letter);
                }
            }
        }
    }

    /// One packet on one way: arrives within the promised time, or the judge is told.
    fn carry(&mut self, from: usize, to: usize, letter: &Rc<Letter>) {
        let delay = self.judge.bounds.delay;
        if self.rng.chance(self.weather.lost) {
            self.judge.touch_link(self.now, from, to);
            self.tell(|| format!("    lost on the way to node {to}"));
            return;
        }
        let mut letter = Rc::clone(letter);
        if self.rng.chance(self.weather.corrupted) {
            self.judge.touch_link(self.now, from, to);
            letter = Rc::new(packet::corrupted(&letter, self.rng.index(64), self.rng.index(8)));
            self.tell(|| format!("    corrupted on the way to node {to}"));
        }
        let late = self.rng.chance(self.weather.late);
        let most = if late { delay.times(100) } else { delay };
        if late {
            self.judge.touch_link(self.now, from, to);
            self.tell(|| format!("    late on the way to node {to}"));
        }
        for _ in 0..1 + u64::from(self.rng.chance(self.weather.doubled)) {
            let wait = self.rng.span(Span::ZERO, most);
            self.after(wait, Event::Arrival { from, to, late, letter: Rc::clone(&letter) });
        }
    }
}
