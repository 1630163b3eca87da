//! The proxy process as its agent sees it: what it reports, how it stops, and what rights it keeps. Each test runs a
//! real `vipd proxy` on a loopback address of the test's own, with application servers and an agent that it plays.

#[path = "control/app.rs"]
mod app;
#[path = "control/http.rs"]
mod http;
#[path = "control/process.rs"]
mod process;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use vipd::link::ServerState;
use vipd::net::clock;

use app::App;
use process::{Said, Vipd, World};

const INTERVAL: Duration = Duration::from_millis(100);
const RISE: u32 = 2;
const FALL: u32 = 3;

/// What a busy machine may add to a promise that is kept in virtual time by the tests of `check::schedule`.
const BUSY: Duration = Duration::from_millis(250);

/// One pool of these servers behind one frontend, with checks of [`INTERVAL`], [`RISE`] and [`FALL`].
fn pool(world: &World, apps: &[&App], proxy: &str) -> String {
    let server = |app: &&App| format!("{{ name = \"{}\", address = \"{}\" }}", app.name, app.address);
    let servers: Vec<_> = apps.iter().map(server).collect();
    let (millis, front) = (INTERVAL.as_millis(), world.front());
    format!(
        r#"
        [[node]]
        name = "lb1"
        address = "10.77.0.1"
        priority = 200
        [[node]]
        name = "lb2"
        address = "10.77.0.2"
        priority = 100
        [[vrrp]]
        name = "web"
        interface = "lo"
        vrid = 51
        addresses = ["10.77.0.100/24"]
        [[frontend]]
        name = "web"
        bind = ["{front}"]
        pool = "app"
        [[pool]]
        name = "app"
        check = {{ http = "/health", interval = "{millis}ms", timeout = "{millis}ms", rise = {RISE}, fall = {FALL} }}
        server = [{servers}]
        [proxy]
        threads = 2
        {proxy}
        "#,
        servers = servers.join(", "),
    )
}

#[test]
fn a_server_that_dies_leaves_the_rotation_in_time_and_comes_back_after_rise() {
    let world = World::new();
    let (mut app1, app2) = (App::start(&world, "app1"), App::start(&world, "app2"));
    let vipd = Vipd::start(&world, &pool(&world, &[&app1, &app2], ""));
    let first = vipd.next_report();
    assert!(first.listening, "the first thing the agent hears is that every listener is open");
    vipd.report_with("both servers up", |report| report.pools[0].healthy == 2);
    let answers: Vec<_> = (0..4).map(|_| world.get("/").expect("both are up").1).collect();
    assert_ne!(answers[0], answers[1]);
    assert_eq!(answers[..2], answers[2..], "round robin");

    let died = clock::now();
    app1.kill();
    let report =
        vipd.report_with("app1 down", |report| report.pools[0].servers[0].state == ServerState::Down);
    let out = clock::now().since(died).as_duration();
    assert!(out <= FALL * INTERVAL + INTERVAL + BUSY, "it was out after {out:?}");
    assert_eq!(
        (report.pools[0].healthy, report.pools[0].servers[0].reason.as_str()),
        (1, "connection refused")
    );
    for _ in 0..10 {
        assert_eq!(world.get("/").expect("app2 is up"), (200, "app2".to_string()));
    }

    let back = clock::now();
    app1.restart();
    let report = vipd.report_with("app1 up", |report| report.pools[0].servers[0].state == ServerState::Up);
    let up = clock::now().since(back).as_duration();
    assert!(up <= RISE * INTERVAL + INTERVAL + BUSY, "it was back after {up:?}");
    assert!(report.pools[0].servers[0].reason.starts_with("HTTP 200 in "));
    let answers: Vec<_> = (0..4).map(|_| world.get("/").expect("both are up").1).collect();
    assert_eq!(answers.iter().filter(|name| *name == "app1").count(), 2);
    let report = vipd.report_with("the counters", |report| report.frontends[0].requests >= 18);
    assert_eq!((report.frontends[0].requests, report.frontends[0].errors), (18, 0));
    let answered: u64 = report.pools[0].servers.iter().map(|server| server.requests).sum();
    assert_eq!(answered, 18);
}

#[test]
fn requests_that_meet_a_dead_server_before_its_checks_do_are_answered_by_another() {
    let world = World::new();
    let (mut app1, app2) = (App::start(&world, "app1"), App::start(&world, "app2"));
    let vipd = Vipd::start(&world, &pool(&world, &[&app1, &app2], ""));
    vipd.report_with("both servers up", |report| report.pools[0].healthy == 2);
    app1.kill();
    for _ in 0..6 {
        assert_eq!(world.get("/").expect("app2 is up"), (200, "app2".to_string()));
    }
}

