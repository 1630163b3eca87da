//! A status at a glance, for a human at three in the morning: who serves, since when, why, and what is wrong.

use crate::link::{
    AgentStatus, AlarmStatus, AuthStatus, FrontendReport, HookStatus, LagStatus, OverLimits, PathState,
    PathStatus, PeerStatus, ProxyStatus, Report, RouteStatus, RouterStatus, Status, TrackerEffect,
    TrackerState, TrackerStatus, VmacStatus,
};
use crate::vrrp::{Priority, Role, Span, Version};

use super::super::terminal::{Ink, Style};
use super::columns::{Cell, table};
use super::servers;
use super::time::{age, utc_seconds};

/// The whole status, as of `now_ms` milliseconds since the Unix epoch.
pub(crate) fn text(status: &Status, now_ms: u64, style: Style) -> String {
    let mut parts = vec![headline(status, now_ms, style)];
    parts.push(agent(&status.agent, style));
    parts.extend(status.routers.iter().map(|at| router(at, now_ms, style)));
    parts.extend(status.proxy.iter().map(|at| proxy(at, now_ms, style)));
    let report = status.proxy.iter().filter_map(|proxy| proxy.report.as_ref());
    parts.extend(report.flat_map(|report| &report.pools).map(|pool| servers::pool(pool, now_ms, style)));
    parts.extend(refused(status, style));
    parts.join("\n")
}

fn headline(status: &Status, now_ms: u64, style: Style) -> String {
    let node = style.paint(Ink::Head, &status.node);
    let up = age(now_ms, status.started_ms);
    format!(
        "node {node}  vipd {}, pid {}, up {up}, now {}\n",
        status.version,
        status.pid,
        utc_seconds(now_ms)
    )
}

fn agent(agent: &AgentStatus, style: Style) -> String {
    let granted = |label, words: &str, refused: &Option<String>| match refused {
        None => line(label, words.to_owned()),
        Some(why) => bad(line(label, format!("not {words}: {why}"))),
    };
    let rows = [
        granted("scheduled", "in real time", &agent.not_realtime),
        granted("memory", "locked", &agent.not_locked),
        lag(&agent.lag),
    ];
    format!("agent\n{}", table("  ", &rows, style))
}

/// The longest, and how often it was longer than what an advert interval of 10 ms bears.
fn lag(lag: &LagStatus) -> Vec<Cell> {
    let served: u64 = lag.classes.iter().map(|(_, count)| count).sum();
    let long = lag.classes.iter().filter(|(bound, _)| bound.is_none_or(|bound| bound > 10_000));
    let long: u64 = long.map(|(_, count)| count).sum();
    let longest = Span::from_micros(lag.longest_us);
    let times = plural(served, "time");
    let text = format!("served {served} {times}, at most {longest} late; {long} of them over 10 ms");
    line("timer", text)
}

fn router(router: &RouterStatus, now_ms: u64, style: Style) -> String {
    let name = style.paint(Ink::Head, &router.name);
    let ink = match router.role {
        Role::Active => Ink::Good,
        Role::Backup => Ink::Head,
        Role::Initialize => Ink::Bad,
    };
    let role = style.paint(ink, &router.role.to_string());
    let (interface, vrid) = (&router.interface, router.vrid);
    let version = match router.version {
        Version::V3 => "",
        Version::V2 => ", VRRP version 2",
    };
    let mut rows = vec![
        line("since", format!("{} ({})", utc_seconds(router.since_ms), age(now_ms, router.since_ms))),
        line("why", router.why.clone()),
        priority(router),
    ];
    rows.extend(router.reasons.iter().map(|reason| line("", format!("- {reason}"))));
    rows.extend(router.addresses.iter().enumerate().map(|(index, address)| {
        let held = if address.held { "held here" } else { "not here" };
        let on = address.interface.as_ref().map_or(String::new(), |name| format!(" on {name}"));
        let cell = line(if index == 0 { "address" } else { "" }, format!("{}{on}, {held}", address.address));
        // Active without the address, or the address without being Active: someone has to look.
        if address.held == (router.role == Role::Active) { cell } else { bad(cell) }
    }));
    rows.extend(router.vmacs.iter().enumerate().map(|(index, at)| vmac(index, at, router.role)));
    rows.extend(router.routes.iter().enumerate().map(|(index, at)| route(index, at, router.role)));
    rows.push(peer(router, now_ms));
    rows.extend(router.trackers.iter().enumerate().map(|(index, at)| tracker(index, at, now_ms)));
    rows.push(line("adverts", counters(router)));
    rows.extend(router.paths.iter().enumerate().map(|(index, at)| path(index, at, router.role, now_ms)));
    rows.extend(router.auth.iter().map(auth));
    rows.extend(router.hook.iter().map(|at| hook(at, now_ms)));
    rows.extend(router.advice.iter().map(|what| bad(line("advice", what.clone()))));
    rows.extend(router.alarms.iter().map(|at| alarm(at, now_ms)));
    format!("router {name}  {role}  {interface}, vrid {vrid}{version}\n{}", table("  ", &rows, style))
}

