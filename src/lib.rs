//! `vipd` keeps a service address alive: paired nodes exchange VRRP adverts, the Active one holds the virtual IP
//! and proxies requests to application servers, and another takes over when it fails.
//!
//! # The house
//!
//! Two processes out of one binary. `vipd run` is the **agent**: small, privileged, never busy. `vipd proxy` is the
//! **proxy**: busy, unprivileged, restartable, a child of the agent.
//!
//! | floor | room | one sentence |
//! |---|---|---|
//! | 0 pure | [`vrrp`] | the protocol: `handle(now, input, &mut out)` and `deadline()`; imports nothing of ours |
//! | 0 pure | [`pool`] | which server may get a request, and the rise/fall tracker; imports nothing of ours |
//! | 0 pure | [`http`] | HTTP/1.1 over byte slices, where "incomplete" is not an error; imports nothing of ours |
//! | 0 pure | [`config`] | TOML to a checked [`config::Config`], with every error at once |
//! | 0 pure | [`link`] | what agent, proxy and command line say to each other, one JSON object a line |
//! | 0 pure | [`event`] | everything worth telling a human, and the one place that turns it into words |
//! | 1 adapters | [`net`] | one file, one kernel facility, no decisions; never imports config or policy |
//! | 2 engines | [`ha`] | the agent's one loop: sockets and timer in, effects out |
//! | 2 engines | [`check`] | health checks: reports observations, decides nothing |
//! | 2 engines | [`proxy`] | the data plane: accept, pick, exchange; does not know that VRRP exists |
//! | 3 desks | [`agent`] | the agent process: wiring, `agent.sock`, the child |
//! | 3 desks | [`control`] | the proxy process: wiring, the single writer of the pools' snapshot |
//! | 4 edges | [`cli`] | arguments, the client of `agent.sock`, what is printed |
//! | 4 edges | [`lab`] | hosts as network namespaces: `vipd lab` and the integration tests |
//!
//! Imports point down only; engines never import each other. `integration/layering.rs` reads every file and fails
//! on an arrow that points up or sideways.
//!
//! # How data walks
//!
//! * An advert: `net::vrrp_socket` → `vrrp::accept` → `vrrp::Machine::handle` → `ha::perform`. One thread, no queue.
//!   With a UDP heartbeat it comes a second time: `net::heartbeat_socket` → `ha::heartbeat` → the same machine.
//! * A request: `proxy::core` accepts → `session` parses and rewrites → `pool::Snapshot` picks → `upstream` gives a
//!   connection → `exchange` streams. One thread, no channel, no lock. With TLS a `handshake` comes first, on either
//!   side, and what follows reads and writes through `secured`.
//! * Health: `check::probe` → `control` (one writer) → a new snapshot for the cores, and a report over `agent.sock`
//!   to the agent, which decides what the node is fit for.

pub mod agent;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
pub mod event;
pub mod ha;
pub mod http;
pub mod lab;
pub mod link;
pub mod net;
pub mod pool;
pub mod proxy;
pub mod vrrp;
