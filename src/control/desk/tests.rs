//! The desk without a socket: two pools, one checked and one not.

use std::time::Duration;

use super::*;
use crate::config::{self, Check, CheckKind, Frontend, Limits, ProxySettings};
use crate::proxy::{self, Count};

const NOW: Time = Time::from_micros(1_000_000);
const WALL: u64 = 1_700_000_000_000;

/// Pool `app` with the checked servers app1..app3 (rise 2, fall 3), pool `static` with the unchecked file1.
fn config() -> Config {
    let second = Duration::from_secs(1);
    let check = Check::new(CheckKind::Tcp);
    let server = |name: &str, last: u8| config::Server {
        name: name.into(),
        address: ([10, 77, 0, last], 8080).into(),
        weight: u16::from(last),
        backup: false,
        max_connections: None,
    };
    let app = vec![server("app1", 11), server("app2", 12), server("app3", 13)];
    Config {
        nodes: Vec::new(),
        routers: Vec::new(),
        frontends: vec![
            Frontend {
                name: "web".into(),
                bind: vec![([10, 77, 0, 100], 80).into()],
                pool: Some(0),
                ..Frontend::default()
            },
            Frontend {
                name: "files".into(),
                bind: vec![([10, 77, 0, 100], 81).into()],
                pool: Some(1),
                ..Frontend::default()
            },
        ],
        pools: vec![
            config::Pool {
                name: "app".into(),
                balance: config::Balance::default(),
                sticky: None,
                slow_start: Duration::ZERO,
                tls: None,
                queue: config::Queue::default(),
                send_proxy: None,
                check: Some(check),
                passive: None,
                panic: None,
                servers: app,
            },
            config::Pool {
                name: "static".into(),
                balance: config::Balance::default(),
                sticky: None,
                slow_start: Duration::ZERO,
                tls: None,
                queue: config::Queue::default(),
                send_proxy: None,
                check: None,
                passive: None,
                panic: None,
                servers: vec![server("file1", 21)],
            },
        ],
        tls: config::TlsSettings::default(),
        proxy: ProxySettings { threads: None, user: "vipd".into(), grace: second },
        limits: Limits {
            connections: 10,
            head: 1 << 10,
            headers: 10,
            body: None,
            head_timeout: second,
            idle_timeout: second,
            connect_timeout: second,
            response_timeout: second,
            ..Limits::default()
        },
    }
}

struct Bench {
    desk: Desk,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        Self::with(&config())
    }

    fn with(config: &Config) -> Self {
        Self { desk: Desk::new(config, NOW, WALL), now: NOW }
    }

    fn handle(&mut self, input: Input) -> Effects {
        let mut out = Effects::default();
        self.desk.handle(self.now, WALL + 5, input, &mut out);
        out
    }

    /// A check of `server` that was started at `started` ms.
    fn see(&mut self, server: usize, observation: Observation, started: u64) -> Effects {
        let why = if observation == Observation::Pass { "HTTP 200 in 1 ms" } else { "connection refused" };
        let started = Time::from_micros(started * 1_000);
        let seen = Seen { server: ServerId(server), started, observation, why: why.into(), own_name: None };
        self.handle(Input::Observed(seen))
    }

    fn pass(&mut self, server: usize, started: u64) -> Effects {
        self.see(server, Observation::Pass, started)
    }

    fn fail(&mut self, server: usize, started: u64) -> Effects {
        self.see(server, Observation::Fail, started)
    }

    fn pool(&self, nth: usize) -> PoolReport {
        self.desk.report(self.now, &Stats::default()).pools.swap_remove(nth)
    }

    fn in_rotation(&self) -> Vec<Vec<String>> {
        self.desk.rotation().map(|servers| servers.into_iter().map(|it| it.name).collect()).collect()
    }
}

const NOTHING: Effects = Effects { publish: false, report: false, events: Vec::new() };

fn up(server: &str) -> Event {
    Event::ServerUp { pool: "app".into(), server: server.into(), why: "HTTP 200 in 1 ms".into() }
}

fn down(server: &str) -> Event {
    Event::ServerDown { pool: "app".into(), server: server.into(), why: "connection refused".into() }
}