#[test]
fn a_pool_without_a_healthy_server_answers_503_and_verifies_nothing() {
    let world = World::new();
    let mut app = App::start(&world, "app1");
    let vipd = Vipd::start(&world, &pool(&world, &[&app], ""));
    let started = clock::now().as_micros();
    let verified = |report: &vipd::link::Report| report.pools[0].verified_us;
    let up = vipd.report_with("app1 up", |report| report.pools[0].healthy == 1);
    let later = vipd.report_with("a later check", |report| verified(report) > verified(&up));
    assert!(verified(&later) <= Some(clock::now().as_micros()) && verified(&later) > Some(started));

    app.kill();
    let down = vipd.report_with("app1 down", |report| report.pools[0].healthy == 0);
    assert_eq!(verified(&down), None);
    assert_eq!(world.get("/").expect("the proxy answers itself").0, 503);

    let returned = clock::now().as_micros();
    app.restart();
    let up = vipd.report_with("app1 up", |report| report.pools[0].healthy == 1);
    assert!(verified(&up) >= Some(returned), "verified by a check that was started after the return");
    assert_eq!(world.get("/").expect("app1 is up"), (200, "app1".to_string()));
}

#[test]
fn the_agents_word_closes_a_frontend_at_once_and_opens_it_again() {
    let world = World::new();
    let app = App::start(&world, "app1");
    let page = world.dir().join("sorry.html");
    fs::write(&page, "back at six").expect("the directory is ours");
    let maintenance = format!("maintenance = {{ page = {page:?} }}\npool = \"app\"");
    let config = pool(&world, &[&app], "").replacen("pool = \"app\"", &maintenance, 1);
    let vipd = Vipd::start(&world, &config);
    vipd.report_with("app1 up", |report| report.pools[0].healthy == 1 && !report.frontends[0].maintenance);
    // It is in memory.
    fs::remove_file(&page).expect("it is there");
    vipd.close(&["web", "stranger"]);
    let report = vipd.report_with("it is closed", |report| report.frontends[0].maintenance);
    assert_eq!(
        (report.listening, report.pools[0].healthy),
        (true, 1),
        "checks go on, and nothing is at fault"
    );
    for _ in 0..2 {
        assert_eq!(world.get("/").expect("an answer"), (503, "back at six".to_owned()));
    }
    let counted = |report: &vipd::link::Report| report.frontends[0].pages == 2;
    assert_eq!(vipd.report_with("two pages", counted).frontends[0].errors, 0);
    vipd.close(&[]);
    vipd.report_with("it is open", |report| !report.frontends[0].maintenance);
    assert_eq!(world.get("/").expect("app1 is up"), (200, "app1".to_string()));
}

#[test]
fn what_was_closed_before_the_proxy_came_is_closed_from_the_first_request_on() {
    let world = World::new();
    let app = App::start(&world, "app1");
    // There is no such page: no reason not to serve.
    let maintenance = "maintenance = { page = \"/nowhere/sorry.html\" }\npool = \"app\"";
    let config = pool(&world, &[&app], "").replacen("pool = \"app\"", maintenance, 1);
    let vipd = Vipd::start_closed(&world, &config, &["web"]);
    let first = vipd.next_report();
    assert!(first.listening && first.frontends[0].maintenance);
    vipd.report_with("app1 up", |report| report.pools[0].healthy == 1);
    let (status, body) = world.get("/").expect("an answer");
    assert!(status == 503 && body.contains("down for maintenance"), "{status} {body}");
    vipd.close(&[]);
    vipd.report_with("it is open", |report| !report.frontends[0].maintenance);
    assert_eq!(world.get("/").expect("app1 is up"), (200, "app1".to_string()));
}

#[test]
fn sigterm_lets_running_requests_finish_and_refuses_new_ones() {
    let world = World::new();
    let app = App::start(&world, "app1");
    let mut vipd = Vipd::start(&world, &pool(&world, &[&app], "grace = \"30s\""));
    vipd.report_with("app1 up", |report| report.pools[0].healthy == 1);
    let front = world.front();
    let held = std::thread::spawn(move || http::get(front, "/hold"));
    app.wait_until_holding();
    vipd.signal(Signal::SIGTERM);
    vipd.report_with("no listener", |report| !report.listening);
    // The agent hears before the listeners close. They do, though a request is running.
    while TcpStream::connect(world.front()).is_ok() {
        std::thread::yield_now();
    }
    app.release();
    let answer = held.join().expect("no panic").expect("the running request is answered");
    assert_eq!(answer, (200, "app1".to_string()));
    assert_eq!(vipd.exit_code(), Some(0));
}

