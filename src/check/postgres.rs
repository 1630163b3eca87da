//! A check of PostgreSQL (its protocol 3.0, chapter "Frontend/Backend Protocol" of its manual): a connection that is
//! accepted, and for a role the answer to `SELECT pg_is_in_recovery()`.
//!
//! It sends no password. A server that asks for one is alive, which is all that `any` wants; for a role, let the
//! check's user in without one (`trust` in pg_hba.conf, for the addresses of the nodes alone). That user needs no
//! rights at all.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Target;
use super::connect::{Connectors, Stream, open};
use super::words::{ASKING, Outcome, Passed, Stage, WAITING, printable, trouble};
use crate::config::{PostgresCheck, Role};

/// The longest message that is read.
const MAX_MESSAGE: usize = 16 << 10;

/// The most messages that come before an answer; a server sends about fifteen.
const MAX_MESSAGES: usize = 200;

/// Protocol 3.0.
const VERSION: i32 = 3 << 16;

/// Asks the server of `target`.
pub(super) async fn ask(
    check: &PostgresCheck,
    target: &Target,
    connectors: &Connectors,
    stage: &mut Stage,
) -> Outcome {
    let mut stream = open(target, connectors, stage).await?;
    let database = check.database.as_ref().unwrap_or(&check.user);
    send(&mut stream, &startup(&check.user, database), stage).await?;
    *stage = WAITING;
    let mut asked = false;
    for _ in 0..MAX_MESSAGES {
        match Message::read(&mut stream).await? {
            Message::LoggedIn if check.role == Role::Any => return end(stream, "logged in").await,
            Message::PasswordWanted(_) if check.role == Role::Any => {
                return end(stream, "it asks for a password").await;
            }
            Message::PasswordWanted(kind) => {
                return Err(format!("it asks for a password ({kind}), which this check does not have"));
            }
            Message::Error { code, text } => return refused(check.role, &code, &text),
            Message::Ready if asked => return Err("no answer to pg_is_in_recovery()".into()),
            Message::Ready => {
                asked = true;
                send(&mut stream, &query("SELECT pg_is_in_recovery()"), stage).await?;
                *stage = WAITING;
            }
            Message::Value(value) => return role(check.role, &value, stream).await,
            Message::LoggedIn | Message::Other => {}
        }
    }
    Err("it talks and does not answer".into())
}

/// A server that refuses this user or this database is alive (classes 28 and 3D of its error codes); one that starts
/// or stops says something else (class 57).
fn refused(role: Role, code: &str, text: &str) -> Outcome {
    let alive = code.starts_with("28") || code.starts_with("3D");
    let said = format!("{} ({})", printable(text), printable(code));
    if alive && role == Role::Any { Ok(Passed::new(format!("it answers: {said}"))) } else { Err(said) }
}

async fn role(wanted: Role, in_recovery: &str, stream: Stream) -> Outcome {
    let is = if in_recovery == "t" { Role::Follower } else { Role::Writer };
    match (wanted, is) {
        (Role::Writer, Role::Follower) => Err("a standby, expected a primary".into()),
        (Role::Follower, Role::Writer) => Err("a primary, expected a standby".into()),
        (_, Role::Follower) => end(stream, "a standby").await,
        (_, Role::Writer | Role::Any) => end(stream, "a primary").await,
    }
}

/// Says goodbye, so that the server does not log a lost connection.
async fn end(mut stream: Stream, words: &str) -> Outcome {
    // It has answered; whether it hears this changes nothing.
    let _gone = stream.write_all(&framed(b'X', &[])).await;
    Ok(Passed::new(words))
}

async fn send(stream: &mut Stream, bytes: &[u8], stage: &mut Stage) -> Result<(), String> {
    *stage = ASKING;
    stream.write_all(bytes).await.map_err(|error| format!("{} {ASKING}", trouble(&error)))
}

/// What a server said.
enum Message {
    LoggedIn,
    PasswordWanted(&'static str),
    Error {
        code: String,
        text: String,
    },
    Ready,
    /// The first column of a row.
    Value(String),
    Other,
}

impl Message {
    async fn read(stream: &mut Stream) -> Result<Self, String> {
        let mut head = [0; 5];
        let read = stream.read_exact(&mut head).await;
        read.map_err(|error| lost(&error))?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or_default();
        let known = b"RSKZTDCENAGHIVWcnst123d".contains(&kind);
        if !known || !(4..=MAX_MESSAGE).contains(&length) {
            return Err(format!("not PostgreSQL: \"{}\"", head.escape_ascii()));
        }
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await.map_err(|error| lost(&error))?;
        Ok(Self::of(kind, &body))
    }

    fn of(kind: u8, body: &[u8]) -> Self {
        match kind {
            b'R' => authentication(body),
            b'E' => Self::Error { code: error_field(body, b'C'), text: error_field(body, b'M') },
            b'Z' => Self::Ready,
            b'D' => Self::Value(first_column(body)),
            _ => Self::Other,
        }
    }
}

fn lost(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return "closed the connection without an answer".into();
    }
    format!("{} {WAITING}", trouble(error))
}

fn authentication(body: &[u8]) -> Message {
    match body.first_chunk().map(|code| i32::from_be_bytes(*code)) {
        Some(0) => Message::LoggedIn,
        Some(3) => Message::PasswordWanted("in clear"),
        Some(5) => Message::PasswordWanted("MD5"),
        Some(10) => Message::PasswordWanted("SCRAM"),
        Some(11 | 12) | None => Message::Other,
        Some(_) => Message::PasswordWanted("by another service"),
    }
}

/// A field of an error: a byte that names it, then text up to a zero byte.
fn error_field(body: &[u8], name: u8) -> String {
    let field = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&name));
    field.map_or(String::new(), |field| String::from_utf8_lossy(&field[1..]).into_owned())
}

/// A row: the number of columns, then for each its length and its bytes.
fn first_column(body: &[u8]) -> String {
    let value = body.get(2..6).and_then(|length| {
        let length = i32::from_be_bytes(length.try_into().ok()?);
        body.get(6..)?.get(..usize::try_from(length).ok()?)
    });
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = VERSION.to_be_bytes().to_vec();
    for word in ["user", user, "database", database, "application_name", "vipd", ""] {
        body.extend_from_slice(word.as_bytes());
        body.push(0);
    }
    with_length(&body)
}

fn query(text: &str) -> Vec<u8> {
    framed(b'Q', &[text.as_bytes(), b"\0"].concat())
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &with_length(body)[..]].concat()
}

/// `body` behind its length, which counts itself.
fn with_length(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    [&length.to_be_bytes(), body].concat()
}
