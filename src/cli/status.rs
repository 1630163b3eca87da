//! `vipd status`: how things stand, once or kept up to date.

use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use crate::link::{Reply, Request, Status};
use crate::net::clock;

use super::args::{Global, StatusOptions};
use super::client::Client;
use super::exit::{Exit, Failure};
use super::render::{event, status as render};
use super::terminal::{Ink, Style};

/// How often a watched status is drawn again when nothing happens, so that its ages go on.
const TICK: Duration = Duration::from_secs(1);

/// To the top left corner of the terminal; clear to the end of the line; clear to the end of the terminal
/// (ECMA-48 CUP, EL, ED). Drawn over in one piece, the text does not flicker.
const HOME: &str = "\x1b[H";
const END_OF_LINE: &str = "\x1b[K\n";
const END_OF_SCREEN: &str = "\x1b[J";

/// Prints the status once, or goes on until it is interrupted.
pub(crate) fn status(global: &Global, options: &StatusOptions) -> Result<(), Failure> {
    match (options.watch, options.json) {
        (false, json) => once(global, json),
        (true, true) => follow(global, json_line),
        (true, false) if stdout().is_terminal() => redraw(global),
        (true, false) => follow(global, |reply| match reply {
            Reply::Event(stamped) => Some(event::line(stamped)),
            Reply::Status(_)
            | Reply::Dump { .. }
            | Reply::Done { .. }
            | Reply::Maintenance(_)
            | Reply::Close { .. }
            | Reply::Refused { .. }
            | Reply::Forbidden { .. } => None,
        }),
    }
}

fn once(global: &Global, json: bool) -> Result<(), Failure> {
    let status = ask(&mut Client::connect(&global.runtime_dir())?)?;
    let text = if json {
        to_json(&status) + "\n"
    } else {
        render::text(&status, clock::wall_ms(), Style::of(&stdout()))
    };
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// One line for each thing that the agent says and `line` has words for.
fn follow(global: &Global, line: impl Fn(&Reply) -> Option<String>) -> Result<(), Failure> {
    let mut client = Client::connect(&global.runtime_dir())?;
    client.send(&Request::Watch)?;
    loop {
        let Some(reply) = client.receive(TICK)? else { continue };
        match &reply {
            Reply::Refused { why } => return Err(Failure::new(Exit::Failed, why)),
            Reply::Forbidden { why } => return Err(Failure::new(Exit::Privilege, why)),
            Reply::Status(_)
            | Reply::Event(_)
            | Reply::Dump { .. }
            | Reply::Done { .. }
            | Reply::Maintenance(_)
            | Reply::Close { .. } => {}
        }
        if let Some(line) = line(&reply) {
            let mut out = stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()?;
        }
    }
}

/// Draws the status anew on every event and once a second. When the daemon is restarted, it is found again.
fn redraw(global: &Global) -> Result<(), Failure> {
    let runtime_dir = global.runtime_dir();
    let (mut events, mut asked) = (Client::connect(&runtime_dir)?, Client::connect(&runtime_dir)?);
    loop {
        let Err(failure) = watch(&mut events, &mut asked) else { continue };
        if failure.exit() != Exit::Unavailable {
            return Err(failure);
        }
        let style = Style::of(&stdout());
        let gone = style.paint(Ink::Bad, &failure.to_string());
        draw(&format!("{gone}\nwaiting for it to come back; Ctrl-C ends\n"))?;
        (events, asked) = loop {
            std::thread::sleep(TICK);
            if let (Ok(events), Ok(asked)) = (Client::connect(&runtime_dir), Client::connect(&runtime_dir)) {
                break (events, asked);
            }
        };
    }
}

/// One connection hears the events, the other asks for what they led to. Ends only by a failure.
fn watch(events: &mut Client, asked: &mut Client) -> Result<(), Failure> {
    events.send(&Request::Watch)?;
    loop {
        let status = ask(asked)?;
        draw(&render::text(&status, clock::wall_ms(), Style::of(&stdout())))?;
        events.receive(TICK)?;
    }
}

fn draw(text: &str) -> Result<(), Failure> {
    let frame = format!("{HOME}{}{END_OF_SCREEN}", text.replace('\n', END_OF_LINE));
    let mut out = stdout().lock();
    out.write_all(frame.as_bytes())?;
    Ok(out.flush()?)
}

fn ask(client: &mut Client) -> Result<Status, Failure> {
    let status = |reply| if let Reply::Status(status) = reply { Some(*status) } else { None };
    client.ask_for(&Request::Status, status)
}

fn json_line(reply: &Reply) -> Option<String> {
    Some(to_json(reply))
}

fn to_json<M: serde::Serialize>(message: &M) -> String {
    serde_json::to_string(message).expect("our messages have string keys and no failing Serialize")
}
