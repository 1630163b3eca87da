//! What a hook is told, and in which order: no clock, no program.

use crate::link::HookStatus;
use crate::vrrp::{Priority, Role, Span, Time};

use super::{Effect, Input, Queue, Transition};

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

fn transition(sequence: u64, to: Role) -> Transition {
    Transition {
        node: "lb1".to_owned(),
        router: "web".to_owned(),
        interface: "eth0".to_owned(),
        from: Role::Backup,
        to,
        reason: "no advert for 361 ms".to_owned(),
        peer: None,
        priority: Priority::new(200),
        sequence,
        superseded: 0,
        time_ms: 1_000,
    }
}

/// A queue with a limit of one second, and what it did.
struct Told(Queue);

impl Told {
    fn new() -> Self {
        Self(Queue::new(Span::from_millis(1_000)))
    }

    /// `start 1+0` (sequence and replaced), `terminate`, `kill`, `tell 1 running`.
    fn does(&mut self, ms: u64, input: Input) -> Vec<String> {
        let mut effects = Vec::new();
        self.0.handle(at(ms), ms, input, &mut effects);
        let word = |effect: Effect| match effect {
            Effect::Start(transition) => format!("start {}+{}", transition.sequence, transition.superseded),
            Effect::Terminate => "terminate".to_owned(),
            Effect::Kill => "kill".to_owned(),
            Effect::Tell(HookStatus { sequence, took_ms: None, how, .. }) => format!("tell {sequence} {how}"),
            Effect::Tell(HookStatus { sequence, took_ms: Some(took), succeeded, how, .. }) => {
                format!("tell {sequence} {succeeded} {how} {took}")
            }
        };
        effects.into_iter().map(word).collect()
    }

    fn moved(&mut self, ms: u64, sequence: u64) -> Vec<String> {
        self.does(ms, Input::Moved(transition(sequence, Role::Active)))
    }

    fn ended(&mut self, ms: u64) -> Vec<String> {
        self.does(ms, Input::Ended { succeeded: true, how: "exited with code 0".to_owned() })
    }
}

#[test]
fn one_at_a_time_and_in_order() {
    let mut told = Told::new();
    assert_eq!(told.moved(0, 1), ["start 1+0", "tell 1 running"]);
    assert_eq!(told.moved(10, 2), [""; 0]);
    assert_eq!(told.ended(30), ["tell 1 true exited with code 0 30", "start 2+0", "tell 2 running"]);
    assert_eq!(told.ended(50), ["tell 2 true exited with code 0 20"]);
    assert!(told.0.is_idle() && told.0.deadline().is_none());
}

#[test]
fn one_that_waits_is_replaced_by_the_next_which_says_so() {
    let mut told = Told::new();
    told.moved(0, 1);
    for sequence in 2..=5 {
        assert_eq!(told.moved(sequence, sequence), [""; 0]);
    }
    assert_eq!(told.ended(30)[1..], ["start 5+3", "tell 5 running"]);
    told.ended(40);
    assert_eq!(told.moved(50, 6)[0], "start 6+0", "what was replaced is told once");
}

#[test]
fn one_that_takes_too_long_is_asked_to_stop_then_killed_and_the_next_waits_for_its_end() {
    let mut told = Told::new();
    told.moved(0, 1);
    told.does(5, Input::Started);
    told.moved(10, 2);
    assert_eq!(told.0.deadline(), Some(at(1_000)));
    assert_eq!(told.does(999, Input::Timer), [""; 0]);
    assert_eq!(told.does(1_000, Input::Timer), ["terminate"]);
    assert_eq!(told.0.deadline(), Some(at(2_000)));
    assert_eq!(told.does(2_000, Input::Timer), ["kill"]);
    assert_eq!(told.0.deadline(), None);
    assert_eq!(told.does(9_000, Input::Timer), [""; 0]);
    let ended = told.does(2_001, Input::Ended { succeeded: false, how: "was killed by SIGKILL".to_owned() });
    let expected = ["tell 1 false took too long, was killed by SIGKILL 2001", "start 2+0", "tell 2 running"];
    assert_eq!(ended, expected);
    assert_eq!(told.0.deadline(), Some(at(3_001)));
}

