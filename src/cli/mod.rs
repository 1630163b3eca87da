//! Arguments, the client of `agent.sock`, and what is printed.
