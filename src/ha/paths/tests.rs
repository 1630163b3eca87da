use super::*;

const INTERVAL: Span = Span::from_millis(100);
const DOWN: Span = Span::from_millis(361);

fn at(ms: u64) -> Time {
    Time::from_micros(ms * 1_000)
}

/// A Backup's view, and everything that was told.
struct View {
    paths: Paths,
    events: Vec<Event>,
}

impl View {
    fn backup() -> Self {
        let mut paths = Paths::new(AdvertPath::Multicast, 0);
        paths.watch(0, true);
        Self { paths, events: Vec::new() }
    }

    fn heard(&mut self, ms: u64, which: Which) {
        self.paths.heard((at(ms), ms), which, (INTERVAL, DOWN), "web", &mut self.events);
    }

    /// An advert every interval on these paths, from `from` to `to` in milliseconds.
    fn beat(&mut self, from: u64, to: u64, on: &[Which]) {
        for ms in (from..to).step_by(100) {
            on.iter().for_each(|which| self.heard(ms, *which));
        }
    }

    fn states(&self) -> [PathState; 2] {
        self.paths.both().map(|path| path.state)
    }

    fn told(&mut self) -> Vec<String> {
        let told = self.events.drain(..);
        told.map(|event| {
            if let Event::PathLost { path, .. } = event { format!("{path} lost") } else { event.to_string() }
        })
        .collect()
    }
}

const BOTH: [Which; 2] = [Which::Main, Which::Heartbeat];

#[test]
fn a_path_that_is_silent_while_the_other_lives_is_lost_once_and_comes_back_once() {
    for (alive, dead, name) in
        [(Which::Heartbeat, Which::Main, "multicast"), (Which::Main, Which::Heartbeat, "heartbeat")]
    {
        let mut view = View::backup();
        view.beat(0, 1_000, &BOTH);
        assert_eq!(view.states(), [PathState::Alive; 2]);
        view.beat(1_000, 1_300, &[alive]);
        assert_eq!(view.told(), [""; 0], "not an Active_Down_Interval yet");
        view.beat(1_300, 5_000, &[alive]);
        assert_eq!(view.told(), [format!("{name} lost")]);
        let lost = view.paths.both()[dead as usize];
        assert_eq!((lost.state, lost.since_ms, lost.losses), (PathState::Lost, 1_300, 1));
        view.heard(5_000, dead);
        assert_eq!(view.told(), [format!("web: path {name} is back")]);
        assert_eq!(view.states(), [PathState::Alive; 2]);
    }
}

#[test]
fn silence_on_both_is_no_loss_and_whoever_comes_first_after_it_gives_the_other_its_time() {
    let mut view = View::backup();
    view.beat(0, 1_000, &BOTH);
    view.beat(2_000, 2_300, &[Which::Main]);
    assert_eq!((view.told(), view.states()), (Vec::new(), [PathState::Alive; 2]));
    view.beat(2_300, 2_500, &[Which::Main]);
    assert_eq!(view.told(), ["heartbeat lost"], "its time is over");
}

#[test]
fn a_path_that_was_never_heard_is_lost_as_well() {
    let mut view = View::backup();
    view.beat(700, 1_000, &[Which::Heartbeat]);
    assert_eq!(view.states(), [PathState::Unknown, PathState::Alive]);
    view.beat(1_000, 1_200, &[Which::Heartbeat]);
    assert_eq!(view.told(), ["multicast lost"]);
}

#[test]
fn an_active_knows_nothing_and_tells_nothing_but_that_a_lost_path_is_back() {
    let mut view = View::backup();
    view.beat(0, 1_000, &[Which::Main]);
    assert_eq!(view.told(), ["heartbeat lost"]);
    view.paths.watch(1_000, false);
    assert_eq!(view.states(), [PathState::Unknown; 2]);
    view.beat(1_000, 3_000, &[Which::Main]);
    assert_eq!((view.told(), view.states()), (Vec::new(), [PathState::Unknown; 2]));

    // A Backup again, and the path is still not there: seen, but neither told nor counted twice.
    view.paths.watch(3_000, true);
    view.beat(3_000, 4_000, &[Which::Main]);
    assert_eq!((view.told(), view.states()), (Vec::new(), [PathState::Alive, PathState::Lost]));
    assert_eq!(view.paths.both()[1].losses, 1);
    view.paths.watch(4_000, false);
    view.heard(4_000, Which::Heartbeat);
    assert_eq!(view.told(), ["web: path heartbeat is back"]);
    assert_eq!(view.paths.both().map(|path| path.received), [40, 1]);
}
