//! What the file says, as far as it could be read: typed values with their places, references still names.
//!
//! A field that is missing or wrong is `None` here; the error has been recorded when it was read. The rest of
//! its table is kept, so that a pool with a bad check still has the name that a frontend refers to.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::vrrp::wire::Password;
use crate::vrrp::{Centis, Preempt, Priority, Span, Version, Vrid};

use super::address;
use super::auth::{self, Auth};
use super::heartbeat::{self, Heartbeat};
use super::maintenance;
use super::per_source;
use super::placed::{self, Addresses};
use super::pools::{self, Pool};
use super::problem::{Outline, Problems, Program};
use super::proxy_protocol::{self, Network};
use super::request_route::{self, Redirect};
use super::routes;
use super::settings;
use super::sysctl::{self, Sysctl};
use super::table::{Field, Table};
use super::tls::{self, FrontendTls, TlsFile, TlsSettings};
use super::track::read::Item;
use super::track::{self, Hook};
use super::valid::{Garp, Limits, Mode, ProxySettings, Transport};
use super::value::{self, of_text};

/// The file.
pub(super) struct File {
    pub(super) nodes: Vec<Node>,
    pub(super) routers: Vec<Router>,
    pub(super) frontends: Vec<Frontend>,
    pub(super) pools: Vec<Pool>,
    pub(super) proxy: Option<ProxySettings>,
    pub(super) limits: Option<Limits>,
    pub(super) tls: Option<tls::Read<TlsSettings>>,
}

/// A `[[node]]`.
pub(super) struct Node {
    pub(super) name: Field<String>,
    pub(super) address: Field<IpAddr>,
    pub(super) priority: Field<Priority>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) heartbeat: Option<Field<IpAddr>>,
}

/// A `[[vrrp]]`.
pub(super) struct Router {
    pub(super) name: Field<String>,
    pub(super) interface: Field<String>,
    pub(super) vrid: Field<Vrid>,
    pub(super) addresses: Addresses,
    pub(super) routes: Vec<routes::Item>,
    pub(super) sysctl: Option<Sysctl>,
    pub(super) use_vmac: Option<Field<bool>>,
    pub(super) advert_interval: Option<Centis>,
    pub(super) preempt: Option<Preempt>,
    pub(super) start_delay: Option<Span>,
    pub(super) hold_down: Option<Span>,
    pub(super) version: Option<Field<Version>>,
    pub(super) transport: Option<Field<Transport>>,
    pub(super) password: Option<Field<Password>>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) auth: Option<Field<Auth>>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) heartbeat: Option<Field<Heartbeat>>,
    pub(super) track: Vec<Item>,
    /// `None` when it is wrong, `Some(None)` when nobody is told.
    pub(super) notify: Option<Field<Hook>>,
    pub(super) garp: Option<Garp>,
    pub(super) garp_refresh: Option<Option<Span>>,
    pub(super) verify: Option<bool>,
}

/// A `[[frontend]]`.
pub(super) struct Frontend {
    pub(super) name: Field<String>,
    pub(super) bind: Vec<Spanned<SocketAddr>>,
    pub(super) mode: Option<Mode>,
    /// Where it is set.
    pub(super) mode_place: Option<Range<usize>>,
    pub(super) h2: Option<Field<bool>>,
    /// `None` when it is wrong or lacking, `Some(None)` when it is not needed.
    pub(super) pool: Option<Field<String>>,
    pub(super) routes: Vec<request_route::Read>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) redirect: Option<Field<Option<Redirect>>>,
    pub(super) connect: Option<Field<bool>>,
    pub(super) defer_accept: Option<Field<bool>>,
    pub(super) fast_open: Option<Field<bool>>,
    /// `None` when it is wrong, `Some(None)` when it speaks plain.
    pub(super) tls: Option<Option<tls::Read<FrontendTls>>>,
    pub(super) accept_proxy: Option<Vec<Network>>,
    /// `None` when it is wrong, `Some(None)` when there is no page.
    pub(super) maintenance: Option<Option<maintenance::Read>>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) sorry_pool: Option<Field<String>>,
    /// `None` when it is wrong, `Some(None)` when it is not given.
    pub(super) per_source: Option<Option<per_source::Read>>,
}

