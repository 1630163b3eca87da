//! The checked configuration: what the program means, after every question about the text has been answered.
//!
//! No `Option` here means "default", no string is an address, every reference to a pool is an index that
//! exists.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::balance::Balance;
use super::checks::Check;
use super::heartbeat::Heartbeat;
use super::maintenance::Maintenance;
use super::passive::Passive;
use super::per_source::PerSource;
use super::placed::Elsewhere;
use super::proxy_protocol::Network;
use super::queue::Queue;
use super::request_route::{Redirect, RequestRoute};
use super::routes::Route;
use super::sysctl::Sysctl;
use super::tls::{FrontendTls, PoolTls, TlsSettings};
use super::track::{Hook, Tracker};
use crate::pool::SendProxy;
use crate::vrrp::auth::Policy;
use crate::vrrp::wire::Password;
use crate::vrrp::{Centis, Cidr, Preempt, Priority, Span, Version, Vrid};

/// One file for every node of the group, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The nodes of the group; names and addresses are unique.
    pub nodes: Vec<Node>,
    /// The virtual routers; names and (interface, vrid) are unique.
    pub routers: Vec<Router>,
    /// What the proxy listens on; empty means that the agent runs alone.
    pub frontends: Vec<Frontend>,
    /// The pools of application servers.
    pub pools: Vec<Pool>,
    /// Settings of the proxy process.
    pub proxy: ProxySettings,
    /// Bounds that keep a client from using up the proxy.
    pub limits: Limits,
    /// What everything that speaks TLS shares.
    pub tls: TlsSettings,
}

/// A `[[node]]`: one machine of the group.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name, unique in the file.
    pub name: String,
    /// Its own address, the source of its adverts.
    pub address: IpAddr,
    /// What it competes with, 1..=254, or 255 for the owner of the addresses.
    pub priority: Priority,
    /// Its address for the UDP heartbeat, perhaps on another network; on every node of one family. Default its own
    /// address.
    pub heartbeat: IpAddr,
}

/// A `[[vrrp]]`: addresses that move together.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// Its name, unique in the file.
    pub name: String,
    /// The interface that adverts use and addresses go on.
    pub interface: String,
    /// The Virtual Router Identifier.
    pub vrid: Vrid,
    /// The addresses on its own interface, which its adverts list: in the order of the file, but an IPv6 link-local one
    /// first; never empty.
    pub addresses: Vec<Cidr>,
    /// The addresses on other interfaces, which move with the others and which no advert lists. Default none.
    pub elsewhere: Vec<Elsewhere>,
    /// What is routed otherwise while this node has the addresses, in the order of the file. Default nothing.
    pub routes: Vec<Route>,
    /// What to do about kernel settings that are in the way. Default [`Sysctl::Advise`].
    pub sysctl: Sysctl,
    /// Whether the addresses and the adverts have the virtual router's own MAC address. Default no.
    pub use_vmac: bool,
    /// The protocol version. Default 3.
    pub version: Version,
    /// Where adverts are sent. Default multicast.
    pub transport: Transport,
    /// Version 2 only: the password in clear that older peers want.
    pub password: Option<Password>,
    /// How often the Active advertises. Default 100 ms.
    pub advert_interval: Centis,
    /// Whether a better node takes over from one that serves. Default always.
    pub preempt: Preempt,
    /// From the machine's boot until it takes part. Default none.
    pub start_delay: Span,
    /// Half-life of the penalty for losing the Active role by a fault; zero: a node is never held down. Default 1 min.
    pub hold_down: Span,
    /// How its adverts are authenticated. Default not at all.
    pub auth: Option<Auth>,
    /// The second path of its adverts. Default none.
    pub heartbeat: Option<Heartbeat>,
    /// What it depends on beyond its interface and its frontends, in the order of the file.
    pub track: Vec<Tracker>,
    /// Who is told of its transitions.
    pub notify: Option<Hook>,
    /// How the Active announces its IPv4 addresses. Default [`Garp::Request`].
    pub garp: Garp,
    /// How often it announces them again though nothing has happened; `None`: never. Default 60 s.
    pub garp_refresh: Option<Span>,
    /// Whether the Active asks the network who else answers for its addresses. Default yes.
    pub verify: bool,
}

/// `auth` of a `[[vrrp]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// The file with the keys, a full path. Only the agent reads it.
    pub key_file: PathBuf,
    /// What is asked of adverts.
    pub policy: Policy,
}

/// Where adverts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// To the group of the protocol, on the router's interface.
    #[default]
    Multicast,
    /// To the address of every other node, one packet each.
    Unicast,
}

/// The form of a gratuitous ARP.
///
/// A request is the default: RFC 9568 §6.4 asks for it, RFC 5227 §3 tells why announcements are requests (receivers
/// look at the sender's fields of every ARP before they look at what kind it is, RFC 826), and it is what VRRP
/// speakers have always sent. Some equipment learns from replies alone: that is what the others are for. Both cost
/// twice the packets on a network where nobody needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Garp {
    /// A request for the own address (RFC 5227 §3).
    #[default]
    Request,
    /// A reply that nobody asked for (RFC 5944 §4.6).
    Reply,
    /// One of each, the request first.
    Both,
}

/// What a frontend speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// HTTP/1.1: every request goes to the server whose turn it is.
    #[default]
    Http,
    /// Bytes: every connection goes to the server whose turn it is.
    Tcp,
}

