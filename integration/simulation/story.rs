//! What happens to the nodes: bad weather, in which anything may happen, and calm, in which the bounds must hold.

use std::rc::Rc;

use vipd::vrrp::wire::Advert;
use vipd::vrrp::{Centis, Dialect, Family, Input, Preempt, Priority, Role, Span, Version};

use crate::clock::{Clock, MOST_DRIFT};
use crate::judge::{Bounds, MOST, Violation, Worst};
use crate::node::{Done, Node, Sabotage, Settings};
use crate::packet;
use crate::rng::Rng;
use crate::world::{Event, Next, Tally, Weather, World};

/// How a story ended.
pub(crate) struct Ending {
    pub(crate) verdict: Result<(), Violation>,
    pub(crate) worst: Worst,
    pub(crate) tally: Tally,
    /// Every line of it, if it was to be told.
    pub(crate) told: Vec<String>,
}

/// Intervals in centiseconds that stories use; version 2 has whole seconds.
const INTERVALS: [u16; 4] = [10, 20, 50, 100];
const INTERVALS_V2: [u16; 2] = [100, 300];

/// What the nodes of a story may be told.
struct Choice {
    version: Version,
    families: Vec<Family>,
    intervals: Vec<Centis>,
    preempts: Vec<Preempt>,
    /// The longest delay of preemption among them.
    patience: Span,
}

struct Story {
    world: World,
    choice: Choice,
    longest: Span,
    /// Turns that are left of the bad weather.
    turns: u64,
    phases: u64,
}

/// Tells the story of `seed` to its end, or to the first violation.
pub(crate) fn tell(seed: u64, sabotage: Option<Sabotage>, aloud: bool) -> Ending {
    let mut story = Story::new(seed, sabotage, aloud);
    let verdict = story.run();
    let world = story.world;
    let mut told = world.told.unwrap_or_default();
    if let Err(violation) = verdict {
        told.push(format!("{:>12.6} s  VIOLATION: {violation}", world.now.as_micros() as f64 / 1e6));
    }
    Ending { verdict, worst: world.judge.worst, tally: world.tally, told }
}

impl Story {
    fn new(seed: u64, sabotage: Option<Sabotage>, aloud: bool) -> Self {
        let mut rng = Rng::new(seed);
        let choice = Choice::draw(&mut rng);
        let longest = choice.intervals.iter().copied().max().expect("at least one");
        let shortest = choice.intervals.iter().copied().min().expect("at least one").span();
        let delay = rng.span(Span::from_millis(1), Span::from_micros(shortest.as_micros() / 4));
        let late = rng.span(Span::ZERO, Span::from_micros(shortest.as_micros() / 20));
        let count = rng.byte(2, u8::try_from(MOST).expect("few"));
        let nodes = (1..=count).map(|last| {
            let clock = Clock::new(rng.between(0, 1 << 40), rng.between(0, 2 * MOST_DRIFT));
            let sources = choice.families.iter().map(|family| packet::source(*family, last)).collect();
            Node::new(sources, clock, choice.settings(&mut rng))
        });
        let mut nodes: Vec<_> = nodes.collect();
        for node in &mut nodes {
            node.sabotage = sabotage;
        }
        let bounds = Bounds::new(&choice.intervals, choice.patience, delay, late);
        let phases = rng.between(2, 4);
        let world = World::new(rng, nodes, bounds, aloud);
        Self { world, choice, longest: longest.span(), turns: 0, phases }
    }

    fn run(&mut self) -> Result<(), Violation> {
        self.introduce();
        for node in 0..self.world.nodes.len() {
            let wait = self.world.rng.span(Span::ZERO, self.longest.times(2));
            self.world.after(wait, Event::Return(node));
        }
        self.begin_storm();
        loop {
            match self.world.step()? {
                Next::Event => {}
                Next::Turn if self.turn()? => {}
                Next::Turn | Next::End => return self.end(),
            }
        }
    }

