//! The data plane as clients and servers see it: real sockets on loopback, origin servers that do as they are told.

#[path = "proxy/arrive.rs"]
mod arrive;
#[path = "proxy/balance.rs"]
mod balance;
#[path = "proxy/between.rs"]
mod between;
#[path = "proxy/blame.rs"]
mod blame;
#[path = "proxy/bulk.rs"]
mod bulk;
#[path = "proxy/connect.rs"]
mod connect;
#[path = "proxy/date.rs"]
mod date;
#[path = "proxy/exchange.rs"]
mod exchange;
#[path = "proxy/frames.rs"]
mod frames;
#[path = "proxy/gone.rs"]
mod gone;
#[path = "proxy/h2_attack.rs"]
mod h2_attack;
#[path = "proxy/h2.rs"]
mod h2_client;
#[path = "proxy/h2_slow.rs"]
mod h2_slow;
#[path = "proxy/h2_tools.rs"]
mod h2_tools;
#[path = "proxy/leave.rs"]
mod leave;
#[path = "proxy/life.rs"]
mod life;
#[path = "proxy/limit.rs"]
mod limit;
#[path = "proxy/maintenance.rs"]
mod maintenance;
#[path = "peer.rs"]
mod peer;
#[path = "proxy/per_source.rs"]
mod per_source;
#[path = "proxy/places.rs"]
mod places;
#[path = "proxy/ports.rs"]
mod ports;
#[path = "proxy/proxy_protocol.rs"]
mod proxy_protocol;
#[path = "proxy/queue.rs"]
mod queue;
#[path = "proxy/refuse.rs"]
mod refuse;
#[path = "proxy/retry.rs"]
mod retry;
#[path = "proxy/rig.rs"]
mod rig;
#[path = "proxy/route.rs"]
mod route;
#[path = "proxy/split.rs"]
mod split;
#[path = "proxy/sticky.rs"]
mod sticky;
#[path = "proxy/tcp.rs"]
mod tcp;
#[path = "proxy/upgrade.rs"]
mod upgrade;
