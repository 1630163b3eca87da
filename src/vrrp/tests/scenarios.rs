//! Pairs on a wire that loses nothing: who serves, and when. The simulated wire delivers at once.

use std::net::IpAddr;

use proptest::prelude::*;

use crate::vrrp::{Effect, Input, Machine, Preempt, Priority, Received, Role, Time};

use super::{HIGH, LOW, advert, at_ms, params};

/// Two nodes, a cable each, one clock.
struct Pair {
    now: Time,
    nodes: [(IpAddr, Machine); 2],
    plugged: [bool; 2],
}

impl Pair {
    fn new(priorities: [u8; 2], preempt: Preempt) -> Self {
        let params = params(10, preempt);
        let node = |position: usize| Machine::new(params, Priority::new(priorities[position]));
        let nodes = [(LOW, node(0)), (HIGH, node(1))];
        let mut pair = Self { now: at_ms(0), nodes, plugged: [true; 2] };
        for position in 0..2 {
            let source = pair.nodes[position].0;
            pair.tell(position, Input::Startup { source });
        }
        pair
    }

    /// One input, and what it sends to the other node.
    fn tell(&mut self, position: usize, input: Input) {
        let mut out = Vec::new();
        self.nodes[position].1.handle(self.now, input, &mut out);
        for effect in out {
            if let Effect::SendAdvert(priority) = effect
                && self.plugged == [true; 2]
            {
                let source = self.nodes[position].0;
                self.tell(1 - position, Input::Advert(advert(source, priority.get(), 10)));
            }
        }
    }

    fn run_until(&mut self, end: Time) {
        loop {
            let deadlines = self.nodes.iter().enumerate();
            let next =
                deadlines.filter_map(|(position, (_, machine))| Some((machine.deadline()?, position))).min();
            match next {
                Some((deadline, position)) if deadline <= end => {
                    self.now = self.now.max(deadline);
                    self.tell(position, Input::Timer);
                }
                Some(_) | None => break,
            }
        }
        self.now = end;
    }

    fn active(&self) -> Vec<usize> {
        (0..2).filter(|position| self.nodes[*position].1.role() == Role::Active).collect()
    }
}

#[test]
fn both_started_at_once_the_better_serves() {
    let mut pair = Pair::new([200, 100], Preempt::Always);
    pair.run_until(at_ms(1_000));
    assert_eq!(pair.active(), [0]);
}

#[test]
fn equal_priorities_end_with_the_higher_address_when_both_serve() {
    let mut pair = Pair::new([100, 100], Preempt::Always);
    pair.plugged = [false, true];
    pair.run_until(at_ms(1_000));
    assert_eq!(pair.active(), [0, 1], "neither hears the other");
    pair.plugged = [true; 2];
    pair.run_until(at_ms(1_200));
    assert_eq!(pair.active(), [1]);
}

#[test]
fn a_returning_node_preempts_or_does_not() {
    for (preempt, holder) in [(Preempt::Always, 0), (Preempt::Never, 1)] {
        let mut pair = Pair::new([200, 100], preempt);
        pair.run_until(at_ms(1_000));
        pair.tell(0, Input::Fault);
        pair.run_until(at_ms(2_000));
        assert_eq!(pair.active(), [1]);
        pair.tell(0, Input::Startup { source: LOW });
        pair.run_until(at_ms(3_000));
        assert_eq!(pair.active(), [holder], "{preempt:?}");
    }
}

#[test]
fn unfit_yields_to_fit_even_where_nobody_preempts_and_two_unfit_nodes_do_not_quarrel() {
    let mut pair = Pair::new([200, 100], Preempt::Never);
    pair.run_until(at_ms(1_000));
    pair.tell(0, Input::Compete(Priority::UNFIT));
    pair.run_until(at_ms(1_100));
    assert_eq!(pair.active(), [1]);
    pair.tell(1, Input::Compete(Priority::UNFIT));
    for step in 0..100 {
        pair.run_until(at_ms(1_100 + step * 20));
        assert_eq!(pair.active(), [1], "the address stays where it is while nobody is fit");
    }
    pair.tell(0, Input::Compete(Priority::new(200)));
    pair.run_until(at_ms(4_000));
    assert_eq!(pair.active(), [0]);
}

proptest! {
    /// Whatever happens to the pair, within four intervals of quiet exactly one of two connected nodes serves.
    #[test]
    fn one_serves_after_any_story(
        priorities in [1..=254u8, 1..=254u8],
        never: bool,
        story in prop::collection::vec((0..2usize, 0..5u8, 1..400u64, any::<u8>()), 1..40),
    ) {
        let preempt = if never { Preempt::Never } else { Preempt::Always };
        let mut pair = Pair::new(priorities, preempt);
        let mut ms = 0;
        for (node, what, pause, byte) in story {
            match what {
                0 => pair.plugged[node] = !pair.plugged[node],
                1 => pair.tell(node, Input::Fault),
                2 => pair.tell(node, Input::Compete(Priority::new(byte.clamp(1, 254)))),
                3 => {
                    let forged = Received { source: IpAddr::from([10, 0, 1, 77]), ..advert(HIGH, byte, 10) };
                    pair.tell(node, Input::Advert(forged));
                }
                _ => pair.tell(node, Input::Shutdown),
            }
            ms += pause;
            pair.run_until(at_ms(ms));
        }
        pair.plugged = [true; 2];
        for position in 0..2 {
            let source = pair.nodes[position].0;
            pair.tell(position, Input::Startup { source });
        }
        pair.run_until(at_ms(ms + 1_500));
        prop_assert_eq!(pair.active().len(), 1);
    }
}
