//! Golden texts: what an operator reads.

use super::super::check::missing_interfaces;
use super::super::terminal::Style;
use super::{event, problem, status, time};
use crate::config;
use crate::event::{Event, Stamped};
use crate::link::{
    AddressStatus, AgentStatus, AuthStatus, FrontendReport, HookStatus, LagStatus, OverLimits, PeerStatus,
    PoolReport, ProxyStatus, Report, RouterStatus, ServerReport, ServerState, Status, TrackerEffect,
    TrackerState, TrackerStatus,
};
use crate::vrrp::auth::{KeyId, Mode, Window};
use crate::vrrp::{Centis, Cidr, Dialect, Priority, Role, Version, Vrid};

mod paths;

/// 2026-11-20 15:58:56.123 UTC.
const NOW: u64 = 1_795_190_336_123;

const MINUTE: u64 = 60_000;

fn server(name: &str, state: ServerState, reason: &str) -> ServerReport {
    let last = name.bytes().last().map_or(0, |byte| byte - b'0');
    ServerReport {
        state,
        since_ms: NOW - 134 * MINUTE,
        reason: reason.to_owned(),
        requests: 41_152,
        errors: u64::from(state == ServerState::Down) * 3,
        ..ServerReport::fresh(name, format!("10.77.0.1{last}:8080").parse().expect("an address"))
    }
}

fn pool(name: &str, servers: Vec<ServerReport>) -> PoolReport {
    let healthy = servers.iter().filter(|server| server.state == ServerState::Up).count();
    PoolReport { name: name.to_owned(), healthy, panics: false, queued: 0, verified_us: None, servers }
}

fn router() -> RouterStatus {
    RouterStatus {
        name: "web".to_owned(),
        interface: "eth0".to_owned(),
        vrid: Vrid::new(51).expect("valid"),
        version: Version::V3,
        role: Role::Active,
        since_ms: NOW - 134 * MINUTE,
        why: "no advert of lb2 for 360.938 ms".to_owned(),
        priority: Priority::new(200),
        effective_priority: Priority::new(200),
        reasons: Vec::new(),
        advert_interval: Centis::new(10).expect("valid"),
        addresses: vec![AddressStatus {
            address: Cidr { address: [10, 77, 0, 100].into(), prefix: 24 },
            held: true,
            interface: None,
        }],
        routes: Vec::new(),
        vmacs: Vec::new(),
        advice: Vec::new(),
        peer: Some(PeerStatus {
            address: [10, 77, 0, 2].into(),
            name: Some("lb2".to_owned()),
            priority: Priority::new(100),
            interval: Centis::new(10).expect("valid"),
            dialect: Dialect::Pseudo,
            heard_ms: NOW - 134 * MINUTE,
        }),
        takeovers: 1,
        adverts_sent: 80_400,
        adverts_received: 12,
        restored: 0,
        auth: None,
        trackers: Vec::new(),
        hook: None,
        alarms: Vec::new(),
        paths: Vec::new(),
    }
}

fn healthy() -> Status {
    let up = |name| server(name, ServerState::Up, "HTTP 200 in 1 ms");
    Status {
        node: "lb1".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 4242,
        started_ms: NOW - 3 * 24 * 60 * MINUTE,
        agent: AgentStatus {
            lag: LagStatus {
                longest_us: 12_041,
                classes: vec![(Some(100), 80_400), (Some(100_000), 3), (None, 1)],
            },
            ..AgentStatus::default()
        },
        routers: vec![router()],
        proxy: Some(ProxyStatus {
            pid: Some(4250),
            since_ms: NOW - 3 * 24 * 60 * MINUTE,
            deaths: 0,
            state: "serving".to_owned(),
            report: Some(Report {
                listening: true,
                pools: vec![pool("app", vec![up("app1"), up("app2")])],
                frontends: vec![FrontendReport {
                    name: "web".to_owned(),
                    requests: 82_304,
                    ..FrontendReport::default()
                }],
                connections: 17,
            }),
            maintenance: Vec::new(),
        }),
        sweeps: 0,
        refused: Vec::new(),
    }
}

