//! TOML → raw → [`Config`]: every error at once, each with its line and column and what to write instead.
//!
//! This room must never open a file, ask the machine anything, or let an unchecked value out.

mod valid;

pub use valid::{Check, CheckKind, Config, Frontend, Limits, Node, Pool, ProxySettings, Router, Server};
