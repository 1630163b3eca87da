//! One message a line: JSON without line breaks, ended by `\n`.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest line that is taken, so that a stranger cannot make us grow: 4 MiB, room for 10,000 servers.
pub const MAX_LINE: usize = 4 << 20;

/// `message` as a line, `\n` included.
pub fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    let mut line =
        serde_json::to_vec(message).expect("our messages have string keys and no failing Serialize");
    line.push(b'\n');
    line
}

/// The message of one line, with or without its `\n`.
///
/// # Errors
/// Says what is wrong with the line, for the log of whoever received it.
pub fn decode<M: DeserializeOwned>(line: &[u8]) -> Result<M, String> {
    serde_json::from_slice(line).map_err(|error| format!("not a message of ours: {error}"))
}