/// A backup in trouble: a whole pool down, the proxy died twice, strangers on the network.
fn troubled() -> Status {
    let mut status = healthy();
    status.node = "lb2".to_owned();
    status.agent.sampling = Some(256);
    status.agent.not_realtime = Some("refused, allow it".to_owned());
    status.refused = vec![("wrong TTL".to_owned(), 3), ("bad checksum".to_owned(), 120)];
    if let Some(report) = status.proxy.as_mut().and_then(|proxy| proxy.report.as_mut()) {
        report.frontends[0].handshakes_failed = 12;
        report.frontends[0].left = 5;
        report.frontends[0].over_limits = OverLimits { connections: 3, connection_rate: 0, request_rate: 40 };
    }
    let router = &mut status.routers[0];
    router.role = Role::Backup;
    router.effective_priority = Priority::UNFIT;
    router.reasons = vec!["pool app has no healthy server".to_owned()];
    router.addresses[0].held = false;
    router.restored = 2;
    if let Some(peer) = &mut router.peer {
        (peer.name, peer.heard_ms) = (None, NOW - 40);
    }
    let proxy = status.proxy.as_mut().expect("there is one");
    proxy.deaths = 2;
    let report = proxy.report.as_mut().expect("there is one");
    let down = |name, why| server(name, ServerState::Down, why);
    report.pools = vec![pool(
        "app",
        vec![
            down("app1", "connection refused"),
            down("app2", "HTTP 500 in 2 ms"),
            down("app3", "connection refused"),
        ],
    )];
    status
}

#[test]
fn a_healthy_active_node_at_a_glance() {
    assert_eq!(
        status::text(&healthy(), NOW, Style::Plain),
        "\
node lb1  vipd 0.1.0, pid 4242, up 3 d, now 2026-11-20 15:58:56 UTC

agent
  scheduled  in real time
  memory     locked
  timer      served 80404 times, at most 12.041 ms late; 4 of them over 10 ms

router web  Active  eth0, vrid 51
  since     2026-11-20 13:44:56 UTC (2 h 14 min)
  why       no advert of lb2 for 360.938 ms
  priority  200
  address   10.77.0.100/24, held here
  peer      lb2, 10.77.0.2: priority 100 every 100ms, checksum pseudo-header (keepalived), heard 2 h 14 min ago
  adverts   80400 sent, 12 received, every 100ms; 1 takeover

proxy  serving  pid 4250
  since    2026-11-17 15:58:56 UTC (3 d)
  clients  17 connected
  FRONTEND  REQUESTS  OWN ERRORS
  web          82304           0

pool app  2 of 2 servers healthy
  SERVER  ADDRESS          WEIGHT  STATE  FOR         NOW  REQUESTS  ERRORS  LAST CHECK
  app1    10.77.0.11:8080       1  up     2 h 14 min    0     41152       0  HTTP 200 in 1 ms
  app2    10.77.0.12:8080       1  up     2 h 14 min    0     41152       0  HTTP 200 in 1 ms
"
    );
}

