//! What goes wrong with clients and servers: counted and told by one path, so that the counters and the log agree.
//!
//! The log is for people who were woken at night. What clients do wrong is `info`, for nobody has to get up for it; what
//! servers do wrong, or we, is `warn`. No flood of one may fill the journal or hide another: in ten seconds a core says a
//! few lines of each kind, and then one about all that it has not said, with how often.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::deadline::Ticks;
use super::door::Door;
use super::problem::{Culprit, Problem};

/// From one sum to the next.
const PERIOD: Ticks = Ticks::new(Duration::from_secs(10));
/// Lines of one kind in that time, the sum apart.
const LINES: u64 = 5;
/// Texts that a sum tells apart.
const TEXTS: usize = 8;

/// What each has lines of its own for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Clients,
    /// Clients who left, which is nobody's fault.
    Leavers,
    Servers,
    Us,
}

const KINDS: [Kind; 4] = [Kind::Clients, Kind::Leavers, Kind::Servers, Kind::Us];

impl Kind {
    fn of(problem: &Problem) -> Self {
        match problem.culprit() {
            _ if problem.is_left() => Self::Leavers,
            Culprit::Client => Self::Clients,
            Culprit::Server => Self::Servers,
            Culprit::Us => Self::Us,
        }
    }
}

/// What a line says besides its words.
#[derive(Clone, Copy, Debug, Default)]
struct About<'a> {
    frontend: Option<&'a str>,
    client: Option<SocketAddr>,
    status: Option<u16>,
    culprit: Option<Culprit>,
}

/// One core's mouth.
#[derive(Debug)]
pub(super) struct Blame {
    /// The names of the frontends.
    frontends: Arc<[String]>,
    books: RefCell<[Book; KINDS.len()]>,
    /// The tick of the next sum.
    due: Cell<u64>,
}

impl Blame {
    pub(super) fn new(frontends: Arc<[String]>) -> Self {
        Self { frontends, books: RefCell::default(), due: Cell::new(PERIOD.count()) }
    }

    /// Sums up, if it is time.
    pub(super) fn turn(&self, now: u64) {
        if now >= self.due.get() {
            self.due.set(now + PERIOD.count());
            self.sum();
        }
    }

    fn sum(&self) {
        let books = self.books.take();
        for (kind, book) in KINDS.into_iter().zip(books) {
            let Some(sum) = book.sum() else { continue };
            let who = match kind {
                Kind::Clients => "by clients",
                Kind::Leavers => "of clients who left",
                Kind::Servers => "by servers",
                Kind::Us => "by the proxy",
            };
            let (more, within) = (book.unsaid(), PERIOD.count() / Ticks::new(Duration::from_secs(1)).count());
            log(kind, format_args!("{more} more {who} within {within} s: {sum}"), About::default());
        }
    }

    /// Says a line, or has it in the next sum.
    fn tell(&self, kind: Kind, what: &str, why: &dyn Display, about: About<'_>) {
        let text = format_args!("{what}: {why}");
        let at = KINDS.iter().position(|other| *other == kind).unwrap_or_default();
        let mut books = self.books.borrow_mut();
        if books[at].has_line() {
            drop(books);
            log(kind, text, about);
        } else {
            books[at].note(about.frontend.map_or_else(|| text.to_string(), |name| format!("{name}: {text}")));
        }
    }

    fn name(&self, frontend: usize) -> Option<&str> {
        self.frontends.get(frontend).map(String::as_str)
    }
}

impl Drop for Blame {
    /// Whatever happened last is said as well.
    fn drop(&mut self) {
        self.sum();
    }
}

fn log(kind: Kind, text: fmt::Arguments<'_>, about: About<'_>) {
    let About { frontend, client, status, culprit } = about;
    let (client, culprit) = (client.map(tracing::field::display), culprit.map(tracing::field::debug));
    match kind {
        Kind::Clients | Kind::Leavers => tracing::info!(frontend, client, status, culprit, "{text}"),
        Kind::Servers | Kind::Us => tracing::warn!(frontend, client, status, culprit, "{text}"),
    }
}

/// What was said of one kind since the last sum, and what was not.
#[derive(Debug, Default)]
struct Book {
    /// Events of it.
    events: u64,
    /// What was not said, and how often that came; the rest is of other texts.
    texts: Vec<(String, u64)>,
}

impl Book {
    /// Counts an event; whether it has a line.
    fn has_line(&mut self) -> bool {
        self.events += 1;
        self.events <= LINES
    }

    /// Keeps what was not said.
    fn note(&mut self, text: String) {
        if let Some((_, times)) = self.texts.iter_mut().find(|(known, _)| *known == text) {
            *times += 1;
        } else if self.texts.len() < TEXTS {
            self.texts.push((text, 1));
        }
    }

