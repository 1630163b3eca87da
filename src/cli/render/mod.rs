//! Text for people: pure functions from data, a moment and a style to a `String`.

mod columns;
pub(crate) mod event;
pub(crate) mod problem;
mod servers;
pub(crate) mod status;
mod time;

#[cfg(test)]
mod tests;