#[test]
fn exiting_with_0_after_the_deadline_is_no_success() {
    let mut told = Told::new();
    told.moved(0, 1);
    told.does(1_000, Input::Timer);
    assert_eq!(told.ended(1_100), ["tell 1 false took too long, exited with code 0 1100"]);
}

#[test]
fn one_that_starts_after_its_deadline_is_stopped_at_once() {
    let mut told = Told::new();
    told.moved(0, 1);
    assert_eq!(told.does(1_000, Input::Timer), ["terminate"]);
    assert_eq!(told.does(1_500, Input::Started), ["terminate"]);
    assert_eq!(told.does(2_000, Input::Timer), ["kill"]);
    assert_eq!(told.does(2_500, Input::Started), ["kill"]);
}

#[test]
fn one_that_could_not_be_started_is_told_and_does_not_hold_up_the_next() {
    let mut told = Told::new();
    told.moved(0, 1);
    told.moved(1, 2);
    let refused = Input::Ended { succeeded: false, how: "there is no /x".to_owned() };
    assert_eq!(told.does(2, refused), ["tell 1 false there is no /x 2", "start 2+0", "tell 2 running"]);
}

#[test]
fn the_context_is_the_same_in_the_environment_and_as_json() {
    let transition = Transition { peer: Some("lb2".to_owned()), ..transition(7, Role::Active) };
    let json = transition.json();
    assert!(json.ends_with(b"}\n"));
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let environment = transition.environment();
    assert_eq!(environment.len(), json.as_object().expect("an object").len());
    for (variable, value) in environment {
        let key = match variable.trim_start_matches("VIPD_").to_lowercase().as_str() {
            "time" => "time_ms".to_owned(),
            key => key.to_owned(),
        };
        let said = json[&key].as_str().map_or_else(|| json[&key].to_string(), str::to_owned);
        // Roles are words of the protocol here, and of the status there.
        assert_eq!(said.to_lowercase(), value.to_lowercase(), "{variable}");
    }
}

/// Random transitions, ends and times: never two at a time, always the latest in the end, every one accounted for.
#[test]
fn whatever_happens_the_latest_is_told_and_none_is_lost() {
    use proptest::prelude::*;
    proptest!(|(steps in prop::collection::vec((0..4_u8, 0..1_500_u64), 1..200))| {
        let mut queue = Queue::new(Span::from_millis(1_000));
        let (mut now, mut sequence, mut running, mut accounted) = (0, 0, None, 0);
        let mut last = 0;
        let drain = steps.iter().copied().chain(std::iter::repeat_n((1, 1), 4));
        for (kind, wait) in drain {
            now += wait;
            let input = match kind {
                0 => { sequence += 1; Input::Moved(transition(sequence, Role::Active)) }
                1 if running.is_some() => Input::Ended { succeeded: true, how: String::new() },
                2 if running.is_some() => Input::Started,
                _ => Input::Timer,
            };
            let ends = matches!(input, Input::Ended { .. });
            let mut effects = Vec::new();
            queue.handle(at(now), now, input, &mut effects);
            if ends { running = None; }
            for effect in effects {
                if let Effect::Start(transition) = effect {
                    prop_assert!(running.is_none() && transition.sequence > last);
                    accounted += 1 + transition.superseded;
                    last = transition.sequence;
                    prop_assert_eq!(accounted, last);
                    running = Some(last);
                }
            }
            prop_assert!(queue.deadline().is_none() || running.is_some());
        }
        prop_assert!(queue.is_idle());
        prop_assert_eq!(last, sequence);
    });
}
