//! The live timeline: takes notes from every thread, puts them in the order of their times, prints the lines.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::narrator::{Line, Narrator, Note, Tone};
use crate::event::Stamped;
use crate::lab::{Exchange, Frame, Moment, Topology};

/// How long a note waits for earlier ones that come by a slower way.
const HOLD: Duration = Duration::from_millis(60);

/// The door to the printing thread.
#[derive(Debug)]
pub(super) struct Timeline {
    notes: Sender<(Moment, Note)>,
    printer: JoinHandle<()>,
}

impl Timeline {
    /// Begins: the first note's time is zero on the printed scale.
    pub(super) fn start() -> Self {
        let (notes, inbox) = channel();
        let begun = Moment::now();
        Self { notes, printer: std::thread::spawn(move || print_all(&inbox, begun)) }
    }

    /// A new chapter.
    pub(super) fn stage(&self, title: &str) {
        self.send(Moment::now(), Note::Stage(title.to_owned()));
    }

    /// Something that the story itself did or found.
    pub(super) fn act(&self, at: Moment, text: &str) {
        self.send(at, Note::Act(text.to_owned()));
    }

    /// Something that a node was found to have seen.
    pub(super) fn seen(&self, at: Moment, node: &str, text: &str) {
        self.send(at, Note::Seen { node: node.to_owned(), text: text.to_owned() });
    }

    /// A tap for a capture.
    pub(super) fn frames(&self) -> impl Fn(&Frame) + Send + 'static {
        let notes = self.notes.clone();
        move |frame| drop(notes.send((frame.at, Note::Frame(frame.clone()))))
    }

    /// A tap for the traffic.
    pub(super) fn exchanges(&self) -> impl Fn(&Exchange) + Send + 'static {
        let notes = self.notes.clone();
        move |exchange| drop(notes.send((exchange.sent + exchange.took, Note::Exchange(exchange.clone()))))
    }

    /// A tap for a node.
    pub(super) fn events(&self) -> impl Fn(&Stamped) + Send + 'static {
        let notes = self.notes.clone();
        // Known to the millisecond only: at its end, so that what it followed from comes first.
        let at = |event: &Stamped| Moment::from_millis(event.at_ms) + Duration::from_micros(999);
        move |event| drop(notes.send((at(event), Note::Event(event.clone()))))
    }

    /// Prints what is left, and nothing that comes later.
    pub(super) fn finish(self) {
        self.send(Moment::now(), Note::End);
        // The printer ends on `End`; if it panicked, it has said so.
        let _ = self.printer.join();
    }

    fn send(&self, at: Moment, note: Note) {
        // The printer is gone only after `End`.
        let _ = self.notes.send((at, note));
    }
}

fn print_all(inbox: &Receiver<(Moment, Note)>, begun: Moment) {
    let paper = Paper { begun, colours: io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none() };
    let mut narrator = Narrator::new(Topology::pair());
    let mut held = BTreeMap::new();
    let mut number = 0_u64;
    let mut ended = false;
    while !ended || !held.is_empty() {
        match inbox.recv_timeout(HOLD / 4) {
            Ok((at, note)) => {
                ended |= matches!(note, Note::End);
                number += 1;
                held.insert((at, number), note);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => ended = true,
        }
        let now = Moment::now();
        while let Some(first) = held.first_entry().filter(|first| now.since(first.key().0) >= HOLD) {
            let ((at, _), note) = first.remove_entry();
            narrator.handle(at, &note, &mut |line| paper.print(at, &line));
            if matches!(note, Note::End) {
                return;
            }
        }
    }
}

struct Paper {
    begun: Moment,
    colours: bool,
}

impl Paper {
    fn print(&self, at: Moment, line: &Line) {
        let (on, off) = if self.colours { (colour(line.tone), "\x1b[0m") } else { ("", "") };
        let printed = if line.tone == Tone::Stage {
            writeln!(io::stdout(), "\n{on}{}{off}", line.text)
        } else {
            let millis = at.since(self.begun).as_millis();
            let (seconds, millis) = (millis / 1000, millis % 1000);
            writeln!(io::stdout(), "{seconds:4}.{millis:03} s  {on}{:<7} {}{off}", line.who, line.text)
        };
        if printed.is_err() {
            // Nobody reads on: a closed pipe ends the lab, and with this process everything in it.
            process::exit(1);
        }
    }
}

const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Stage => "\x1b[1m",
        Tone::Act => "\x1b[1;36m",
        Tone::Role => "\x1b[32m",
        Tone::Wire => "\x1b[35m",
        Tone::Trouble => "\x1b[31m",
        Tone::Plain => "",
    }
}
