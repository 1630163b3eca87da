//! Makes sentences of what was seen. Pure: notes in, in the order of their times; lines out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::world::VIP;
use crate::event::{Event, Stamped};
use crate::lab::{Exchange, Frame, Mac, Moment, Tally, Topology};

/// Something seen or done.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// A new chapter of the story begins.
    Stage(String),
    /// The story did or found something.
    Act(String),
    /// A node was found to have seen something.
    Seen {
        /// The node.
        node: String,
        /// What.
        text: String,
    },
    /// The client's card received a frame.
    Frame(Frame),
    /// A request of the client has ended.
    Exchange(Exchange),
    /// A node reports.
    Event(Stamped),
    /// Nothing more will come.
    End,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whose doing it is.
    pub(super) who: String,
    /// What.
    pub(super) text: String,
    /// What kind of thing it is, for the colour.
    pub(super) tone: Tone,
}

/// What kind of thing a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// A headline.
    Stage,
    /// The story's own deed.
    Act,
    /// A node changed.
    Role,
    /// On the wire.
    Wire,
    /// A failure.
    Trouble,
    /// The rest.
    Plain,
}

/// Remembers what makes the next note worth a line: adverts and answers that repeat are not.
#[derive(Debug)]
pub(super) struct Narrator {
    topology: Topology,
    /// The last advert that did not resign: who sent it, and when.
    last_advert: Option<(IpAddr, Moment)>,
    /// The card at which the address was announced last.
    holder: Option<Mac>,
    answers: Answers,
}

/// How the client's requests are going.
#[derive(Debug)]
enum Answers {
    /// All is well; the last exchanges, because a failure is known only after the successes of others that were sent
    /// later.
    Well(VecDeque<Exchange>),
    /// Requests have failed; they and what went before and since.
    Failing { so_far: Vec<Exchange>, last_failure: Moment },
}

/// How many exchanges are remembered while all is well: more than are sent in one request's budget.
const REMEMBERED: usize = 250;
/// Requests count as going well again when none has failed for so long: more than one request's budget.
const CALM: Duration = Duration::from_millis(160);

impl Narrator {
    pub(super) const fn new(topology: Topology) -> Self {
        Self { topology, last_advert: None, holder: None, answers: Answers::Well(VecDeque::new()) }
    }

    /// Takes `note` and says the lines that it is worth.
    pub(super) fn handle(&mut self, at: Moment, note: &Note, say: &mut impl FnMut(Line)) {
        self.calm_down(at, say);
        match note {
            Note::Stage(title) => say(line("", title.clone(), Tone::Stage)),
            Note::Act(text) => say(line("lab", text.clone(), Tone::Act)),
            Note::Seen { node, text } => say(line(node, text.clone(), Tone::Role)),
            Note::Frame(frame) => self.frame(frame, say),
            Note::Exchange(exchange) => self.exchange(exchange, say),
            Note::Event(event) => say(line(&event.node, event.event.to_string(), tone_of(&event.event))),
            Note::End => {}
        }
    }

    fn frame(&mut self, frame: &Frame, say: &mut impl FnMut(Line)) {
        if let Some(advert) = frame.advert() {
            let who = self.name(advert.source);
            if advert.priority == 0 {
                say(line(&who, "advert: priority 0, I resign".into(), Tone::Wire));
                return;
            }
            let before = self.last_advert.replace((advert.source, frame.at));
            if before.is_none_or(|(source, _)| source != advert.source) {
                let since = before.map(|(source, at)| {
                    format!(", {} after the last one of {}", millis(frame.at.since(at)), self.name(source))
                });
                let text =
                    format!("advert: priority {}, first{}", advert.priority, since.unwrap_or_default());
                say(line(&who, text, Tone::Wire));
            }
        } else if let Some(arp) = frame.gratuitous().filter(|arp| arp.sender == VIP)
            && self.holder.replace(arp.sender_mac) != Some(arp.sender_mac)
        {
            let advert = self.last_advert.map(|(_, at)| frame.at.since(at));
            let after = advert.map(|gap| format!(", {} after the advert", millis(gap))).unwrap_or_default();
            let host = self.name_of_mac(arp.sender_mac);
            let text = format!("hears gratuitous ARP: {VIP} is at {} ({host}){after}", arp.sender_mac);
            say(line("client", text, Tone::Wire));
        }
    }

