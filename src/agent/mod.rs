//! The agent process: wiring, `agent.sock`, the child.