#[test]
fn the_grace_period_ends_and_so_does_the_patience_of_the_operator() {
    for (grace, signals) in [("200ms", 1), ("1h", 2)] {
        let world = World::new();
        let app = App::start(&world, "app1");
        let mut vipd = Vipd::start(&world, &pool(&world, &[&app], &format!("grace = \"{grace}\"")));
        vipd.report_with("app1 up", |report| report.pools[0].healthy == 1);
        let front = world.front();
        let held = std::thread::spawn(move || http::get(front, "/hold"));
        app.wait_until_holding();
        vipd.signal(Signal::SIGINT);
        vipd.report_with("no listener", |report| !report.listening);
        if signals == 2 {
            vipd.signal(Signal::SIGINT);
        }
        assert_eq!(vipd.exit_code(), Some(0), "grace {grace}, {signals} signals");
        assert_eq!(held.join().expect("no panic"), None, "its connection was cut");
        app.release();
    }
}

#[test]
fn without_an_agent_it_serves_and_tells_the_agent_when_it_comes() {
    let world = World::new();
    let app = App::start(&world, "app1");
    let mut vipd = Vipd::start_alone(&world, &pool(&world, &[&app], ""));
    while world.get("/").is_none_or(|(status, _)| status != 200) {
        std::thread::yield_now();
    }
    vipd.meet(world.agent());
    vipd.report_with("app1 up", |report| report.listening && report.pools[0].healthy == 1);
}

/// The fields of `/proc/PID/status`.
fn status_of(pid: u32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.expect("the kernel tells it").trim().replace('\t', " ")
}

/// Whether our user namespace has this user (user_namespaces(7), `uid_map`: first inside, first outside, length).
fn is_mapped(uid: u32) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").expect("procfs is mounted");
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        numbers[0] <= u64::from(uid) && u64::from(uid) < numbers[0] + numbers[2]
    })
}

/// CAP_NET_BIND_SERVICE alone (linux/capability.h).
const BIND_ONLY: &str = "0000000000000400";
const NONE: &str = "0000000000000000";

#[test]
fn started_by_root_it_keeps_the_right_to_bind_low_ports_and_nothing_else() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root has rights to give up");
        return;
    }
    let nobody = User::from_name("nobody").expect("a user database").expect("nobody is there");
    // In a user namespace that has no other user, it stays who it is.
    let changed = if is_mapped(nobody.uid.as_raw()) { nobody.uid.as_raw() } else { 0 };
    for (user, uid) in [("nobody", changed), ("no-such-user", 0)] {
        let world = World::new();
        let app = App::start(&world, "app1");
        let vipd = Vipd::start(&world, &pool(&world, &[&app], &format!("user = \"{user}\"")));
        vipd.report_with("app1 up", |report| report.listening && report.pools[0].healthy == 1);
        let pid = vipd.pid();
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            assert_eq!(status_of(pid, set), BIND_ONLY, "{set} as {user}");
        }
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(status_of(pid, set), NONE, "{set} as {user}");
        }
        assert_eq!(status_of(pid, "NoNewPrivs"), "1");
        assert_eq!(status_of(pid, "Uid"), [uid; 4].map(|uid| uid.to_string()).join(" "));
        if uid != 0 {
            assert_eq!(
                status_of(pid, "Groups"),
                nobody.gid.as_raw().to_string(),
                "no group of root's is left"
            );
        }
        for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("it runs") {
            let thread = thread.expect("it runs").path().join("status");
            let status = fs::read_to_string(thread).expect("it runs");
            assert!(status.contains(&format!("CapEff:\t{BIND_ONLY}")), "{status}");
            assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        }
        assert_eq!(world.get("/").expect("it listens on port 80").0, 200);
    }
}

#[test]
fn it_ends_with_its_parent() {
    let world = World::new();
    let app = App::start(&world, "app1");
    let config = world.dir().join("vipd.toml");
    fs::write(&config, pool(&world, &[&app], "")).expect("the directory is ours");
    let agent = world.agent();
    // A shell that starts the proxy and stays.
    let mut shell = Command::new("sh")
        .args(["-c", "\"$@\" & wait", "sh", env!("CARGO_BIN_EXE_vipd"), "proxy", "--config"])
        .arg(&config)
        .args(["--node", "lb1", "--runtime-dir"])
        .arg(world.dir())
        .stdin(Stdio::null())
        .spawn()
        .expect("there is a shell");
    while !matches!(agent.next(), Said::Report(report) if report.listening) {}
    shell.kill().expect("it runs");
    shell.wait().expect("it was started");
    while !matches!(agent.next(), Said::Closed) {}
}

#[test]
fn a_child_that_comes_after_the_death_of_its_parent_does_nothing() {
    let world = World::new();
    let app = App::start(&world, "app1");
    let mut child = Vipd::command(&world)
        // The largest number that a pid can never be.
        .env("VIPD_PARENT_PID", i32::MAX.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let config = pool(&world, &[&app], "");
    child.stdin.take().expect("it is piped").write_all(config.as_bytes()).expect("it reads its config");
    assert_eq!(child.wait().expect("it was started").code(), Some(0));
}