fn path(index: usize, path: &PathStatus, role: Role, now_ms: u64) -> Vec<Cell> {
    let PathStatus { path, port, state, since_ms, sent, received, losses } = path;
    let port = port.map_or(String::new(), |port| format!(" (UDP port {port})"));
    let lasted = age(now_ms, *since_ms);
    let state_text = match state {
        // An Active hears nobody.
        PathState::Unknown if role == Role::Active => "not known here, ask the Backup's status".to_owned(),
        PathState::Unknown => "nothing heard yet".to_owned(),
        PathState::Alive => format!("alive for {lasted}"),
        PathState::Lost => format!("LOST for {lasted}"),
    };
    let counts = format!("{sent} sent, {received} received, lost {losses} {}", plural(*losses, "time"));
    let label = if index == 0 { "paths" } else { "" };
    let row = line(label, format!("{path}{port}: {state_text}; {counts}"));
    if *state == PathState::Lost { bad(row) } else { row }
}

fn vmac(index: usize, vmac: &VmacStatus, role: Role) -> Vec<Cell> {
    let VmacStatus { link, mac, up } = vmac;
    let state = if *up { "up" } else { "down" };
    let cell = line(if index == 0 { "vmac" } else { "" }, format!("{mac} on {link}, {state}"));
    if *up == (role == Role::Active) { cell } else { bad(cell) }
}

fn route(index: usize, route: &RouteStatus, role: Role) -> Vec<Cell> {
    let held = if route.held { "here" } else { "not here" };
    let why = route.problem.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let cell = line(if index == 0 { "route" } else { "" }, format!("{}, {held}{why}", route.route));
    if route.held == (role == Role::Active) { cell } else { bad(cell) }
}

fn alarm(alarm: &AlarmStatus, now_ms: u64) -> Vec<Cell> {
    let AlarmStatus { alarm, since_ms, count, what } = alarm;
    let seen = format!("for {}, seen {count} {}", age(now_ms, *since_ms), plural(*count, "time"));
    bad(line("ALARM", format!("{alarm} ({seen}): {what}")))
}

fn line(label: &str, text: String) -> Vec<Cell> {
    vec![Cell::left(label).ink(Ink::Faint), Cell::left(text)]
}

fn bad(row: Vec<Cell>) -> Vec<Cell> {
    row.into_iter().map(|cell| cell.ink(Ink::Bad)).collect()
}

fn priority(router: &RouterStatus) -> Vec<Cell> {
    let (configured, effective) = (router.priority, router.effective_priority);
    if configured == effective {
        return line("priority", format!("{effective}"));
    }
    let because = if router.reasons.is_empty() { "" } else { ", because" };
    bad(line("priority", format!("{effective} instead of the configured {configured}{because}")))
}

fn tracker(index: usize, tracker: &TrackerStatus, now_ms: u64) -> Vec<Cell> {
    let TrackerStatus { name, state, since_ms, reason, effect } = tracker;
    let lasted = age(now_ms, *since_ms);
    let effect = if *effect == TrackerEffect::None { String::new() } else { format!(", {effect}") };
    let label = if index == 0 { "tracks" } else { "" };
    let row = line(label, format!("{name}: {state} for {lasted}{effect}: {reason}"));
    if *state == TrackerState::Passing { row } else { bad(row) }
}

