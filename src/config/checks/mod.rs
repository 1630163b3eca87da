//! How a pool's servers are checked: `check` of a `[[pool]]`.

pub(super) mod read;
pub(super) mod show;

use std::path::PathBuf;
use std::time::Duration;

use super::tls::PoolTls;

/// How a pool's servers are checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What is asked.
    pub kind: CheckKind,
    /// The check speaks TLS; `None`: in clear. Without a name of its own it asks for the `host` of the check without its
    /// port, else for the server's address.
    pub tls: Option<PoolTls>,
    /// From the start of one check to the start of the next. Default 1 s.
    pub interval: Duration,
    /// How long one check may take, connection included. Default 1 s.
    pub timeout: Duration,
    /// The interval while the last checks do not agree with the server's standing: some of `rise` or `fall` have been
    /// seen, but not all. Default [`Check::interval`].
    pub fast_interval: Option<Duration>,
    /// What the interval doubles up to while a server stays down. Default [`Check::interval`].
    pub down_interval: Option<Duration>,
    /// Successes in a row that bring a server back. Default 2.
    pub rise: u32,
    /// Failures in a row that take a server out. Default 3.
    pub fall: u32,
}

impl Check {
    /// A check with every other setting at its default.
    pub const fn new(kind: CheckKind) -> Self {
        let second = Duration::from_secs(1);
        let (interval, timeout) = (second, second);
        Self {
            kind,
            tls: None,
            interval,
            timeout,
            fast_interval: None,
            down_interval: None,
            rise: 2,
            fall: 3,
        }
    }
}

/// What a check asks of a server.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    /// A TCP connection is accepted; with TLS, the handshake succeeds.
    Tcp,
    /// A request is answered as expected.
    Http(HttpCheck),
    /// A program ends with exit code 0: its absolute path and its arguments. It runs as the proxy's user.
    Exec(Vec<String>),
    /// A PostgreSQL server answers, in this role.
    Postgres(PostgresCheck),
    /// A Redis or Valkey server answers, in this role.
    Redis(RedisCheck),
    /// `grpc.health.v1.Health/Check` answers SERVING for this service; the empty name is the whole server.
    Grpc(String),
}

/// What an HTTP check sends and expects.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// GET or HEAD. Default GET.
    pub method: Method,
    /// The request target, beginning with `/`.
    pub path: String,
    /// The Host header; by default the server's address.
    pub host: Option<String>,
    /// Further header lines of the request, in the order of the names.
    pub request_headers: Vec<(String, String)>,
    /// The statuses that count as success, as inclusive ranges. Default 200..=399.
    pub expect: Vec<(u16, u16)>,
    /// Header fields that the answer must have, with exactly these values.
    pub expect_headers: Vec<(String, String)>,
    /// What the answer's body must contain.
    pub body: Option<String>,
    /// HTTP/2 is spoken instead of HTTP/1.1. Default false.
    pub h2: bool,
    /// A JSON answer's `status` must say that the server is healthy. Default true.
    pub json: bool,
}

impl HttpCheck {
    /// `GET path` with every other setting at its default.
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::Get,
            path: path.to_owned(),
            host: None,
            request_headers: Vec::new(),
            expect: vec![(200, 399)],
            expect_headers: Vec::new(),
            body: None,
            h2: false,
            json: true,
        }
    }
}

/// The method of an HTTP check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a body in the answer.
    Get,
    /// Without one.
    Head,
}

/// What a PostgreSQL server is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct PostgresCheck {
    /// The role that it must have.
    pub role: Role,
    /// Who asks. Default `postgres`.
    pub user: String,
    /// Which database is connected to. Default [`PostgresCheck::user`].
    pub database: Option<String>,
}

/// What a Redis or Valkey server is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisCheck {
    /// The role that it must have.
    pub role: Role,
    /// A file with the password, a full path. The proxy reads it, as its own user.
    pub password_file: Option<PathBuf>,
}

/// The role of a server that replicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It takes writes: PostgreSQL's primary, Redis' master.
    Writer,
    /// It follows another: PostgreSQL's standby, Redis' replica.
    Follower,
    /// Either: it only has to answer.
    Any,
}
