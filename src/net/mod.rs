//! Adapters: one file, one kernel facility, no decisions.
//!
//! This room must never import config or policy.