fn hook(hook: &HookStatus, now_ms: u64) -> Vec<Cell> {
    let HookStatus { sequence, to, started_ms, took_ms, succeeded, how } = hook;
    let ago = age(now_ms, *started_ms);
    let took = took_ms.map_or(String::new(), |took| format!(" after {took} ms"));
    let row = line("hook", format!("number {sequence}, for {to}: {how}{took}; started {ago} ago"));
    if *succeeded || took_ms.is_none() { row } else { bad(row) }
}

fn peer(router: &RouterStatus, now_ms: u64) -> Vec<Cell> {
    let Some(peer) = &router.peer else {
        return line("peer", "none heard since the start; a Backup is silent".to_owned());
    };
    let PeerStatus { address, priority, interval, dialect, heard_ms, .. } = peer;
    let name = peer.name.as_ref().map_or("no node of the config, ".to_owned(), |name| format!("{name}, "));
    let ago = age(now_ms, *heard_ms);
    let said = match *priority {
        Priority::RESIGN => "it resigned (priority 0)".to_owned(),
        priority => format!("priority {priority} every {interval}"),
    };
    let row = line("peer", format!("{name}{address}: {said}, checksum {dialect}, heard {ago} ago"));
    if quarrels(router, peer, now_ms) {
        return bad(line(
            "peer",
            format!("{name}{address} ADVERTISES TOO: two nodes are Active, priority {priority}"),
        ));
    }
    row
}

/// Whether another Active is heard while this node is Active for longer than the peer needs to give way.
fn quarrels(router: &RouterStatus, peer: &PeerStatus, now_ms: u64) -> bool {
    let three_adverts = 3 * 10 * u64::from(peer.interval.get());
    let settled = router.since_ms.saturating_add(three_adverts);
    let lately = now_ms.saturating_sub(peer.heard_ms) <= three_adverts;
    router.role == Role::Active && peer.priority != Priority::RESIGN && lately && peer.heard_ms > settled
}

/// In red when the clocks are about to drift too far apart to be believed.
fn auth(auth: &AuthStatus) -> Vec<Cell> {
    let AuthStatus { mode, active, window, verified, unsigned, ahead_seconds } = auth;
    let signs = if mode.signs() { "signs with" } else { "signs nothing, accepts" };
    let text = format!("{mode}, {signs} key {active}; {verified} verified, {unsigned} unsigned believed");
    if ahead_seconds.unsigned_abs() <= u32::from(window.seconds()) / 2 {
        return line("auth", text);
    }
    let (seconds, which) =
        (ahead_seconds.unsigned_abs(), if *ahead_seconds > 0 { "ahead" } else { "behind" });
    let clock = format!("our clock is {seconds} s {which} of the peer's, {window} is the limit: check NTP");
    bad(line("auth", format!("{text}; {clock}")))
}

fn counters(router: &RouterStatus) -> String {
    let RouterStatus { adverts_sent, adverts_received, takeovers, restored, advert_interval, .. } = router;
    let mut text = format!("{adverts_sent} sent, {adverts_received} received, every {advert_interval}");
    text += &format!("; {takeovers} {}", plural(*takeovers, "takeover"));
    if *restored > 0 {
        text +=
            &format!("; {restored} {} removed by someone else and put back", plural(*restored, "address"));
    }
    text
}