/// A `[[frontend]]`: where clients connect.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontend {
    /// Its name, unique in the file.
    pub name: String,
    /// What it listens on, on every node at all times (free bind); never empty.
    pub bind: Vec<SocketAddr>,
    /// What it speaks. Default [`Mode::Http`].
    pub mode: Mode,
    /// Where requests go that no route takes: an index into [`Config::pools`]; `None`: they are redirected.
    pub pool: Option<usize>,
    /// Other pools by host and path; the first that matches wins.
    pub routes: Vec<RequestRoute>,
    /// Where requests are sent that no route takes. Default nowhere; then there is a pool.
    pub redirect: Option<Redirect>,
    /// HTTP/2 is spoken with clients that begin with it. Default: true for [`Mode::Http`], as HAProxy has it.
    pub h2: bool,
    /// CONNECT is passed on to a server, and a tunnel once that agrees. Default no: 501.
    pub connect: bool,
    /// Clients are accepted when they have said something. Default: true for [`Mode::Http`], false for [`Mode::Tcp`],
    /// where the server may speak first.
    pub defer_accept: bool,
    /// The first bytes of a client that was here before may come with its SYN (RFC 7413). Default no.
    pub fast_open: bool,
    /// How it speaks TLS. Default not at all.
    pub tls: Option<FrontendTls>,
    /// The proxies whose connections begin with a PROXY header that says who the client is. Default none.
    pub accept_proxy: Vec<Network>,
    /// What clients get by an operator's command, or when no server may have their request. Default nothing but a plain
    /// error; always that for [`Mode::Tcp`].
    pub maintenance: Option<Maintenance>,
    /// The pool that stands in for one without an eligible server: an index into [`Config::pools`]. Default none.
    pub sorry_pool: Option<usize>,
    /// What one source of clients may have. Default no limits.
    pub per_source: Option<PerSource>,
}

impl Default for Frontend {
    /// An HTTP frontend without a name, addresses and a pool.
    fn default() -> Self {
        Self {
            name: String::new(),
            bind: Vec::new(),
            mode: Mode::Http,
            h2: true,
            pool: None,
            routes: Vec::new(),
            redirect: None,
            connect: false,
            defer_accept: true,
            fast_open: false,
            tls: None,
            accept_proxy: Vec::new(),
            maintenance: None,
            sorry_pool: None,
            per_source: None,
        }
    }
}

impl Frontend {
    /// The pools that its requests can go to, some perhaps more than once; not the one that stands in for them, which
    /// makes no node fit to serve.
    pub fn pools(&self) -> impl Iterator<Item = usize> {
        self.pool.into_iter().chain(self.routes.iter().map(|route| route.pool))
    }
}

/// A `[[pool]]` of application servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Its name, unique in the file.
    pub name: String,
    /// How it spreads requests. Default round robin.
    pub balance: Balance,
    /// How its servers are checked; `None` means that they are taken to be up.
    pub check: Option<Check>,
    /// Servers that fail live requests are left out; `None`: they are not.
    pub passive: Option<Passive>,
    /// When a smaller share of the servers than this is in rotation, in percent, all of them are used. Default: never.
    pub panic: Option<u8>,
    /// Its servers, in the order of the file; never empty.
    pub servers: Vec<Server>,
    /// The cookie by which clients stay with their server. Default none.
    pub sticky: Option<String>,
    /// How long a server takes to its full share after it came back. Default zero: at once.
    pub slow_start: Duration,
    /// How its servers are spoken to in TLS. Default not at all.
    pub tls: Option<PoolTls>,
    /// Where requests wait while every server has as many as it may.
    pub queue: Queue,
    /// The PROXY header that connections to its servers begin with. Default none.
    pub send_proxy: Option<SendProxy>,
}

/// One application server of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its name, unique in the pool.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share of the requests, 1..=256. Default 1.
    pub weight: u16,
    /// Gets requests only when no other server of its pool is eligible. Default false.
    pub backup: bool,
    /// Requests, or connections of a TCP frontend, that it has in hand at most; others wait. Default no limit.
    pub max_connections: Option<u32>,
}

/// `[proxy]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxySettings {
    /// Core threads; by default as many as the machine has processors.
    pub threads: Option<usize>,
    /// The user it drops to when it is started as root and the user exists. Default `vipd`.
    pub user: String,
    /// How long running exchanges may take to finish when it is asked to stop. Default 10 s.
    pub grace: Duration,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Client connections in total, over all cores. Default 10,000.
    pub connections: usize,
    /// Bytes of a request head, or of a response head with the interim ones before it. Default 32 KiB.
    pub head: usize,
    /// Header lines in a head. Default 100.
    pub headers: usize,
    /// Bytes of a request body. Default none: bodies are streamed.
    pub body: Option<u64>,
    /// From a request's first byte to the end of its head. Default 10 s.
    pub head_timeout: Duration,
    /// Between requests on a connection, and between two reads of a body, of which a client sends at least 512 bytes
    /// in this time. Default 60 s.
    pub idle_timeout: Duration,
    /// To connect to a server. Default 1 s.
    pub connect_timeout: Duration,
    /// From the end of the request to the head of the server's answer. Default 30 s.
    pub response_timeout: Duration,
    /// How long a client's connection may take requests; then the answer in hand is its last. Default none.
    pub connection_lifetime: Option<Duration>,
    /// Without a byte either way on a connection of a TCP frontend. Default 1 h.
    pub tunnel_timeout: Duration,
    /// How long such a connection may live in all; `None`: as long as it is used. Default none.
    pub tunnel_lifetime: Option<Duration>,
}