#[test]
fn a_backup_in_trouble_says_what_is_wrong_and_why() {
    assert_eq!(
        status::text(&troubled(), NOW, Style::Plain),
        "\
node lb2  vipd 0.1.0, pid 4242, up 3 d, now 2026-11-20 15:58:56 UTC

agent
  scheduled  not in real time: refused, allow it
  memory     locked
  timer      served 80404 times, at most 12.041 ms late; 4 of them over 10 ms

router web  Backup  eth0, vrid 51
  since     2026-11-20 13:44:56 UTC (2 h 14 min)
  why       no advert of lb2 for 360.938 ms
  priority  1 instead of the configured 200, because
            - pool app has no healthy server
  address   10.77.0.100/24, not here
  peer      no node of the config, 10.77.0.2: priority 100 every 100ms, checksum pseudo-header (keepalived), heard 40 ms ago
  adverts   80400 sent, 12 received, every 100ms; 1 takeover; 2 addresses removed by someone else and put back

proxy  serving  pid 4250
  since    2026-11-17 15:58:56 UTC (3 d)
  died     2 times since the agent was started
  clients  17 connected
  FRONTEND  REQUESTS  OWN ERRORS  NO HANDSHAKE  LEFT                                                      OVER LIMITS
  web          82304           0            12     5  43 (3 by connections, 0 by connection_rate, 40 by request_rate)

pool app  0 of 3 servers healthy
  nobody gets its requests: app1, app3: connection refused; app2: HTTP 500 in 2 ms
  SERVER  ADDRESS          WEIGHT  STATE  FOR         NOW  REQUESTS  ERRORS  LAST CHECK
  app1    10.77.0.11:8080       1  DOWN   2 h 14 min    0     41152       3  connection refused
  app2    10.77.0.12:8080       1  DOWN   2 h 14 min    0     41152       3  HTTP 500 in 2 ms
  app3    10.77.0.13:8080       1  DOWN   2 h 14 min    0     41152       3  connection refused

packets refused, a flood of them: 1 in 256 is read and counted for all
    3  wrong TTL
  120  bad checksum
"
    );
}

#[test]
fn an_agent_alone_and_a_dead_proxy_have_no_pools_to_show() {
    let mut alone = healthy();
    alone.proxy = None;
    alone.routers[0].peer = None;
    let text = status::text(&alone, NOW, Style::Plain);
    assert!(text.contains("  peer      none heard since the start; a Backup is silent\n"), "{text}");
    assert!(!text.contains("proxy") && !text.contains("pool"), "{text}");

    let mut dead = healthy();
    let state = "killed by SIGKILL, started again in 100 ms".to_owned();
    let maintenance = vec!["web".to_owned()];
    dead.proxy =
        Some(ProxyStatus { pid: None, since_ms: NOW - 40, deaths: 1, state, report: None, maintenance });
    let text = status::text(&dead, NOW, Style::Plain);
    assert!(text.contains("proxy  killed by SIGKILL, started again in 100 ms  no process\n"), "{text}");
    assert!(
        text.contains("  since        2026-11-20 15:58:56 UTC (40 ms)\n  died         1 time since"),
        "{text}"
    );
    assert!(
        text.contains("  maintenance  web, by command: `vipd maintenance off --all` ends it\n"),
        "{text}"
    );
}

#[test]
fn two_active_nodes_are_cried_out_and_a_handover_is_not() {
    let mut status = healthy();
    let heard = |status: &mut Status, priority: u8, age_ms: u64| {
        let peer = status.routers[0].peer.as_mut().expect("there is one");
        (peer.priority, peer.heard_ms) = (Priority::new(priority), NOW - age_ms);
    };
    let cry = "lb2, 10.77.0.2 ADVERTISES TOO: two nodes are Active";
    heard(&mut status, 100, 50);
    assert!(status::text(&status, NOW, Style::Plain).contains(cry));
    heard(&mut status, 100, 301);
    assert!(!status::text(&status, NOW, Style::Plain).contains(cry), "it has been silent for three adverts");
    heard(&mut status, 0, 50);
    assert!(status::text(&status, NOW, Style::Plain).contains("it resigned (priority 0)"));
    heard(&mut status, 100, 50);
    status.routers[0].since_ms = NOW - 60;
    assert!(!status::text(&status, NOW, Style::Plain).contains(cry), "it may not have heard us yet");
}

