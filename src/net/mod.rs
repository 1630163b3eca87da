//! Adapters: one file, one kernel facility, no decisions.
//!
//! This room must never import config or policy: it neither knows why an address is set nor who decided it.

pub mod arp;
pub mod arp_watch;
mod bpf;
pub mod claim;
pub mod clock;
pub mod files;
pub mod heap;
pub mod heartbeat_socket;
pub mod keepalive;
pub mod last_call;
pub mod listen;
pub mod manager;
pub mod ndp;
pub mod ndp_watch;
pub mod netlink;
mod packet_watch;
pub mod parent;
pub mod pidfd;
pub mod ping;
pub mod privilege;
pub mod program;
pub mod realtime;
pub mod secret;
pub mod splice;
pub mod sysctl;
pub mod tcp;
pub mod text_file;
pub mod tls;
pub mod tls_client;
pub mod trusted;
pub mod vrrp_filter;
pub mod vrrp_socket;
mod watched;
pub mod x509;
