//! The agent's one loop.