    fn introduce(&mut self) {
        let Bounds { delay, late, pair, none, settle, .. } = self.world.judge.bounds;
        let (version, families) = (self.choice.version, &self.choice.families);
        self.world.tell(|| format!("version {version} over {families:?}"));
        self.world.tell(|| format!("packets take up to {delay}, timers are up to {late} late"));
        self.world.tell(|| format!("bounds: two Actives {pair}, none {none}, settled {settle}"));
        for node in 0..self.world.nodes.len() {
            let Settings { interval, preempt, priority, dialect, .. } = self.world.nodes[node].settings;
            let rate = self.world.nodes[node].clock.per_million();
            let clock = format!("its clock makes {rate} of a million µs");
            self.world.tell(|| {
                format!("node {node}: priority {priority}, adverts every {interval}, preempts {preempt:?}, {dialect}, {clock}")
            });
        }
    }

    /// Bad weather for a few turns.
    fn begin_storm(&mut self) {
        let rng = &mut self.world.rng;
        self.turns = rng.between(3, 12);
        self.world.weather = Weather {
            lost: rng.pick(&[0, 0, 5, 30, 60]),
            late: rng.pick(&[0, 0, 5, 20]),
            corrupted: rng.pick(&[0, 0, 5]),
            doubled: rng.pick(&[0, 10, 50]),
        };
        let weather = self.world.weather;
        self.world.tell(|| format!("-- bad weather: {weather:?}"));
        self.world.after(Span::ZERO, Event::Turn);
    }

    /// The next turn; `false` at the end of the story.
    fn turn(&mut self) -> Result<bool, Violation> {
        if self.turns > 0 {
            self.turns -= 1;
            self.disturb()?;
            let mut wait = self.world.rng.span(Span::ZERO, self.longest);
            if self.turns == 0 {
                self.calm_down()?;
                wait = wait.times(4) + self.world.judge.bounds.settle;
            }
            self.world.after(wait, Event::Turn);
            return Ok(true);
        }
        self.phases -= 1;
        if self.phases > 0 {
            self.begin_storm();
        }
        Ok(self.phases > 0)
    }

    /// Bad weather ends. What is cut may stay cut, and who is out may stay out.
    fn calm_down(&mut self) -> Result<(), Violation> {
        self.world.tell(|| "-- calm".to_owned());
        self.world.weather = Weather { doubled: self.world.weather.doubled, ..Weather::default() };
        match self.world.rng.index(10) {
            0 => {}
            1..=3 => self.part(),
            _ => self.heal(),
        }
        for node in 0..self.world.nodes.len() {
            self.world.nodes[node].refuses = false;
            if !self.world.rng.chance(4) {
                self.world.thaw(node)?;
                self.world.nodes[node].banned = false;
                self.world.enter(node)?;
            }
        }
        Ok(())
    }

    /// Everyone leaves in good order, and nothing may remain.
    fn end(&mut self) -> Result<(), Violation> {
        for node in 0..self.world.nodes.len() {
            self.world.thaw(node)?;
            self.tell_node(node, Input::Shutdown)?;
        }
        Ok(())
    }

    fn disturb(&mut self) -> Result<(), Violation> {
        let node = self.whom();
        match self.world.rng.index(15) {
            0 | 1 => self.cut_one_way(node),
            2 => self.part(),
            3 => self.heal(),
            4 | 5 => self.freeze(node),
            6 => self.crash(node)?,
            7 => self.leave(node, Input::Fault)?,
            8 => self.leave(node, Input::Shutdown)?,
            9 | 10 => self.compete(node)?,
            11 => self.reconfigure(node)?,
            12 => self.refuse(node),
            13 => self.contest(node)?,
            _ => self.stranger(),
        }
        Ok(())
    }

