//! A config as a file that states everything, defaults included: what `vipd check --show` prints.

use std::fmt::Write as _;

use crate::vrrp::Preempt;
use crate::vrrp::auth::Policy;

use super::maintenance;
use super::per_source;
use super::placed;
use super::quantity::{duration_text, size_text};
use super::request_route;
use super::routes;
use super::valid::{
    Auth, Config, Frontend, Garp, Limits, Mode, Node, Pool, ProxySettings, Router, Transport,
};
use super::{checks, passive, proxy_protocol, queue, tls, track};

/// The config as TOML that [`super::parse`] reads back to the same config.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    write(config, &mut out).expect("a String takes all that is written to it");
    out
}

fn write(config: &Config, out: &mut String) -> std::fmt::Result {
    config.nodes.iter().try_for_each(|node| write_node(node, out))?;
    config.routers.iter().try_for_each(|router| write_router(router, out))?;
    config.frontends.iter().try_for_each(|frontend| write_frontend(config, frontend, out))?;
    config.pools.iter().try_for_each(|pool| write_pool(pool, out))?;
    proxy(&config.proxy, out)?;
    limits(&config.limits, out)?;
    write!(out, "\n{}", tls::show::settings(&config.tls))
}

fn write_node(node: &Node, out: &mut String) -> std::fmt::Result {
    let Node { name, address, priority, heartbeat } = node;
    writeln!(out, "[[node]]\nname      = {name:?}\naddress   = \"{address}\"")?;
    writeln!(out, "priority  = {priority}\nheartbeat = \"{heartbeat}\"\n")
}

fn write_router(router: &Router, out: &mut String) -> std::fmt::Result {
    let preempt = match router.preempt {
        Preempt::Always => "\"always\"".to_owned(),
        Preempt::Never => "\"never\"".to_owned(),
        Preempt::After(delay) => format!("{{ after = \"{}\" }}", duration_text(delay.as_duration())),
    };
    let transport = match router.transport {
        Transport::Multicast => "multicast",
        Transport::Unicast => "unicast",
    };
    writeln!(out, "[[vrrp]]\nname            = {:?}", router.name)?;
    writeln!(out, "interface       = {:?}\nvrid            = {}", router.interface, router.vrid)?;
    writeln!(out, "addresses       = {}", placed::shown(router))?;
    writeln!(out, "routes          = {}", routes::shown(&router.routes))?;
    writeln!(out, "sysctl          = \"{}\"", router.sysctl)?;
    writeln!(out, "use_vmac        = {}", router.use_vmac)?;
    writeln!(out, "version         = {}", router.version)?;
    if let Some(password) = router.password {
        let text = String::from_utf8_lossy(&password);
        writeln!(out, "password        = {:?}", text.trim_end_matches('\0'))?;
    }
    writeln!(out, "advert_interval = \"{}\"", router.advert_interval)?;
    writeln!(out, "transport       = \"{transport}\"\npreempt         = {preempt}")?;
    let garp = match router.garp {
        Garp::Request => "request",
        Garp::Reply => "reply",
        Garp::Both => "both",
    };
    let refresh = router.garp_refresh.map_or("off".to_owned(), |every| duration_text(every.as_duration()));
    writeln!(out, "garp            = \"{garp}\"\ngarp_refresh    = \"{refresh}\"")?;
    writeln!(out, "verify          = \"{}\"", if router.verify { "on" } else { "off" })?;
    writeln!(out, "start_delay     = \"{}\"", duration_text(router.start_delay.as_duration()))?;
    writeln!(out, "hold_down       = \"{}\"", duration_text(router.hold_down.as_duration()))?;
    if let Some(auth) = &router.auth {
        writeln!(out, "auth            = {}", auth_text(auth))?;
    }
    if let Some(heartbeat) = router.heartbeat {
        writeln!(out, "heartbeat       = {{ port = {} }}", heartbeat.port)?;
    }
    writeln!(out, "{}", track::show::lines(&router.track, router.notify.as_ref()))
}