#[test]
fn what_a_router_tracks_and_its_hook_say_how_they_stand_and_what_they_do() {
    let mut status = healthy();
    let tracker = |name: &str, state, effect, reason: &str| TrackerStatus {
        name: name.to_owned(),
        state,
        since_ms: NOW - 12_000,
        reason: reason.to_owned(),
        effect,
    };
    let router = &mut status.routers[0];
    router.trackers = vec![
        tracker("interface eth1", TrackerState::Passing, TrackerEffect::None, "it is up"),
        tracker("file /run/off", TrackerState::Passing, TrackerEffect::Priority(-110), "it holds -110"),
        tracker("script /bin/x", TrackerState::Failing, TrackerEffect::Fault, "exited with code 1: no disk"),
    ];
    let mut hook = HookStatus {
        sequence: 3,
        to: Role::Active,
        started_ms: NOW - 5_000,
        took_ms: Some(12),
        succeeded: true,
        how: "exited with code 0".to_owned(),
    };
    router.hook = Some(hook.clone());
    let text = status::text(&status, NOW, Style::Plain);
    for line in [
        "  tracks    interface eth1: passing for 12 s: it is up\n",
        "            file /run/off: passing for 12 s, priority -110: it holds -110\n",
        "            script /bin/x: failing for 12 s, a fault: exited with code 1: no disk\n",
        "  hook      number 3, for Active: exited with code 0 after 12 ms; started 5 s ago\n",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    (hook.took_ms, hook.succeeded, hook.how) = (None, false, "running".to_owned());
    status.routers[0].hook = Some(hook);
    let text = status::text(&status, NOW, Style::Colour);
    assert!(text.contains("number 3, for Active: running; started 5 s ago\n"), "not red: {text}");
}

#[test]
fn colours_do_not_shift_columns_and_plain_text_has_none() {
    let (status, style) = (troubled(), Style::Colour);
    let coloured = status::text(&status, NOW, style);
    assert!(coloured.contains("\x1b[1;31mDOWN\x1b[0m"), "{coloured}");
    let mut bare = String::new();
    let mut pieces = coloured.split("\x1b[");
    bare.push_str(pieces.next().unwrap_or_default());
    pieces.for_each(|piece| bare.push_str(piece.split_once('m').map_or(piece, |(_, text)| text)));
    assert_eq!(bare, status::text(&status, NOW, Style::Plain));
}

#[test]
fn an_event_is_one_line_with_its_moment() {
    let event = Event::Moved {
        router: "web".to_owned(),
        from: Role::Backup,
        to: Role::Active,
        why: "no advert of lb1 for 360.938 ms".to_owned(),
    };
    assert_eq!(
        event::line(&Stamped { at_ms: NOW, node: "lb2".to_owned(), event }),
        "2026-11-20T15:58:56.123Z lb2 web: Backup → Active: no advert of lb1 for 360.938 ms"
    );
}

#[test]
fn words_of_a_stranger_cannot_move_the_cursor() {
    let mut status = troubled();
    let report = status.proxy.as_mut().and_then(|proxy| proxy.report.as_mut()).expect("there is one");
    report.pools[0].servers[0].reason = "HTTP 500 \x1b[2J\ngone".to_owned();
    let text = status::text(&status, NOW, Style::Plain);
    assert!(text.contains("HTTP 500 ?[2J?gone\n") && !text.contains('\x1b'), "{text}");
}

#[test]
fn dates_are_right_at_the_edges_of_the_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399, "2000-02-28T23:59:59.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"),
        (1_709_164_800, "2024-02-29T00:00:00.000Z"),
        (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(time::utc(seconds * 1_000), text);
    }
    for (ms, text) in
        [(0, "0 ms"), (999, "999 ms"), (59_999, "59 s"), (200_000, "3 min 20 s"), (86_400_000, "1 d")]
    {
        assert_eq!(time::age(ms, 0), text);
    }
    assert_eq!(time::age(5, 10), "0 ms", "a clock that was set back is no reason to panic");
}

/// The five mistakes that operators make most, in one file.
const FIVE_MISTAKES: &str = r#"[[node]]
name = "lb1"
address = "10.77.0.1"
prioritty = 200

[[vrrp]]
name = "web"
interface = "eht0"
vrid = 51
addresses = ["10.77.0.100/42"]

[[vrrp]]
name = "api"
interface = "eht0"
vrid = 51
addresses = ["10.77.0.101/24"]

