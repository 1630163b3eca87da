//! A check of Redis or Valkey (RESP2): `PING`, or `ROLE` for a role, after `AUTH` when there is a password.
//!
//! A replica passes while its link to its master is up; one that has lost it answers with old data.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Target;
use super::connect::{Connectors, Stream, open};
use super::words::{ASKING, Outcome, Passed, Stage, WAITING, printable, trouble};
use crate::config::{RedisCheck, Role};
use crate::net::secret;

/// The longest answer that is read; that of a master with many replicas is longer, and its beginning is enough.
const MAX_ANSWER: usize = 4 << 10;

/// Asks the server of `target`.
pub(super) async fn ask(
    check: &RedisCheck,
    target: &Target,
    connectors: &Connectors,
    stage: &mut Stage,
) -> Outcome {
    let password = match &check.password_file {
        Some(file) => Some(secret::read(file).map_err(|error| error.to_string())?),
        None => None,
    };
    let mut stream = open(target, connectors, stage).await?;
    if let Some(password) = &password {
        let answer = command(&mut stream, &["AUTH", password.trim()], 1, stage).await?;
        simple(&answer)?;
    }
    if check.role == Role::Any {
        let answer = command(&mut stream, &["PING"], 1, stage).await?;
        return match simple(&answer) {
            Ok(word) => Ok(Passed::new(word)),
            Err(why) if why.starts_with("NOAUTH") => Ok(Passed::new("it asks for a password")),
            Err(why) => Err(why),
        };
    }
    let answer = command(&mut stream, &["ROLE"], ROLE_LINES, stage).await?;
    role(check.role, &answer)
}

/// Lines until the role is known: the length of the list, the length of the word, the word; and for a replica its
/// master's name in two lines, the port, and the state of the link in two lines.
const ROLE_LINES: usize = 8;

fn role(wanted: Role, answer: &[String]) -> Outcome {
    let lines: Vec<_> = answer.iter().map(String::as_str).collect();
    match (&lines[..], wanted) {
        ([list, _, "master", ..], Role::Writer | Role::Any) if list.starts_with('*') => {
            Ok(Passed::new("a master"))
        }
        ([_, _, "master", ..], Role::Follower) => Err("a master, expected a replica".into()),
        ([_, _, "slave", ..], Role::Writer) => Err("a replica, expected a master".into()),
        ([_, _, "slave", _, _, _, _, "connected"], Role::Follower | Role::Any) => {
            Ok(Passed::new("a replica"))
        }
        ([_, _, "slave", _, _, _, _, link], Role::Follower | Role::Any) => {
            Err(format!("a replica whose link to its master is \"{}\"", printable(link)))
        }
        ([_, _, "sentinel", ..], _) => Err("a sentinel, not a server".into()),
        _ => Err(match simple(answer) {
            Ok(word) => format!("not an answer to ROLE: \"{}\"", printable(&word)),
            Err(why) => why,
        }),
    }
}

/// `+word`, or the error in `-words`.
fn simple(answer: &[String]) -> Result<String, String> {
    let line = answer.first().map_or("", String::as_str);
    match (line.strip_prefix('+'), line.strip_prefix('-')) {
        (Some(word), _) => Ok(word.to_owned()),
        (None, Some(why)) => Err(printable(why)),
        (None, None) => Err(format!("not Redis: \"{}\"", printable(line))),
    }
}

/// Sends a command and reads `lines` lines of its answer, fewer when it is shorter.
async fn command(
    stream: &mut Stream,
    words: &[&str],
    lines: usize,
    stage: &mut Stage,
) -> Result<Vec<String>, String> {
    *stage = ASKING;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes()).await.map_err(|error| format!("{} {ASKING}", trouble(&error)))?;
    *stage = WAITING;
    let mut bytes = Vec::new();
    while !complete(&bytes, lines) {
        if bytes.len() > MAX_ANSWER {
            return Err("not Redis: its answer has no end".into());
        }
        let read = stream.read_buf(&mut bytes).await;
        if read.map_err(|error| format!("{} {WAITING}", trouble(&error)))? == 0 {
            return Err("closed the connection without an answer".into());
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.split("\r\n").take(lines).map(str::to_owned).collect())
}

/// Whether `bytes` are a whole answer, or its first `lines` lines. Only a list has more than one, and only that of a
/// replica must be read further than its third, which says what the server is.
fn complete(bytes: &[u8], lines: usize) -> bool {
    let mut whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\r\n"));
    let enough = match (bytes.first(), whole.clone().nth(2)) {
        (Some(b'*'), Some(word)) if word != b"slave\r\n" => 3,
        (Some(b'*'), _) => lines,
        _ => 1,
    };
    whole.nth(enough.min(lines) - 1).is_some()
}