    fn exchange(&mut self, exchange: &Exchange, say: &mut impl FnMut(Line)) {
        let ended = exchange.sent + exchange.took;
        match (&mut self.answers, exchange.outcome.failure()) {
            (Answers::Well(last), None) => {
                last.truncate(REMEMBERED - 1);
                last.push_front(exchange.clone());
            }
            (Answers::Well(last), Some(why)) => {
                let text = format!("the first request fails: {why} after {}", millis(exchange.took));
                say(line("client", text, Tone::Trouble));
                let so_far = last.drain(..).rev().chain([exchange.clone()]).collect();
                self.answers = Answers::Failing { so_far, last_failure: ended };
            }
            (Answers::Failing { so_far, last_failure }, why) => {
                if why.is_some() {
                    *last_failure = ended;
                }
                so_far.push(exchange.clone());
            }
        }
    }

    /// Says that requests are going well again once they are.
    fn calm_down(&mut self, now: Moment, say: &mut impl FnMut(Line)) {
        let Answers::Failing { so_far, last_failure } = &self.answers else { return };
        let ends_well = so_far.last().is_some_and(|exchange| exchange.outcome.failure().is_none());
        if now.since(*last_failure) < CALM || !ends_well {
            return;
        }
        let sent = || so_far.iter().map(|exchange| exchange.sent);
        let (Some(from), Some(to)) = (sent().min(), sent().max()) else { return };
        let tally = Tally::of(so_far, from, to);
        let text = format!(
            "every request is answered again: {} failed, the longest time without an answer was {}",
            tally.failed,
            millis(tally.longest_gap)
        );
        say(line("client", text, Tone::Plain));
        self.answers = Answers::Well(so_far.iter().rev().take(REMEMBERED).cloned().collect());
    }

    fn name(&self, address: IpAddr) -> String {
        let host = self.topology.hosts.iter().find(|host| host.address == address);
        host.map_or_else(|| address.to_string(), |host| host.name.clone())
    }

    fn name_of_mac(&self, mac: Mac) -> String {
        let host = self.topology.hosts.iter().find(|host| host.mac == mac);
        host.map_or_else(|| "nobody's card".to_owned(), |host| host.name.clone())
    }
}

fn line(who: &str, text: String, tone: Tone) -> Line {
    Line { who: who.to_owned(), text, tone }
}

const fn tone_of(event: &Event) -> Tone {
    match event {
        Event::Moved { .. }
        | Event::Competes { .. }
        | Event::AlarmCleared { .. }
        | Event::PathBack { .. }
        | Event::Tuned { .. }
        | Event::ProxyStarted { .. }
        | Event::ProxyReady { .. }
        | Event::Tracked { passes: true, .. }
        | Event::Hooked { succeeded: true, .. }
        | Event::ServerReturned { .. }
        | Event::Panic { begins: false, .. }
        | Event::Maintenance { .. }
        | Event::ServerUp { .. } => Tone::Role,
        Event::Tracked { .. }
        | Event::Hooked { .. }
        | Event::TakesNoPart { .. }
        | Event::Restored { .. }
        | Event::AddressFailed { .. }
        | Event::Advised { .. }
        | Event::RouteFailed { .. }
        | Event::RouteRestored { .. }
        | Event::ProxyDied { .. }
        | Event::AlarmRaised { .. }
        | Event::PathLost { .. }
        | Event::ServerEjected { .. }
        | Event::Panic { .. }
        | Event::ServerDown { .. } => Tone::Trouble,
    }
}

/// `0.12 ms`, `360.9 ms`.
pub(super) fn millis(span: Duration) -> String {
    let millis = span.as_secs_f64() * 1e3;
    if millis < 1.0 { format!("{millis:.2} ms") } else { format!("{millis:.1} ms") }
}