[[frontend]]
name = "web"
bind = ["10.77.0.100:80"]
pool = "apps"

[[pool]]
name = "app"
server = [{ name = "app1", address = "10.77.0.11:8080" }]
"#;

#[test]
fn five_mistakes_are_shown_in_one_go_with_their_lines() {
    let errors = config::parse("vipd.toml", FIVE_MISTAKES).expect_err("it is wrong");
    let mut problems = errors.problems;
    problems.extend(missing_interfaces(&errors.outline, &["lo".to_owned(), "eth0".to_owned()]));
    problems.sort_by_key(|problem| problem.place.start);
    assert_eq!(
        problem::report("vipd.toml", FIVE_MISTAKES, &problems, Style::Plain),
        r#"error: unknown key `prioritty` in [[node]]
 --> vipd.toml:4:1
  |
4 | prioritty = 200
  | ^^^^^^^^^
  |
  = help: did you mean `priority`?

error: this machine has no interface `eht0`
 --> vipd.toml:8:13
  |
8 | interface = "eht0"
  |             ^^^^^^
  |
  = help: did you mean "eth0"?

error: `/42` is no prefix length of IPv4
  --> vipd.toml:10:14
   |
10 | addresses = ["10.77.0.100/42"]
   |              ^^^^^^^^^^^^^^^^
   |
   = help: write a number from 1 to 32: "10.77.0.100/24"

error: this machine has no interface `eht0`
  --> vipd.toml:14:13
   |
14 | interface = "eht0"
   |             ^^^^^^
   |
   = help: did you mean "eth0"?

error: vrid 51 is used twice on eht0
  --> vipd.toml:15:8
   |
 9 | vrid = 51
   |        -- first used here
...
15 | vrid = 51
   |        ^^
   |
   = help: a vrid that is free in this file: 52

error: there is no pool `apps`
  --> vipd.toml:21:8
   |
21 | pool = "apps"
   |        ^^^^^^
   |
   = help: did you mean "app"?

"#
    );
}

#[test]
fn authentication_is_shown_and_a_clock_that_drifts_away_is_said() {
    let mut status = healthy();
    status.routers[0].auth = Some(AuthStatus {
        mode: Mode::Permissive,
        active: KeyId::new(2).expect("not zero"),
        window: Window::new(5).expect("valid"),
        verified: 120,
        unsigned: 7,
        ahead_seconds: 2,
    });
    let shown = |status: &Status| {
        let text = status::text(status, NOW, Style::Plain);
        text.lines().find(|line| line.trim_start().starts_with("auth")).map(str::trim).map(str::to_owned)
    };
    let auth = "auth      permissive, signs with key 2; 120 verified, 7 unsigned believed";
    assert_eq!(shown(&status).as_deref(), Some(auth));
    for (ahead, which) in [(3, "ahead"), (-3, "behind")] {
        status.routers[0].auth.as_mut().expect("there is one").ahead_seconds = ahead;
        let drifts = format!("{auth}; our clock is 3 s {which} of the peer's, 5s is the limit: check NTP");
        assert_eq!(shown(&status), Some(drifts));
    }
    assert_eq!(shown(&healthy()), None);
}

#[test]
fn backups_busy_servers_and_those_that_come_back_slowly_are_seen() {
    let mut servers = vec![server("app1", ServerState::Up, "fine"), server("app2", ServerState::Up, "fine")];
    servers[0].in_flight = 17;
    servers[0].effective_weight = 0.25;
    servers[1].backup = true;
    let text = super::servers::pool(&pool("app", servers), NOW, Style::Plain);
    assert_eq!(
        text,
        "\
pool app  2 of 2 servers healthy
  SERVER  ADDRESS             WEIGHT  STATE       FOR         NOW  REQUESTS  ERRORS  LAST CHECK
  app1    10.77.0.11:8080  0.25 of 1  up          2 h 14 min   17     41152       0  fine
  app2    10.77.0.12:8080          1  up, backup  2 h 14 min    0     41152       0  fine
"
    );
}
