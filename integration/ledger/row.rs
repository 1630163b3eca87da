//! One row of a ledger.

use std::fmt;

/// The words of RFC 2119 and RFC 8174.
const LEVELS: [&str; 7] =
    ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED", "NOT RECOMMENDED", "MAY"];

/// How things stand with a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Met,
    Deviates,
    NotOurs,
    Open,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Met, Self::Deviates, Self::NotOurs, Self::Open];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Deviates => "deviates",
            Self::NotOurs => "not ours",
            Self::Open => "open",
        })
    }
}

/// `| id | level | requirement | state | proof or reason |`
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The section, and a number within it.
    pub(crate) id: &'a str,
    pub(crate) state: State,
    proof: &'a str,
}

impl<'a> Row<'a> {
    pub(crate) fn read(line: &'a str) -> Result<Self, &'static str> {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, level, requirement, state, proof] = cells[..] else {
            return Err("not five cells");
        };
        let section = id.rsplit_once('-').map(|(section, _)| section).unwrap_or_default();
        if section.is_empty() || !section.chars().all(|char| char.is_ascii_digit() || char == '.') {
            return Err("not a section and a number");
        }
        if !LEVELS.contains(&level) || requirement.is_empty() {
            return Err("not a level and a requirement");
        }
        let known = State::ALL.into_iter().find(|known| known.to_string() == state);
        Ok(Self { id, state: known.ok_or("not a state")?, proof })
    }

    /// The paths in backquotes: `room::tests::file::name`. Other words in backquotes have no `::`.
    pub(crate) fn tests(&self) -> Vec<&'a str> {
        let quoted = self.proof.split('`').skip(1).step_by(2);
        quoted.filter(|name| name.contains("::")).collect()
    }

    /// How many words there are beside the tests.
    pub(crate) fn words(&self) -> usize {
        self.proof.split('`').step_by(2).flat_map(str::split_whitespace).count()
    }
}