    fn unsaid(&self) -> u64 {
        self.events.saturating_sub(LINES)
    }

    /// What was not said, the most frequent first.
    fn sum(&self) -> Option<String> {
        let mut texts: Vec<_> = self.texts.iter().collect();
        texts.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        let told: u64 = texts.iter().map(|(_, times)| times).sum();
        let mut parts: Vec<_> = texts.iter().map(|(text, times)| format!("{times} × {text}")).collect();
        let others = self.unsaid().saturating_sub(told);
        if others > 0 {
            parts.push(format!("{others} × something else"));
        }
        (self.unsaid() > 0).then(|| parts.join("; "))
    }
}

impl Core {
    /// Counts and tells a request that the proxy refuses itself, or whose client left before it was answered.
    pub(super) fn refused(&self, peer: SocketAddr, frontend: usize, problem: &Problem) {
        let counter = &self.counters.frontends[frontend];
        if problem.is_left() {
            counter.left();
            let about = About { frontend: self.blame.name(frontend), client: Some(peer), ..About::default() };
            return self.blame.tell(Kind::Leavers, "left", problem, about);
        }
        counter.refused(problem.culprit());
        self.blame.tell(Kind::of(problem), "refused", problem, self.about(peer, frontend, problem));
    }

    /// Counts and tells that a response ended before its end, or its request, when nothing can be answered any more. The
    /// request was counted with the head of the response.
    pub(super) fn broke_off(&self, peer: SocketAddr, frontend: usize, problem: &Problem) {
        if problem.is_left() {
            return self.refused(peer, frontend, problem);
        }
        self.counters.frontends[frontend].broke_off(problem.culprit());
        let about = About { status: None, ..self.about(peer, frontend, problem) };
        self.blame.tell(Kind::of(problem), "broken off", problem, about);
    }

    /// Counts and tells that a client does not keep to HTTP/2. That its connection is gone is nothing to tell: its
    /// requests know.
    pub(super) fn broken_frames(&self, peer: SocketAddr, frontend: usize, error: h2::Error) {
        if error.is_library() {
            self.refused(peer, frontend, &Problem::Frames(error));
        }
    }

    /// Tells that a client's handshake came to nothing; `left`: it has ended it itself.
    pub(super) fn log_handshake(&self, peer: SocketAddr, door: &Door, left: bool, why: &dyn Display) {
        let kind = if left { Kind::Leavers } else { Kind::Clients };
        let about =
            About { frontend: self.blame.name(door.frontend), client: Some(peer), ..About::default() };
        self.blame.tell(kind, "no TLS with the client", why, about);
    }

    /// Tells of a server that is passed over. It was counted where it failed.
    pub(super) fn log_retry(&self, problem: &Problem) {
        self.blame.tell(Kind::of(problem), "next server", problem, About::default());
    }

    /// Tells of something on this machine that is in the way of a frontend's clients.
    pub(super) fn log_trouble(&self, door: &Door, what: &str, why: &dyn Display) {
        let about = About { frontend: self.blame.name(door.frontend), ..About::default() };
        self.blame.tell(Kind::Us, what, why, about);
    }

    fn about(&self, peer: SocketAddr, frontend: usize, problem: &Problem) -> About<'_> {
        About {
            frontend: self.blame.name(frontend),
            client: Some(peer),
            status: Some(problem.status()),
            culprit: Some(problem.culprit()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_line_is_in_the_sum() {
        let mut book = Book::default();
        let mut said = 0;
        let mut happens = |text: &str| {
            if book.has_line() {
                said += 1;
            } else {
                book.note(text.to_owned());
            }
        };
        (0..LINES).for_each(|_| happens("rare"));
        happens("rare");
        (0..200).for_each(|_| happens("common"));
        (0..100).for_each(|at| happens(&format!("odd {at}")));
        assert_eq!((said, book.unsaid()), (LINES, 301));
        let sum = book.sum().expect("a sum");
        assert!(sum.starts_with("200 × common; "), "{sum}");
        let counted = sum.split("; ").filter_map(|part| part.split(' ').next()?.parse::<u64>().ok());
        assert_eq!(counted.sum::<u64>(), 301, "{sum}");
        assert!(sum.split("; ").count() <= TEXTS + 1, "{sum}");
    }

    #[test]
    fn when_all_was_said_there_is_no_sum() {
        let mut book = Book::default();
        assert_eq!(book.sum(), None);
        assert!((0..LINES).all(|_| book.has_line()));
        assert_eq!(book.sum(), None);
        assert!(!book.has_line());
    }
}