#[test]
fn at_the_start_only_unchecked_servers_get_requests() {
    let bench = Bench::new();
    assert_eq!(bench.in_rotation(), [vec![], vec!["file1".to_string()]]);
    let report = bench.desk.report(NOW, &Stats::default());
    assert!(!report.listening);
    assert_eq!((report.pools[0].healthy, report.pools[0].verified_us), (0, None));
    let states: Vec<_> = report.pools[0].servers.iter().map(|server| server.state).collect();
    assert_eq!(states, [ServerState::Checking; 3]);
    assert_eq!(report.pools[0].servers[0].reason, "not checked yet");
    assert_eq!(report.pools[1].servers[0].state, ServerState::Unchecked);
}

#[test]
fn the_first_check_of_a_server_decides_and_is_published_reported_and_told() {
    let mut bench = Bench::new();
    assert_eq!(bench.pass(0, 900), Effects { publish: true, report: true, events: vec![up("app1")] });
    assert_eq!(bench.fail(2, 900), Effects { publish: true, report: true, events: vec![down("app3")] });
    assert_eq!(bench.in_rotation()[0], ["app1"]);
    let servers = bench.pool(0).servers;
    assert_eq!((servers[0].state, servers[0].since_ms), (ServerState::Up, WALL + 5));
    assert_eq!((servers[1].state, servers[1].since_ms), (ServerState::Checking, WALL));
    assert_eq!((servers[2].state, servers[2].reason.as_str()), (ServerState::Down, "connection refused"));
}

#[test]
fn a_server_goes_after_fall_failures_and_comes_back_after_rise_passes() {
    let mut bench = Bench::new();
    for server in 0..3 {
        bench.pass(server, 900);
    }
    assert_eq!(bench.fail(1, 2_000), NOTHING);
    assert_eq!(bench.fail(1, 3_000), NOTHING);
    assert_eq!(bench.pool(0).servers[1].reason, "connection refused", "it is up, and its last check failed");
    assert_eq!(bench.fail(1, 4_000), Effects { publish: true, report: true, events: vec![down("app2")] });
    assert_eq!(bench.in_rotation()[0], ["app1", "app3"]);
    assert_eq!(
        bench.pass(1, 5_000),
        Effects { report: true, ..NOTHING },
        "the first pass after a failure is news"
    );
    assert_eq!(bench.pass(1, 6_000), Effects { publish: true, report: true, events: vec![up("app2")] });
    assert_eq!(bench.in_rotation()[0], ["app1", "app2", "app3"]);
    assert_eq!(bench.pass(1, 7_000), NOTHING);
}

#[test]
fn a_server_keeps_its_identity_and_share_wherever_it_stands_in_the_rotation() {
    let mut bench = Bench::new();
    bench.pass(2, 900);
    let rotation: Vec<_> = bench.desk.rotation().collect();
    let [only] = &rotation[0][..] else { panic!("{rotation:?}") };
    assert_eq!((only.id, &*only.name, only.weight), (ServerId(2), "app3", 13 * STEPS));
    assert_eq!(only.address, ([10, 77, 0, 13], 8080).into());
    assert_eq!(rotation[1][0].id, ServerId(3));
}

#[test]
fn a_pool_is_verified_by_the_latest_check_that_a_healthy_server_passed() {
    let mut bench = Bench::new();
    bench.pass(0, 900);
    bench.pass(1, 950);
    assert_eq!(bench.pool(0).verified_us, Some(950_000));
    // Three failures take app2 out: what it passed before counts no more.
    for started in [1_000, 2_000, 3_000] {
        bench.fail(1, started);
    }
    assert_eq!(bench.pool(0).verified_us, Some(900_000));
    // It passes again, but is not in rotation yet: requests would not go there.
    bench.pass(1, 4_000);
    assert_eq!(bench.pool(0).verified_us, Some(900_000));
    bench.pass(1, 5_000);
    assert_eq!(bench.pool(0).verified_us, Some(5_000_000));
    // A failing check of a server that is still up verifies nothing and takes nothing back.
    bench.fail(1, 6_000);
    assert_eq!(bench.pool(0).verified_us, Some(5_000_000));
}

#[test]
fn nothing_healthy_is_nothing_verified() {
    let mut bench = Bench::new();
    for server in 0..3 {
        bench.fail(server, 900);
    }
    assert_eq!((bench.pool(0).healthy, bench.pool(0).verified_us), (0, None));
    assert!(bench.in_rotation()[0].is_empty());
}

