//! The parts that need no socket: the coarse clock, the buffers' memory, the counters, the error pages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::deadline::{Deadlines, Ticks};
use super::problem::{Culprit, Problem};
use super::stats::{Count, Counters, Stats};
use crate::http::{Date, Malformed};

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::<Bell>::default();
    (Arc::clone(&bell), bell.into())
}

#[test]
fn durations_are_rounded_up_to_ticks() {
    for (millis, ticks) in [(0, 0), (1, 1), (100, 1), (101, 2), (30_000, 300)] {
        assert_eq!(Ticks::new(Duration::from_millis(millis)).count(), ticks);
    }
}

#[test]
fn a_deadline_strikes_once_its_ticks_are_over_and_never_before() {
    let deadlines = Deadlines::default();
    let (bell, waker) = bell();
    let timer = deadlines.timer(&waker);
    deadlines.sweep(7, false);
    assert!(!timer.expired(), "it was never set");
    timer.set(Ticks::new(Duration::from_millis(200)));
    for now in 8..10 {
        deadlines.sweep(now, false);
        assert!(!timer.expired(), "the first tick had begun before");
    }
    assert_eq!(bell.0.load(Ordering::Relaxed), 0);
    deadlines.sweep(10, false);
    assert!(timer.expired());
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    timer.set(Ticks::new(Duration::MAX));
    deadlines.sweep(1 << 60, false);
    assert!(!timer.expired(), "never is never");
}

#[test]
fn a_timer_that_is_gone_keeps_no_task() {
    let deadlines = Deadlines::default();
    let (bell, waker) = bell();
    let timer = deadlines.timer(&waker);
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 2);
    drop(timer);
    assert_eq!(Arc::strong_count(&bell), 1, "the sweep is yet to come");
}

#[test]
fn a_hurry_ends_idle_connections_only() {
    let deadlines = Deadlines::default();
    let (busy_bell, busy_waker) = bell();
    let (idle_bell, idle_waker) = bell();
    let (busy, idle) = (deadlines.timer(&busy_waker), deadlines.timer(&idle_waker));
    idle.set_idle(true);
    deadlines.sweep(1, true);
    assert_eq!((busy.expired(), idle.expired()), (false, true));
    assert_eq!((busy_bell.0.load(Ordering::Relaxed), idle_bell.0.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn a_connection_that_is_gone_is_forgotten() {
    let deadlines = Deadlines::default();
    let (bell, waker) = bell();
    drop(deadlines.timer(&waker));
    drop(waker);
    deadlines.sweep(1, false);
    assert_eq!(Arc::strong_count(&bell), 1, "the sweep let go of the waker");
}

#[test]
fn counters_are_summed_over_the_cores() {
    let cores = [Counters::new(2, 1), Counters::new(2, 1)];
    cores[0].servers[1].request();
    cores[1].servers[1].request();
    cores[1].servers[1].error();
    cores[1].frontends[0].error();
    let stats = Stats::sum(cores.iter(), 3);
    assert_eq!(stats.servers, [Count::default(), Count { requests: 2, errors: 1, ..Count::default() }]);
    assert_eq!(stats.frontends, [Count { errors: 1, ..Count::default() }]);
    assert_eq!(stats.connections, 3);
}

#[test]
fn problems_say_whose_they_are_and_render_as_whole_responses() {
    let server = || "app1".to_owned();
    let table = [
        (Problem::Malformed(Malformed::HostTwice), 400, Culprit::Client),
        (Problem::Malformed(Malformed::TooManyHeaders), 431, Culprit::Client),
        (Problem::HeadTimeout, 408, Culprit::Client),
        (Problem::BodyTimeout, 408, Culprit::Client),
        (Problem::BodyTooLarge, 413, Culprit::Client),
        (Problem::NoServer, 503, Culprit::Server),
        (Problem::Full, 503, Culprit::Us),
        (Problem::Exhausted(io::ErrorKind::OutOfMemory.into()), 503, Culprit::Us),
        (
            Problem::Unreachable { server: server(), error: io::ErrorKind::ConnectionRefused.into() },
            502,
            Culprit::Server,
        ),
        (Problem::ConnectTimeout { server: server() }, 504, Culprit::Server),
        (Problem::Unanswered { server: server() }, 502, Culprit::Server),
        (Problem::BadResponse { server: server(), malformed: Malformed::Status }, 502, Culprit::Server),
        (Problem::ResponseTimeout { server: server() }, 504, Culprit::Server),
    ];
    let now = Date::at(0);
    for (problem, status, culprit) in table {
        assert_eq!((problem.status(), problem.culprit()), (status, culprit), "{problem}");
        let mut out = Vec::new();
        problem.render(true, false, &now, &mut out);
        let text = String::from_utf8(out).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && !head.contains(" Error\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        assert!(body.contains(&problem.to_string()), "{body}");
        let mut out = Vec::new();
        problem.render(false, true, &now, &mut out);
        let end = [b"\r\nConnection: close\r\n", now.field(), b"\r\n"].concat();
        assert!(out.ends_with(&end), "HEAD gets no body");
    }
}