fn write_frontend(config: &Config, frontend: &Frontend, out: &mut String) -> std::fmt::Result {
    writeln!(out, "[[frontend]]\nname = {:?}\nbind = {}", frontend.name, strings(&frontend.bind))?;
    let mode = match frontend.mode {
        Mode::Http => "http",
        Mode::Tcp => "tcp",
    };
    writeln!(out, "mode = \"{mode}\"\nh2 = {}", frontend.h2)?;
    let name = |pool: usize| config.pools[pool].name.clone();
    if let Some(pool) = frontend.pool {
        writeln!(out, "pool = {:?}", name(pool))?;
    }
    writeln!(out, "route = {}", request_route::show(&frontend.routes, name))?;
    writeln!(out, "redirect = {}", request_route::show_redirect(frontend.redirect))?;
    writeln!(out, "connect = {}\ndefer_accept = {}", frontend.connect, frontend.defer_accept)?;
    writeln!(out, "fast_open = {}", frontend.fast_open)?;
    if let Some(tls) = &frontend.tls {
        writeln!(out, "tls  = {}", tls::show::frontend(tls))?;
    }
    if let Some(pool) = frontend.sorry_pool {
        writeln!(out, "sorry_pool = {:?}", config.pools[pool].name)?;
    }
    writeln!(out, "maintenance = {}", maintenance::show(frontend.maintenance.as_ref()))?;
    writeln!(out, "accept_proxy = {}", strings(&frontend.accept_proxy))?;
    writeln!(out, "per_source = {}\n", per_source::show(frontend.per_source.as_ref()))
}

fn write_pool(pool: &Pool, out: &mut String) -> std::fmt::Result {
    writeln!(out, "[[pool]]\nname    = {:?}\nbalance = {}", pool.name, pool.balance)?;
    if let Some(check) = &pool.check {
        writeln!(out, "check   = {}", checks::show::check(check))?;
    }
    let sticky = pool.sticky.as_ref();
    let sticky = sticky.map_or("\"off\"".to_owned(), |name| format!("{{ cookie = \"{name}\" }}"));
    writeln!(out, "sticky = {sticky}\nslow_start = \"{}\"", duration_text(pool.slow_start))?;
    writeln!(out, "send_proxy = \"{}\"", proxy_protocol::show(pool.send_proxy))?;
    write!(out, "{}", passive::show(pool.passive.as_ref(), pool.panic))?;
    if let Some(tls) = &pool.tls {
        writeln!(out, "tls = {}", tls::show::pool(tls))?;
    }
    writeln!(out, "queue   = {}", queue::show(pool.queue))?;
    writeln!(out, "server  = [")?;
    for server in &pool.servers {
        let (name, address, weight) = (&server.name, server.address, server.weight);
        let backup = server.backup;
        let most = queue::show_most(server.max_connections);
        let server =
            format!("name = {name:?}, address = \"{address}\", weight = {weight}, backup = {backup}");
        writeln!(out, "  {{ {server}, max_connections = {most} }},")?;
    }
    writeln!(out, "]\n")
}

fn auth_text(Auth { key_file, policy: Policy { active, mode, window } }: &Auth) -> String {
    let file = key_file.display().to_string();
    format!("{{ key_file = {file:?}, active = {active}, mode = \"{mode}\", window = \"{window}\" }}")
}

fn proxy(proxy: &ProxySettings, out: &mut String) -> std::fmt::Result {
    let threads = proxy.threads.map_or("\"auto\"".to_owned(), |threads| threads.to_string());
    writeln!(out, "[proxy]\nthreads = {threads}\nuser    = {:?}", proxy.user)?;
    writeln!(out, "grace   = \"{}\"\n", duration_text(proxy.grace))
}

fn limits(limits: &Limits, out: &mut String) -> std::fmt::Result {
    let head = size_text(u64::try_from(limits.head).unwrap_or(u64::MAX));
    let body = limits.body.map_or("none".to_owned(), size_text);
    writeln!(out, "[limits]\nconnections      = {}\nhead             = \"{head}\"", limits.connections)?;
    writeln!(out, "headers          = {}\nbody             = \"{body}\"", limits.headers)?;
    writeln!(out, "head_timeout     = \"{}\"", duration_text(limits.head_timeout))?;
    writeln!(out, "idle_timeout     = \"{}\"", duration_text(limits.idle_timeout))?;
    writeln!(out, "connect_timeout  = \"{}\"", duration_text(limits.connect_timeout))?;
    writeln!(out, "response_timeout = \"{}\"", duration_text(limits.response_timeout))?;
    let lifetime = |bound: Option<_>| bound.map_or("none".to_owned(), duration_text);
    writeln!(out, "connection_lifetime = \"{}\"", lifetime(limits.connection_lifetime))?;
    writeln!(out, "tunnel_timeout   = \"{}\"", duration_text(limits.tunnel_timeout))?;
    writeln!(out, "tunnel_lifetime  = \"{}\"", lifetime(limits.tunnel_lifetime))
}

/// A TOML list of strings; what is printed never needs an escape.
fn strings<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("\"{}\"", item.to_string())).collect();
    format!("[{}]", items.join(", "))
}