#[test]
fn a_pool_without_checks_is_verified_at_the_moment_of_the_report() {
    let mut bench = Bench::new();
    bench.now = Time::from_micros(77_000_000);
    assert_eq!((bench.pool(1).healthy, bench.pool(1).verified_us), (1, Some(77_000_000)));
}

#[test]
fn the_agent_hears_at_once_when_we_listen_and_when_we_stop() {
    let mut bench = Bench::new();
    assert_eq!(bench.handle(Input::Listening), Effects { report: true, ..NOTHING });
    assert!(bench.desk.report(NOW, &Stats::default()).listening);
    assert_eq!(bench.handle(Input::Draining), Effects { report: true, ..NOTHING });
    assert!(!bench.desk.report(NOW, &Stats::default()).listening);
}

#[test]
fn the_agent_hears_once_a_second_and_a_report_moves_the_next() {
    let mut bench = Bench::new();
    assert_eq!(bench.desk.deadline(), NOW + REPORT_EVERY);
    assert_eq!(bench.handle(Input::Timer), NOTHING, "too early");
    bench.now = bench.desk.deadline();
    assert_eq!(bench.handle(Input::Timer), Effects { report: true, ..NOTHING });
    assert_eq!(bench.desk.deadline(), bench.now + REPORT_EVERY);
    bench.now = bench.now + Span::from_millis(400);
    bench.pass(0, 900);
    assert_eq!(bench.desk.deadline(), bench.now + REPORT_EVERY);
}

#[test]
fn counters_reach_the_report_by_identity_and_order() {
    let bench = Bench::new();
    let count = |requests| Count { requests, errors: requests / 10, ..Count::default() };
    let servers = (1..=4).map(|nth| count(nth * 100)).collect();
    let frontends = vec![count(50), count(60)];
    let one = proxy::OverLimits { connections: 1, connection_rate: 2, request_rate: 3 };
    let over_limits = vec![proxy::OverLimits::default(), one];
    let stats = Stats {
        servers,
        frontends,
        handshakes_failed: vec![0, 7],
        connections: 9,
        over_limits,
        left: vec![8],
        ..Stats::default()
    };
    let report = bench.desk.report(NOW, &stats);
    assert_eq!(report.connections, 9);
    assert_eq!((report.pools[0].servers[2].requests, report.pools[0].servers[2].errors), (300, 30));
    assert_eq!(report.pools[1].servers[0].requests, 400);
    assert_eq!((report.frontends[1].name.as_str(), report.frontends[1].requests), ("files", 60));
    assert_eq!((report.frontends[0].handshakes_failed, report.frontends[1].handshakes_failed), (0, 7));
    assert_eq!((report.frontends[0].left, report.frontends[1].left), (8, 0));
    assert_eq!(report.frontends[0].over_limits, OverLimits::default());
    let expected = OverLimits { connections: 1, connection_rate: 2, request_rate: 3 };
    assert_eq!(report.frontends[1].over_limits, expected);
}

proptest::proptest! {
    /// Whatever the checks see: the cores get a snapshot when the rotation has changed and only then, the agent hears
    /// of it and a human reads of it, and a pool is verified exactly when it has a healthy server.
    #[test]
    fn what_is_published_reported_and_told_is_what_has_changed(
        checks in proptest::collection::vec((0..3usize, proptest::bool::weighted(0.6)), 0..80),
    ) {
        let mut bench = Bench::new();
        for (nth, (server, passes)) in checks.into_iter().enumerate() {
            let before = bench.in_rotation();
            let seen = if passes { Observation::Pass } else { Observation::Fail };
            let out = bench.see(server, seen, nth as u64);
            let (after, pool) = (bench.in_rotation(), bench.pool(0));
            // The first check of a server that fails is told as well, though it never was in rotation.
            let told = out.events.len();
            proptest::prop_assert!(told <= 1 && out.publish == (told == 1) && (out.report || told == 0));
            proptest::prop_assert!(before == after || out.publish);
            proptest::prop_assert_eq!(after[0].len(), pool.healthy);
            proptest::prop_assert_eq!(pool.verified_us.is_some(), pool.healthy > 0);
            proptest::prop_assert_eq!(after[1].len(), 1);
        }
    }
}

