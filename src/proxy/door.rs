//! Where clients come in: what a frontend is to those who connect to one of its addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use super::limiter::Limiter;
use super::page::Page;
use crate::config::{Frontend, Mode, Network, Redirect, RequestRoute};

/// Where clients come in.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// Index of the frontend.
    pub(super) frontend: usize,
    /// What it speaks.
    pub(super) mode: Mode,
    /// Other pools by host and path.
    pub(super) routes: Vec<RequestRoute>,
    /// Index of the pool of what no route takes.
    pub(super) pool: Option<usize>,
    /// Where that is sent when there is no pool.
    pub(super) redirect: Option<Redirect>,
    /// Index of the pool that stands in for one without an eligible server.
    pub(super) sorry_pool: Option<usize>,
    /// What clients get when nobody may have their request.
    pub(super) page: Option<Arc<Page>>,
    /// Clients are accepted when they have said something.
    pub(super) defers: bool,
    /// The proxies in front whose connections begin with a PROXY header.
    pub(super) accept_proxy: Vec<Network>,
    /// CONNECT is passed on.
    pub(super) connect: bool,
    /// HTTP/2 is spoken with clients that begin with it.
    pub(super) h2: bool,
    /// Its address in text: the Host for clients that send none.
    pub(super) host: String,
    /// The TLS that is spoken, as it is now.
    pub(super) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// What one source of clients may have, if that is limited.
    pub(super) limiter: Option<Arc<Limiter>>,
}

impl Door {
    pub(super) fn new(frontend: usize, settings: &Frontend, address: SocketAddr) -> Self {
        let Frontend {
            mode,
            h2,
            pool,
            routes,
            redirect,
            sorry_pool,
            connect,
            defer_accept,
            accept_proxy,
            ..
        } = settings;
        Self {
            frontend,
            mode: *mode,
            h2: *h2,
            connect: *connect,
            routes: routes.clone(),
            pool: *pool,
            redirect: *redirect,
            sorry_pool: *sorry_pool,
            page: None,
            defers: *defer_accept,
            accept_proxy: accept_proxy.clone(),
            host: address.to_string(),
            tls: None,
            limiter: None,
        }
    }
}