/// Reads the tree, as much of it as can be read.
pub(super) fn read(tree: &DeTable<'_>, problems: &mut Problems<'_>) -> File {
    let mut top = Table::new("the file", 0..0, tree, problems);
    let nodes = top.tables("node");
    let routers = top.tables("vrrp");
    let frontends = top.tables("frontend");
    let pools = top.tables("pool");
    let proxy = top.entry("proxy");
    let limits = top.entry("limits");
    let tls = top.entry("tls");
    top.later("admin");
    top.finish();
    absent(tree, problems);
    File {
        nodes: nodes.iter().filter_map(|value| node(value, problems)).collect(),
        routers: routers.iter().filter_map(|value| router(value, problems)).collect(),
        frontends: frontends.iter().filter_map(|value| frontend(value, problems)).collect(),
        pools: pools.iter().filter_map(|value| pools::pool(value, problems)).collect(),
        proxy: settings::proxy(proxy, problems),
        limits: settings::limits(limits, problems),
        tls: tls::settings(tls, problems),
    }
}

/// Without nodes and routers there is nothing to keep alive.
fn absent(tree: &DeTable<'_>, problems: &mut Problems<'_>) {
    if tree.get("node").is_none() {
        let help = "add a [[node]] with name, address and priority for each machine of the group";
        problems.missing(0..0, "the file has no [[node]]", help);
    }
    if tree.get("vrrp").is_none() {
        let help = "add a [[vrrp]] with name, interface, vrid and addresses";
        problems.missing(0..0, "the file has no [[vrrp]]", help);
    }
}