/// A bench whose pool `app` gives a server back its share within 30 s.
fn slow() -> Bench {
    let mut config = config();
    config.pools[0].slow_start = Duration::from_secs(30);
    let mut bench = Bench::new();
    bench.desk = Desk::new(&config, NOW, WALL);
    (0..3).for_each(|server| {
        bench.pass(server, 900);
    });
    bench
}

#[test]
fn a_server_that_came_back_gets_its_share_in_steps() {
    let mut bench = slow();
    let parts = |bench: &Bench| {
        let rotation = bench.desk.rotation().next().expect("a pool");
        rotation.iter().find(|server| server.id == ServerId(0)).map(|server| server.weight / 11)
    };
    assert_eq!(parts(&bench), Some(STEPS), "at the start it has all");
    (0..3).for_each(|_| {
        bench.fail(0, 1_000);
    });
    assert_eq!(parts(&bench), None);
    bench.pass(0, 2_000);
    let back = bench.pass(0, 3_000);
    assert!(back.publish, "it is back");
    let mut seen = vec![parts(&bench).expect("it is back")];
    let began = bench.now;
    while bench.desk.next_step.is_some() {
        bench.now = bench.desk.deadline();
        if bench.handle(Input::Timer).publish {
            seen.extend(parts(&bench));
            let effective = bench.pool(0).servers[0].effective_weight;
            assert!((effective - 11.0 * f64::from(*seen.last().expect("some")) / 16.0).abs() < 1e-9);
        }
    }
    assert_eq!(seen, (1..=STEPS).collect::<Vec<_>>());
    assert_eq!(bench.now.since(began), Span::from_millis(30_000));
    assert!(bench.desk.ramping.is_empty());
    assert_eq!(bench.desk.deadline(), bench.desk.next_report);
}

#[test]
fn a_server_that_fails_on_the_way_begins_again_and_one_without_slow_start_has_all_at_once() {
    let mut bench = slow();
    let flap = |bench: &mut Bench| {
        (0..3).for_each(|_| {
            bench.fail(0, 1_000);
        });
        bench.pass(0, 2_000);
        bench.pass(0, 3_000);
        bench.pool(0).servers[0].effective_weight
    };
    let first = flap(&mut bench);
    assert!(first < 1.0, "{first}");
    bench.now = bench.now + Span::from_millis(15_000);
    bench.handle(Input::Timer);
    assert!(bench.pool(0).servers[0].effective_weight > 5.0);
    assert!((flap(&mut bench) - first).abs() < 1e-9);
    assert_eq!(bench.desk.ramping.iter().filter(|server| server.0 == 0).count(), 1, "it is watched once");
    assert!((flap(&mut Bench::new()) - 11.0).abs() < 1e-9);
}

#[test]
fn cookies_mean_the_same_server_wherever_it_stands_in_the_file() {
    let mut turned = config();
    turned.pools.reverse();
    turned.pools[1].servers.reverse();
    let mut desks = [config(), turned].map(|config| Desk::new(&config, NOW, WALL));
    let tokens = desks.each_mut().map(|desk| {
        let all = desk.pools.iter().flat_map(|pool| pool.servers.iter().map(|it| it.server.token));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all
    });
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(tokens[0].len(), 4);
}

/// Every server of `app` is up, the counters have been looked at, and then app2 fails this many requests.
fn failing(errors: u64, change: impl FnOnce(&mut config::Pool)) -> (Bench, Effects) {
    let mut config = config();
    config.pools[0].passive = Some(config::Passive::default());
    change(&mut config.pools[0]);
    let mut bench = Bench::with(&config);
    (0..3).for_each(|server| drop(bench.pass(server, 1_000)));
    bench.handle(Input::Counted(vec![Count::default(); 4]));
    let counts = [0, errors, 0, 0].map(|errors| Count { errors, ..Count::default() });
    bench.now = bench.now + COUNT_EVERY;
    let effects = bench.handle(Input::Counted(counts.to_vec()));
    (bench, effects)
}

fn rotation(bench: &Bench) -> Vec<String> {
    let servers = bench.desk.rotation().next().expect("there is a pool");
    servers.into_iter().map(|server| server.name).collect()
}