    /// Often an Active: more depends on it.
    fn whom(&mut self) -> usize {
        let active = self.world.nodes.iter().position(|node| node.role() == Role::Active);
        let anyone = self.world.rng.index(self.world.nodes.len());
        active.filter(|_| self.world.rng.chance(30)).unwrap_or(anyone)
    }

    /// From this node to another, or back in order.
    fn cut_one_way(&mut self, from: usize) {
        let to = self.world.rng.index(self.world.nodes.len());
        if from != to {
            let whole = !self.world.judge.hears(to, from);
            let now = self.world.now;
            self.world.judge.wire(now, from, to, whole);
            self.world.tell(|| {
                format!("the way from node {from} to {to} is {}", if whole { "whole" } else { "cut" })
            });
        }
    }

    /// Into two parts that hear nothing of each other.
    fn part(&mut self) {
        let sides = self.world.rng.between(1, 30);
        self.rewire(|one, other| sides >> one & 1 == sides >> other & 1);
        self.world.tell(|| format!("the network falls apart: {sides:05b}"));
    }

    fn heal(&mut self) {
        self.rewire(|_, _| true);
        self.world.tell(|| "the network is whole".to_owned());
    }

    fn rewire(&mut self, connected: impl Fn(usize, usize) -> bool) {
        let now = self.world.now;
        for from in 0..MOST {
            for to in (0..MOST).filter(|to| *to != from) {
                self.world.judge.wire(now, from, to, connected(from, to));
            }
        }
    }

    /// Stopped for a while, as by a hypervisor or SIGSTOP.
    fn freeze(&mut self, node: usize) {
        if self.world.nodes[node].frozen || !self.world.nodes[node].runs() {
            return;
        }
        let pause = self.world.rng.span(Span::from_millis(1), self.longest.times(8));
        self.touch(node);
        self.world.nodes[node].frozen = true;
        self.world.tell(|| format!("node {node} freezes for {pause}"));
        self.world.after(pause, Event::Thaw(node));
    }

    fn crash(&mut self, node: usize) -> Result<(), Violation> {
        self.touch(node);
        self.world.nodes[node].crash();
        self.world.nodes[node].banned = self.world.rng.chance(20);
        self.world.tell(|| format!("node {node} loses power"));
        self.world.judge.moved(self.world.now, node, &self.world.nodes)?;
        self.world.rearm(node);
        self.return_later(node);
        Ok(())
    }

    fn leave(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        self.tell_node(node, input)?;
        self.world.nodes[node].banned = self.world.rng.chance(20);
        self.return_later(node);
        Ok(())
    }

    /// Fit, less fit, unfit, or the owner.
    fn compete(&mut self, node: usize) -> Result<(), Violation> {
        let priority = match self.world.rng.index(5) {
            0 | 1 => Priority::UNFIT,
            2 => any_priority(&mut self.world.rng),
            3 => Priority::OWNER,
            _ => self.world.nodes[node].settings.priority,
        };
        self.tell_node(node, Input::Compete(priority))
    }

    /// New settings: the old router leaves in good order, a new one begins.
    fn reconfigure(&mut self, node: usize) -> Result<(), Violation> {
        if self.world.nodes[node].frozen || !self.world.nodes[node].runs() {
            return Ok(());
        }
        self.tell_node(node, Input::Shutdown)?;
        let settings = self.choice.settings(&mut self.world.rng);
        self.world.tell(|| format!("node {node} gets {settings:?}"));
        self.world.nodes[node].settings = settings;
        self.world.nodes[node].boot();
        self.world.enter(node)
    }

    fn refuse(&mut self, node: usize) {
        let refuses = !self.world.nodes[node].refuses;
        self.world.nodes[node].refuses = refuses;
        self.world.tell(|| format!("the kernel of node {node} refuses addresses: {refuses}"));
    }