fn node(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Node> {
    let mut table = Table::open("[[node]]", value, problems)?;
    let node = Node {
        name: table.required("name", "name = \"lb1\"", value::name),
        address: table.required("address", "address = \"10.77.0.1\"", of_text(address::host)),
        priority: table.required("priority", "priority = 100", value::priority),
        heartbeat: table.optional("heartbeat", of_text(address::heartbeat)),
    };
    table.finish();
    Some(node)
}

fn router(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Router> {
    let mut table = Table::open("[[vrrp]]", value, problems)?;
    let auth = match table.entry("auth") {
        Some(value) => auth::auth(value, table.problems).map(|auth| Some(Spanned::new(value.span(), auth))),
        None => Some(None),
    };
    let heartbeat = heartbeat::heartbeat(table.entry("heartbeat"), table.problems);
    let interface = table.required("interface", "interface = \"eth0\"", value::interface);
    let router = Router {
        name: table.required("name", "name = \"web\"", value::name),
        addresses: placed::read(&mut table, &interface),
        routes: routes::read(&mut table),
        sysctl: table.or("sysctl", Sysctl::Advise, sysctl::read),
        use_vmac: table.optional("use_vmac", value::switch),
        interface,
        vrid: table.required("vrid", "vrid = 51", value::vrid),
        advert_interval: table.or("advert_interval", Router::ADVERT_INTERVAL, value::advert_interval),
        preempt: table.or("preempt", Preempt::Always, value::preempt),
        start_delay: table.or("start_delay", Span::ZERO, value::span),
        hold_down: table.or("hold_down", Router::HOLD_DOWN, value::span),
        version: table.optional("version", value::version),
        transport: table.optional("transport", value::transport),
        password: table.optional("password", value::password),
        auth,
        heartbeat,
        track: track::read::track(&mut table),
        notify: track::read::notify(&mut table),
        garp: table.or("garp", Garp::Request, value::garp),
        garp_refresh: table.or("garp_refresh", Some(Router::GARP_REFRESH), value::garp_refresh),
        verify: table.or("verify", true, value::verify),
    };
    table.finish();
    Some(router)
}

impl Router {
    /// 100 ms: a takeover within about 0.36 s.
    const ADVERT_INTERVAL: Centis = Centis::new(10).expect("10 is within 1..=4095");
    /// 60 s: a cache that was taught something wrong while nobody looked is right again within a minute.
    const GARP_REFRESH: Span = Span::from_millis(60_000);
    /// A minute: the third fault within half a minute holds a node down for a good minute, and none for over two.
    const HOLD_DOWN: Span = Span::from_millis(60_000);

    /// Every interface that it names.
    fn interfaces(&self) -> impl Iterator<Item = &Spanned<String>> {
        let routes = self.routes.iter().filter_map(|route| route.interface.as_ref()?.as_ref());
        let elsewhere = self.addresses.elsewhere.iter().map(|(_, interface)| interface);
        self.interface.iter().chain(elsewhere).chain(routes)
    }

    fn programs(&self) -> impl Iterator<Item = Program> {
        let hook = self.notify.as_ref().and_then(Option::as_ref);
        let hook = hook.map(|hook| Program::of(&hook.get_ref().command, hook.span()));
        self.track.iter().filter_map(Item::program).chain(hook)
    }
}

fn frontend(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Frontend> {
    let mut table = Table::open("[[frontend]]", value, problems)?;
    let redirect = table.optional("redirect", request_route::redirect);
    let redirects = match &redirect {
        Some(Some(redirect)) => redirect.get_ref().is_some(),
        Some(None) => false,
        // Wrong, which has been said.
        None => true,
    };
    let mode_place = table.entry("mode").map(Spanned::span);
    let mode = table.or("mode", Mode::Http, value::mode);
    let h2 = table.optional("h2", value::switch);
    let frontend = Frontend {
        name: table.required("name", "name = \"web\"", value::name),
        bind: table.list("bind", "bind = [\"10.77.0.100:80\"]", of_text(address::bind)),
        mode,
        mode_place,
        pool: if redirects {
            table.optional("pool", value::name)
        } else {
            table.required("pool", "pool = \"app\"", value::name).map(Some)
        },
        routes: request_route::routes(&mut table),
        redirect,
        connect: table.optional("connect", value::switch),
        defer_accept: table.optional("defer_accept", value::switch),
        fast_open: table.optional("fast_open", value::switch),
        accept_proxy: table.or("accept_proxy", Vec::new(), proxy_protocol::networks),
        maintenance: maintenance::maintenance(table.entry("maintenance"), table.problems),
        sorry_pool: table.optional("sorry_pool", value::name),
        per_source: per_source::per_source(table.entry("per_source"), table.problems),
        tls: tls::frontend(table.entry("tls"), mode, h2.as_ref(), table.problems),
        h2,
    };
    table.finish();
    Some(frontend)
}

impl File {
    /// Where the key files are named.
    pub(super) fn key_files(&self) -> Vec<Range<usize>> {
        let auths = self.routers.iter().filter_map(|router| router.auth.as_ref()?.as_ref());
        auths.map(|auth| auth.get_ref().key_file.span()).collect()
    }

    /// The programs that the proxy runs to check servers.
    fn checks(&self) -> impl Iterator<Item = Program> {
        let user = self.proxy.as_ref().map(|proxy| proxy.user.as_str());
        self.pools.iter().filter_map(move |pool| pools::program(pool.check.as_ref()?.as_ref()?, user?))
    }

    /// The files of TLS, and where they are named.
    pub(super) fn tls_files(&self) -> Vec<(TlsFile, Range<usize>)> {
        let frontends = self.frontends.iter().filter_map(|frontend| frontend.tls.as_ref()?.as_ref());
        let pools = self.pools.iter().filter_map(|pool| pool.tls.as_ref()?.as_ref());
        let frontends = frontends.flat_map(|tls| &tls.files);
        let shared = self.tls.iter().flat_map(|tls| &tls.files);
        let files = frontends.chain(pools.flat_map(|tls| &tls.files)).chain(shared).cloned();
        files.chain(self.pools.iter().filter_map(Pool::authorities_of_check)).collect()
    }

    /// What the file says about machines.
    pub(super) fn outline(&self) -> Outline {
        let node =
            |node: &Node| Some((node.name.as_ref()?.get_ref().clone(), *node.address.as_ref()?.get_ref()));
        let named = |interface: &Spanned<String>| (interface.get_ref().clone(), interface.span());
        Outline {
            nodes: self.nodes.iter().filter_map(node).collect(),
            interfaces: self.routers.iter().flat_map(Router::interfaces).map(named).collect(),
            programs: self.routers.iter().flat_map(Router::programs).chain(self.checks()).collect(),
        }
    }
}