#[test]
fn a_server_that_fails_requests_is_left_out_and_returns() {
    assert_eq!(failing(4, |_| {}).1, NOTHING);
    let (mut bench, effects) = failing(5, |_| {});
    let (pool, server) = ("app".to_owned(), "app2".to_owned());
    let why = "5 errors in a row, back in 10s".to_owned();
    let event = Event::ServerEjected { pool: pool.clone(), server: server.clone(), why: why.clone() };
    assert_eq!(effects, Effects { publish: true, report: true, events: vec![event] });
    assert_eq!(rotation(&bench), ["app1", "app3"]);
    let report = bench.pool(0);
    assert_eq!((report.healthy, report.panics), (2, false));
    assert_eq!((report.servers[1].state, &report.servers[1].reason), (ServerState::Ejected, &why));
    // Its checks still pass: that changes nothing before its time is over.
    bench.pass(1, 2_000);
    assert_eq!(rotation(&bench), ["app1", "app3"]);
    bench.now = bench.now + Span::from_millis(10_000);
    let counts = [0, 5, 0, 0].map(|errors| Count { errors, ..Count::default() });
    let effects = bench.handle(Input::Counted(counts.to_vec()));
    assert!(effects.publish && effects.events.contains(&Event::ServerReturned { pool, server }));
    assert_eq!(rotation(&bench), ["app1", "app2", "app3"]);
}

#[test]
fn answers_that_failed_are_errors_in_a_row_and_any_other_answer_ends_the_row() {
    let looks = |looks: &[(u64, u64)]| {
        let (mut bench, _) = failing(0, |_| {});
        let mut last = NOTHING;
        for (requests, failed) in looks {
            bench.now = bench.now + COUNT_EVERY;
            let mut counts = vec![Count::default(); 4];
            counts[1] = Count { requests: *requests, failed: *failed, ..Count::default() };
            last = bench.handle(Input::Counted(counts));
        }
        last.events.len()
    };
    assert_eq!(looks(&[(3, 3), (5, 5)]), 1);
    assert_eq!(looks(&[(3, 3), (6, 5)]), 0, "one of them was good");
    assert_eq!(looks(&[(3, 3), (6, 5), (10, 9)]), 0, "four since then");
    assert_eq!(looks(&[(3, 3), (6, 5), (11, 10)]), 1);
}

#[test]
fn passive_checks_can_be_off() {
    let (bench, effects) = failing(500, |pool| pool.passive = None);
    assert_eq!((effects, rotation(&bench).len()), (NOTHING, 3));
}

#[test]
fn with_too_few_servers_left_all_of_them_are_used() {
    let mut config = config();
    config.pools[0].panic = Some(50);
    let mut bench = Bench::with(&config);
    bench.fail(0, 1_000);
    assert_eq!(rotation(&bench), [""; 0], "nobody panics before all have been checked once");
    bench.pass(1, 1_000);
    let panic = |begins| Event::Panic { pool: "app".to_owned(), begins };
    let effects = bench.fail(2, 1_000);
    assert!(effects.publish && effects.events.contains(&panic(true)), "{effects:?}");
    assert_eq!(rotation(&bench), ["app1", "app2", "app3"]);
    assert_eq!(
        (bench.pool(0).healthy, bench.pool(0).panics),
        (1, true),
        "who is healthy is another question"
    );
    bench.pass(2, 2_000);
    let effects = bench.pass(2, 3_000);
    assert!(effects.publish && effects.events.contains(&panic(false)), "{effects:?}");
    assert_eq!(rotation(&bench), ["app2", "app3"]);
}

#[test]
fn the_agents_word_is_published_once_and_confirmed_every_time() {
    let mut desk = Desk::new(&config(), NOW, WALL);
    let mut says = |names: &[&str]| {
        let mut out = Effects::default();
        let names = names.iter().map(ToString::to_string).collect();
        desk.handle(NOW, WALL, Input::Maintenance(names), &mut out);
        let reports = desk.report(NOW, &Stats::default()).frontends;
        let said: Vec<_> = reports.iter().map(|front| front.maintenance).collect();
        assert_eq!(desk.closed().collect::<Vec<_>>(), said);
        (out.publish, out.report, said)
    };
    assert_eq!(says(&["files", "stranger"]), (true, true, vec![false, true]));
    assert_eq!(says(&["files"]), (false, true, vec![false, true]));
    assert_eq!(says(&["web"]), (true, true, vec![true, false]));
    assert_eq!(says(&[]), (true, true, vec![false, false]));
}