fn proxy(proxy: &ProxyStatus, now_ms: u64, style: Style) -> String {
    let listening = proxy.report.as_ref().is_some_and(|report| report.listening);
    let state = style.paint(if listening { Ink::Good } else { Ink::Bad }, &proxy.state);
    let pid = proxy.pid.map_or("no process".to_owned(), |pid| format!("pid {pid}"));
    let since = format!("{} ({})", utc_seconds(proxy.since_ms), age(now_ms, proxy.since_ms));
    let mut rows = vec![line("since", since)];
    if proxy.deaths > 0 {
        rows.push(line(
            "died",
            format!("{} {} since the agent was started", proxy.deaths, plural(proxy.deaths, "time")),
        ));
    }
    rows.extend(
        proxy.report.iter().map(|report| line("clients", format!("{} connected", report.connections))),
    );
    if !proxy.maintenance.is_empty() {
        let closed = proxy.maintenance.join(", ");
        let text = format!("{closed}, by command: `vipd maintenance off --all` ends it");
        rows.push(bad(line("maintenance", text)));
    }
    let mut out = format!("proxy  {state}  {pid}\n{}", table("  ", &rows, style));
    out.extend(proxy.report.iter().map(|report| frontends(report, style)));
    out
}

fn frontends(report: &Report, style: Style) -> String {
    if report.frontends.is_empty() {
        return String::new();
    }
    let mut head = vec![Cell::left("FRONTEND"), Cell::right("REQUESTS"), Cell::right("OWN ERRORS")];
    let failed = report.frontends.iter().any(|frontend| frontend.handshakes_failed > 0);
    head.extend(failed.then(|| Cell::right("NO HANDSHAKE")));
    let left = report.frontends.iter().any(|frontend| frontend.left > 0);
    head.extend(left.then(|| Cell::right("LEFT")));
    let over = report.frontends.iter().any(|frontend| frontend.over_limits != OverLimits::default());
    head.extend(over.then(|| Cell::right("OVER LIMITS")));
    let shown = report.frontends.iter().any(|frontend| frontend.pages > 0);
    head.extend(shown.then(|| Cell::right("MAINTENANCE")));
    let head: Vec<Cell> = head.into_iter().map(|cell| cell.ink(Ink::Faint)).collect();
    let rows = report.frontends.iter().map(|frontend| {
        let errors = Cell::right(by_fault(frontend));
        let errors = if frontend.errors == 0 { errors } else { errors.ink(Ink::Watch) };
        let handshakes = failed.then(|| Cell::right(frontend.handshakes_failed));
        let row = [Cell::left(&frontend.name), Cell::right(frontend.requests), errors];
        let left = left.then(|| Cell::right(frontend.left));
        let over = over.then(|| Cell::right(by_limit(&frontend.over_limits)));
        let pages = shown.then(|| Cell::right(frontend.pages));
        row.into_iter().chain(handshakes).chain(left).chain(over).chain(pages).collect()
    });
    table("  ", &std::iter::once(head).chain(rows).collect::<Vec<_>>(), style)
}

/// The errors of a frontend, with whose fault they are.
fn by_fault(frontend: &FrontendReport) -> String {
    let FrontendReport { errors, client_errors, server_errors, proxy_errors, .. } = frontend;
    match errors {
        0 => "0".to_owned(),
        _ => format!(
            "{errors} ({client_errors} by clients, {server_errors} by servers, {proxy_errors} by the proxy)"
        ),
    }
}

/// What was refused because of its source, with the limit that it was over.
fn by_limit(over: &OverLimits) -> String {
    let OverLimits { connections, connection_rate, request_rate } = over;
    match connections + connection_rate + request_rate {
        0 => "0".to_owned(),
        all => format!(
            "{all} ({connections} by connections, {connection_rate} by connection_rate, {request_rate} by request_rate)"
        ),
    }
}

fn refused(status: &Status, style: Style) -> Option<String> {
    if status.refused.is_empty() {
        return None;
    }
    let rows = status.refused.iter().map(|(reason, count)| vec![Cell::right(count), Cell::left(reason)]);
    let title = style.paint(Ink::Watch, "packets refused");
    let flood = |sampled| format!(", a flood of them: 1 in {sampled} is read and counted for all");
    let flood = status.agent.sampling.map(flood).unwrap_or_default();
    Some(format!("{title}{flood}\n{}", table("  ", &rows.collect::<Vec<_>>(), style)))
}

fn plural(count: u64, what: &str) -> String {
    match (count, what.ends_with('s')) {
        (1, _) => what.to_owned(),
        (_, true) => format!("{what}es"),
        (_, false) => format!("{what}s"),
    }
}
