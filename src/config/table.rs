//! A reader for one TOML table that collects what is wrong with it and goes on.
//!
//! It remembers every key it was asked for: that list is what unknown keys are compared with.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::problem::{Problems, Wrong};

/// A value that could be read, and where it stands; `None` when it could not, which has been said already.
pub(super) type Field<T> = Option<Spanned<T>>;

/// One table while it is read.
pub(super) struct Table<'t, 'i, 'p, 'x> {
    what: &'static str,
    place: Range<usize>,
    entries: &'t DeTable<'i>,
    asked: Vec<&'static str>,
    /// Keys that are not there and have no default, each with a line that could stand there.
    lacking: Vec<(&'static str, String)>,
    /// Where mistakes go.
    pub(super) problems: &'p mut Problems<'x>,
}

impl<'t, 'i, 'p, 'x> Table<'t, 'i, 'p, 'x> {
    /// The table `entries`, called `what` in errors, standing at `place`.
    pub(super) fn new(
        what: &'static str,
        place: Range<usize>,
        entries: &'t DeTable<'i>,
        problems: &'p mut Problems<'x>,
    ) -> Self {
        Self { what, place, entries, asked: Vec::new(), lacking: Vec::new(), problems }
    }

    /// The table that `value` is, or an error that it is none.
    pub(super) fn open(
        what: &'static str,
        value: &'t Spanned<DeValue<'i>>,
        problems: &'p mut Problems<'x>,
    ) -> Option<Self> {
        let Some(entries) = value.get_ref().as_table() else {
            problems.wrong(value.span(), wrong_type("a table", value.get_ref()));
            return None;
        };
        Some(Self::new(what, value.span(), entries, problems))
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// The value of a key that has no default; `example` is a line that could stand there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        decode: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Field<T> {
        match self.entry(key) {
            Some(value) => self.decode(value, decode),
            None => {
                self.lacks(key, example);
                None
            }
        }
    }

    /// The value of a key that may be absent: `Some(None)` when it is, `None` when it is wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        decode: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Field<T>> {
        match self.entry(key) {
            Some(value) => self.decode(value, decode).map(Some),
            None => Some(None),
        }
    }

    /// The value of a key, or its default; `None` when it is wrong.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        decode: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        Some(self.optional(key, decode)?.map_or(default, Spanned::into_inner))
    }

    /// The items of a list that must not be empty; those that are wrong are left out and counted as an error.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        example: &str,
        decode: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Vec<Spanned<T>> {
        let Some(items) = self.array(key, example) else { return Vec::new() };
        items.iter().filter_map(|item| self.decode(item, &decode)).collect()
    }

    /// The elements of a list that must not be empty, undecoded.
    pub(super) fn array(&mut self, key: &'static str, example: &str) -> Option<&'t [Spanned<DeValue<'i>>]> {
        let Some(value) = self.entry(key) else {
            self.lacks(key, example);
            return None;
        };
        match value.get_ref().as_array() {
            Some(items) if items.is_empty() => {
                self.problems
                    .error(value.span(), format!("`{key}` is empty"))
                    .help(format!("write {example}"));
                None
            }
            Some(items) => Some(&items[..]),
            None => {
                let wrong = wrong_type("a list", value.get_ref()).help(format!("write {example}"));
                self.problems.wrong(value.span(), wrong);
                None
            }
        }
    }

    /// The tables of a `[[key]]`; none is no error here.
    pub(super) fn tables(&mut self, key: &'static str) -> &'t [Spanned<DeValue<'i>>] {
        let Some(value) = self.entry(key) else { return &[] };
        if let Some(items) = value.get_ref().as_array() {
            return &items[..];
        }
        let wrong =
            Wrong::new(format!("`{key}` stands for a list of tables, this is {}", kind(value.get_ref())))
                .help(format!("write [[{key}]] with two brackets"));
        self.problems.wrong(value.span(), wrong);
        if value.get_ref().is_table() { std::slice::from_ref(value) } else { &[] }
    }

    /// The value of a key as it stands.
    pub(super) fn entry(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'i>>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.entries.get(key)
    }

    /// A key of a later release: an error that says so.
    pub(super) fn later(&mut self, key: &'static str) {
        let Some((name, _)) = self.entries.get_key_value(key) else { return };
        self.asked.push(key);
        self.problems.error(name.span(), format!("this release does not have `{key}` yet")).help("remove it");
    }

    /// Ends the reading: every key that nobody asked for is an error, and so is every key that is lacking,
    /// unless it is one that was misspelt.
    pub(super) fn finish(mut self) {
        for (key, _) in self.entries.iter() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let absent = self.asked.iter().copied().filter(|asked| !self.entries.contains_key(*asked));
            let meant = nearest(name, absent);
            self.lacking.retain(|(key, _)| Some(*key) != meant);
            let problem = self.problems.error(key.span(), format!("unknown key `{name}` in {}", self.what));
            match meant.or_else(|| nearest(name, self.asked.iter().copied())) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help(format!("{} knows: {}", self.what, self.asked.join(", "))),
            };
        }
        for (key, help) in &self.lacking {
            let message = format!("{} has no `{key}`", self.what);
            self.problems.missing(self.place.clone(), message, help);
        }
    }

    /// Kept for the end: the key may be there under a misspelt name.
    fn lacks(&mut self, key: &'static str, example: &str) {
        self.lacking.push((key, format!("add {example}")));
    }

    fn decode<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        decode: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Field<T> {
        match decode(value.get_ref()) {
            Ok(meaning) => Some(Spanned::new(value.span(), meaning)),
            Err(wrong) => {
                self.problems.wrong(value.span(), wrong);
                None
            }
        }
    }
}

/// Says that `value` is of another kind than `expected`.
pub(super) fn wrong_type(expected: &str, value: &DeValue<'_>) -> Wrong {
    Wrong::new(format!("expected {expected}, found {}", kind(value)))
}

/// The kind of a value with its article.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