    /// Packets of someone who does not belong here. The judge is told nothing: they must change nothing.
    fn stranger(&mut self) {
        let family = self.world.rng.pick(&self.choice.families);
        let source = packet::source(family, packet::STRANGER);
        let (version, interval) = (self.choice.version, self.choice.intervals[0]);
        let letter = match self.world.rng.index(4) {
            0 => {
                let (vrid, priority) = (packet::vrid(), Priority::RESIGN);
                packet::emit(source, Advert { version, vrid, priority, interval }, Dialect::Message)
            }
            kind => packet::foreign(kind - 1, source, version, interval),
        };
        self.world.tell(|| format!("a stranger says {:02x?}", letter.bytes));
        let letter = Rc::new(letter);
        for to in 0..self.world.nodes.len() {
            let letter = Rc::clone(&letter);
            self.world.after(Span::ZERO, Event::Arrival { from: to, to, late: false, letter });
        }
    }

    /// Someone else claims the addresses: it is answered, and changes nothing.
    fn contest(&mut self, node: usize) -> Result<(), Violation> {
        if self.world.nodes[node].frozen {
            return Ok(());
        }
        self.world.tell(|| format!("someone claims the addresses of node {node}"));
        let mut done = Done::default();
        self.world.nodes[node].feed(self.world.now, Input::Contested, &mut done)?;
        self.world.finish(node, done)
    }

    /// An input from outside, which is a disturbance.
    fn tell_node(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        if self.world.nodes[node].frozen || !self.world.nodes[node].runs() {
            return Ok(());
        }
        self.world.tell(|| format!("node {node} is told {input:?}"));
        self.touch(node);
        let mut done = Done::default();
        self.world.nodes[node].feed(self.world.now, input, &mut done)?;
        self.world.finish(node, done)
    }

    fn touch(&mut self, node: usize) {
        self.world.judge.touch_node(self.world.now, node);
    }

    fn return_later(&mut self, node: usize) {
        let wait = self.world.rng.span(Span::ZERO, self.longest.times(6));
        self.world.after(wait, Event::Return(node));
    }
}

impl Choice {
    fn draw(rng: &mut Rng) -> Self {
        let version = if rng.chance(15) { Version::V2 } else { Version::V3 };
        let families = match (version, rng.index(4)) {
            (Version::V2, _) | (Version::V3, 0 | 1) => vec![Family::V4],
            (Version::V3, 2) => vec![Family::V6],
            (Version::V3, _) => vec![Family::V4, Family::V6],
        };
        let palette: &[u16] = if version == Version::V2 { &INTERVALS_V2 } else { &INTERVALS };
        let mut interval = || Centis::new(rng.pick(palette)).expect("in range");
        let (first, second) = (interval(), interval());
        // In version 2 others are refused.
        let mixed = version == Version::V3 && rng.chance(25);
        let intervals = if mixed { vec![first, second] } else { vec![first] };
        let patience = rng.span(Span::ZERO, first.span().times(6));
        let preempts = match rng.index(6) {
            0 => vec![Preempt::Never],
            1 => vec![Preempt::Always, Preempt::Never],
            2 => vec![Preempt::Always, Preempt::Never, Preempt::After(patience)],
            3 => vec![Preempt::After(patience)],
            _ => vec![Preempt::Always],
        };
        let patience = if preempts.contains(&Preempt::After(patience)) { patience } else { Span::ZERO };
        Self { version, families, intervals, preempts, patience }
    }

    fn settings(&self, rng: &mut Rng) -> Settings {
        Settings {
            version: self.version,
            interval: rng.pick(&self.intervals),
            preempt: rng.pick(&self.preempts),
            priority: if rng.chance(5) { Priority::OWNER } else { any_priority(rng) },
            dialect: rng.pick(&[Dialect::Pseudo, Dialect::Message]),
        }
    }
}

/// Mostly from a few values, so that equal ones meet.
fn any_priority(rng: &mut Rng) -> Priority {
    Priority::new(if rng.chance(50) { rng.pick(&[1, 2, 100, 150, 200, 254]) } else { rng.byte(1, 254) })
}
