//! How a pool spreads its requests: `balance` of a `[[pool]]`.

use std::fmt;

use toml::de::DeValue;

use super::nearest::nearest;
use super::pools::{Pool, Server};
use super::problem::{Problems, Wrong};
use super::table::wrong_type;
use super::value::{one_of, text};

/// How the next server of a pool is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turns, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in hand for its weight.
    LeastConnections,
    /// The less busy of two that are drawn by weight.
    Random,
    /// By the request, consistently: a server that comes or goes moves hardly more than its own share.
    Hash(HashKey),
}

/// What of a request is hashed. A request that does not have it takes its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address.
    Source,
    /// The path without its query.
    Path,
    /// A header field, by its name.
    Header(String),
    /// A cookie, by its name.
    Cookie(String),
}

const WORDS: [&str; 4] = ["round-robin", "least-connections", "random", "source"];
const EXAMPLE: &str = "write { hash = \"source\" }, { hash = \"path\" }, { hash = { header = \"X-User\" } } or \
                       { hash = { cookie = \"session\" } }";

/// What other balancers call the same.
const ALIASES: [(&str, &str); 16] = [
    ("roundrobin", "\"round-robin\""),
    ("rr", "\"round-robin\""),
    ("wrr", "\"round-robin\""),
    ("static-rr", "\"round-robin\""),
    ("leastconn", "\"least-connections\""),
    ("least_conn", "\"least-connections\""),
    ("least-conn", "\"least-connections\""),
    ("lc", "\"least-connections\""),
    ("wlc", "\"least-connections\""),
    ("random(2)", "\"random\""),
    ("random two", "\"random\""),
    ("ip_hash", "\"source\""),
    ("sh", "\"source\""),
    ("uri", "{ hash = \"path\" }"),
    ("path", "{ hash = \"path\" }"),
    ("hash", "{ hash = \"path\" }"),
];

/// `balance`: a word, or a table with what is hashed.
pub(super) fn balance(value: &DeValue<'_>) -> Result<Balance, Wrong> {
    if let Some(table) = value.as_table() {
        let (Some(key), 1) = (table.get("hash"), table.len()) else {
            return Err(Wrong::new("this table has one key, `hash`").help(EXAMPLE));
        };
        return hash(key.get_ref()).map(Balance::Hash);
    }
    let word = text(value)?;
    if let Some((_, ours)) = ALIASES.iter().find(|(theirs, _)| word.eq_ignore_ascii_case(theirs)) {
        let wrong = Wrong::new(format!("`{}` is called otherwise here", word.escape_debug()));
        return Err(wrong.help(format!("write {ours}")));
    }
    if let Some(name) = in_brackets(word, "hdr") {
        let wrong = Wrong::new("hashing a header is written otherwise here");
        return Err(wrong.help(format!("write {{ hash = {{ header = \"{name}\" }} }}")));
    }
    match one_of(value, &WORDS, &[])? {
        "least-connections" => Ok(Balance::LeastConnections),
        "random" => Ok(Balance::Random),
        "source" => Ok(Balance::Hash(HashKey::Source)),
        _ => Ok(Balance::RoundRobin),
    }
}

/// HAProxy's `hdr(X-User)`.
fn in_brackets<'w>(word: &'w str, function: &str) -> Option<&'w str> {
    let name = word.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')?;
    is_token(name).then_some(name)
}

fn hash(value: &DeValue<'_>) -> Result<HashKey, Wrong> {
    if let Some(table) = value.as_table() {
        let named = |key: &str| table.get(key).map(|value| name(value.get_ref()));
        return match (named("header"), named("cookie"), table.len()) {
            (Some(header), None, 1) => header.map(HashKey::Header),
            (None, Some(cookie), 1) => cookie.map(HashKey::Cookie),
            _ => Err(Wrong::new("this table has one key, `header` or `cookie`").help(EXAMPLE)),
        };
    }
    let Some(word) = value.as_str() else {
        return Err(wrong_type("\"source\", \"path\" or a table", value).help(EXAMPLE));
    };
    match word {
        "source" => Ok(HashKey::Source),
        "path" => Ok(HashKey::Path),
        _ => {
            let wrong = Wrong::new(format!("`{}` cannot be hashed", word.escape_debug()));
            Err(match nearest(word, ["source", "path"]) {
                Some(meant) => wrong.help(format!("did you mean \"{meant}\"?")),
                None => wrong.help(EXAMPLE),
            })
        }
    }
}

/// The name of a header field or of a cookie: a token (RFC 9110 §5.6.2, RFC 6265 §4.1.1).
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    if is_token(name) {
        return Ok(name.to_owned());
    }
    let wrong = Wrong::new(format!("`{}` is no name of a header or a cookie", name.escape_debug()));
    Err(wrong.help("write letters, digits and `-`, 1 to 64 of them"))
}

/// `sticky`: `"off"` or `{ cookie = "VIPD" }`.
pub(super) fn sticky(value: &DeValue<'_>) -> Result<Option<String>, Wrong> {
    let example = "write { cookie = \"VIPD\" } or \"off\"";
    match (value.as_str(), value.as_table()) {
        (Some("off"), _) => Ok(None),
        (None, Some(table)) => match (table.get("cookie"), table.len()) {
            (Some(cookie), 1) => name(cookie.get_ref()).map(Some),
            _ => Err(Wrong::new("this table has one key, `cookie`").help(example)),
        },
        _ => Err(wrong_type("a table with the name of a cookie", value).help(example)),
    }
}

/// `backup`: true or false.
pub(super) fn backup(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value
        .as_bool()
        .ok_or_else(|| wrong_type("true or false", value).help("write backup = true, without quotes"))
}

/// What is allowed of these and still strange.
pub(super) fn lint(pool: &Pool, problems: &mut Problems<'_>) {
    let backup = |server: &Server| {
        let backup = server.backup.as_ref()?.as_ref()?;
        backup.get_ref().then(|| backup.span())
    };
    if let (Some(place), true) =
        (pool.servers.first().and_then(backup), pool.servers.iter().all(|server| backup(server).is_some()))
    {
        problems
            .warning(place, "every server of this pool is a backup: it is as if none was")
            .help("leave `backup` out for the servers that get requests as a rule");
    }
    if let (Some(Some(slow)), Some(None)) = (&pool.slow_start, &pool.check)
        && !slow.get_ref().is_zero()
    {
        let message = "slow_start does nothing in a pool without checks: its servers never come back";
        problems.warning(slow.span(), message).help("add a check, or remove it");
    }
}

fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

impl fmt::Display for Balance {
    /// As it stands in a config.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoundRobin => f.write_str("\"round-robin\""),
            Self::LeastConnections => f.write_str("\"least-connections\""),
            Self::Random => f.write_str("\"random\""),
            Self::Hash(HashKey::Source) => f.write_str("\"source\""),
            Self::Hash(HashKey::Path) => f.write_str("{ hash = \"path\" }"),
            Self::Hash(HashKey::Header(name)) => write!(f, "{{ hash = {{ header = \"{name}\" }} }}"),
            Self::Hash(HashKey::Cookie(name)) => write!(f, "{{ hash = {{ cookie = \"{name}\" }} }}"),
        }
    }
}
