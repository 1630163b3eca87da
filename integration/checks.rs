//! Health checks of real servers: Nginx, Redis and PostgreSQL as Debian ships them, a gRPC server and a program. Each
//! test runs a real `vipd proxy`, and looks at what it reports.

#[expect(dead_code, reason = "shared with the tests of the proxy process")]
#[path = "control/app.rs"]
mod app;
#[path = "checks/grpc.rs"]
mod grpc;
#[path = "control/http.rs"]
mod http;
#[expect(dead_code, reason = "shared with the tests of the proxy process")]
#[path = "control/process.rs"]
mod process;
#[path = "checks/real.rs"]
mod real;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use nix::unistd::geteuid;
use vipd::link::{Report, ServerReport, ServerState};

use app::App;
use process::{Vipd, World};
use real::{Nginx, Postgres, Redis};

/// A pool: its name, its check, and its servers by name and port.
type Pool<'a> = (&'a str, &'a str, &'a [(&'a str, u16)]);

/// A config of these pools, each check every 100 ms.
fn config(world: &World, pools: &[Pool<'_>]) -> String {
    let mut text = String::from(
        r#"
        node = [{ name = "lb1", address = "10.77.0.1", priority = 200 }]
        vrrp = [{ name = "web", interface = "lo", vrid = 51, addresses = ["10.77.0.100/24"] }]
        proxy = { threads = 1, user = "nobody" }
        "#,
    );
    for (nth, (name, check, servers)) in pools.iter().enumerate() {
        let address = world.address();
        let server =
            |(name, port): &(&str, u16)| format!("{{ name = \"{name}\", address = \"{address}:{port}\" }}");
        let servers: Vec<_> = servers.iter().map(server).collect();
        text += &format!(
            r#"
            [[frontend]]
            name = "{name}"
            bind = ["{address}:{port}"]
            pool = "{name}"
            [[pool]]
            name = "{name}"
            check = {{ {check}, interval = "100ms", timeout = "5s", rise = 1, fall = 1 }}
            server = [{servers}]
            "#,
            port = if nth == 0 { usize::from(world.front().port()) } else { 20_000 + nth },
            servers = servers.join(", ")
        );
    }
    text
}

fn server<'a>(report: &'a Report, pool: &str, server: &str) -> &'a ServerReport {
    let pool = report.pools.iter().find(|it| it.name == pool).expect("the pool is in the config");
    pool.servers.iter().find(|it| it.name == server).expect("the server is in the config")
}

/// Waits until each of these servers stands so, for a reason that begins like this.
fn wait_for(vipd: &Vipd, wanted: &[(&str, &str, ServerState, &str)]) -> Report {
    vipd.report_with(&format!("{wanted:?}"), |report| {
        wanted.iter().all(|(pool, name, state, reason)| {
            let server = server(report, pool, name);
            server.state == *state && server.reason.starts_with(reason)
        })
    })
}

const UP: ServerState = ServerState::Up;
const DOWN: ServerState = ServerState::Down;

/// The check whose X-Probe is `kept` keeps its connection: Nginx numbers the connections, and the requests on each. The
/// protocol of each of five requests.
fn keeps_its_connection(vipd: &Vipd, nginx: &Nginx) -> Vec<String> {
    let kept = || {
        nginx.log().lines().filter(|line| line.starts_with("kept ")).map(str::to_owned).collect::<Vec<_>>()
    };
    vipd.report_with("five checks", |_| kept().len() >= 5);
    let kept = &kept()[..5];
    let column = |nth: usize| kept.iter().filter_map(move |line| line.split(' ').nth(nth).map(str::to_owned));
    assert_eq!(column(1).collect::<std::collections::BTreeSet<_>>().len(), 1, "{kept:?}");
    column(3).collect()
}

#[test]
fn nginx_is_asked_by_http_and_says_what_it_is_called() {
    let world = World::new();
    let nginx = Nginx::start(&world);
    let app: &[(&str, u16)] = &[("app1", real::HTTP)];
    let config = config(
        &world,
        &[
            ("json", r#"http = "/health", request_headers = { "X-Probe" = "kept" }"#, app),
            ("sick", r#"http = "/sick""#, app),
            ("common", r#"http = "/common""#, app),
            ("body", r#"http = "/health", body = "us-east", expect_headers = { "X-Ready" = "yes" }"#, app),
            ("other", r#"http = "/health", body = "us-west""#, app),
            ("head", r#"http = "/health", method = "HEAD""#, app),
            ("lost", r#"http = "/nowhere""#, app),
        ],
    );
    let vipd = Vipd::start(&world, &config);
    let report = wait_for(
        &vipd,
        &[
            ("json", "app1", UP, "HTTP 200, healthy in "),
            ("sick", "app1", DOWN, "its status is \"overloaded\", not \"healthy\""),
            ("common", "app1", DOWN, "its status is \"unhealthy\", not \"healthy\""),
            ("body", "app1", UP, "HTTP 200, healthy in "),
            ("other", "app1", DOWN, "HTTP 200, but \"us-west\" is not in its body"),
            ("head", "app1", UP, "HTTP 200 in "),
            ("lost", "app1", DOWN, "HTTP 404, expected 200-399"),
        ],
    );
    assert_eq!(server(&report, "json", "app1").own_name.as_deref(), Some("us-east"));
    keeps_its_connection(&vipd, &nginx);
}

#[test]
fn nginx_is_asked_by_http2() {
    let world = World::new();
    let nginx = Nginx::start(&world);
    let clear: &[(&str, u16)] = &[("app1", real::H2)];
    let tls: &[(&str, u16)] = &[("app1", real::HTTPS)];
    let old: &[(&str, u16)] = &[("app1", real::HTTP)];
    let config = config(
        &world,
        &[
            ("clear", r#"http = "/health", h2 = true, request_headers = { "X-Probe" = "kept" }"#, clear),
            ("body", r#"http = "/health", h2 = true, body = "us-east", host = "app.example""#, clear),
            ("head", r#"http = "/health", h2 = true, method = "HEAD""#, clear),
            ("other", r#"http = "/health", h2 = true, expect_headers = { "X-Ready" = "no" }"#, clear),
            ("sick", r#"http = "/sick", h2 = true"#, clear),
            ("common", r#"http = "/common", h2 = true"#, clear),
            ("tls", r#"http = "/health", h2 = true, tls = { verify = "off" }"#, tls),
            ("old", r#"http = "/health", h2 = true"#, old),
        ],
    );
    let vipd = Vipd::start(&world, &config);
    let report = wait_for(
        &vipd,
        &[
            ("clear", "app1", UP, "HTTP 200, healthy in "),
            ("body", "app1", UP, "HTTP 200, healthy in "),
            ("head", "app1", UP, "HTTP 200 in "),
            ("other", "app1", DOWN, "HTTP 200, but X-Ready is \"yes\", not \"no\""),
            ("sick", "app1", DOWN, "its status is \"overloaded\", not \"healthy\""),
            ("common", "app1", DOWN, "its status is \"unhealthy\", not \"healthy\""),
            ("tls", "app1", UP, "HTTP 200, healthy in "),
            ("old", "app1", DOWN, "no HTTP/2: "),
        ],
    );
    assert_eq!(server(&report, "clear", "app1").own_name.as_deref(), Some("us-east"));
    let protocols = keeps_its_connection(&vipd, &nginx);
    assert!(protocols.iter().all(|protocol| protocol == "HTTP/2.0"), "{protocols:?}");
}

#[test]
fn nginx_shows_its_certificate() {
    let world = World::new();
    let nginx = Nginx::start(&world);
    let ca = nginx.certificate().display().to_string();
    let tls = |settings: &str| format!("tls = {{ verify = \"{ca}\", {settings} }}");
    let (named, wrong) = (tls("server_name = \"app.example\""), tls("server_name = \"other.example\""));
    let app: &[(&str, u16)] = &[("app1", real::HTTPS)];
    let plain: &[(&str, u16)] = &[("app1", real::HTTP)];
    let config = config(
        &world,
        &[
            ("https", &format!("http = \"/health\", {named}"), app),
            (
                "host",
                &format!("http = \"/health\", host = \"app.example:443\", tls = {{ verify = \"{ca}\" }}"),
                app,
            ),
            ("handshake", &named, app),
            ("anyone", "tls = { verify = \"off\" }", app),
            ("wrong", &wrong, app),
            ("system", "tls = { server_name = \"app.example\" }", app),
            ("plain", "tls = { verify = \"off\" }", plain),
        ],
    );
    let vipd = Vipd::start(&world, &config);
    wait_for(
        &vipd,
        &[
            ("https", "app1", UP, "HTTP 200, healthy in "),
            ("host", "app1", UP, "HTTP 200, healthy in "),
            ("handshake", "app1", UP, "connected by TLS in "),
            ("anyone", "app1", UP, "connected by TLS in "),
            ("wrong", "app1", DOWN, "no TLS: invalid peer certificate: certificate not valid for name"),
            ("plain", "app1", DOWN, "no TLS: "),
        ],
    );
    wait_for(&vipd, &[("system", "app1", DOWN, "")]);
}

#[test]
fn redis_is_asked_for_its_role() {
    let world = World::new();
    let mut master = Redis::start(&world, 6379, &[]);
    let address = world.address().to_string();
    let replica = Redis::start(&world, 6380, &["--replicaof", &address, "6379"]);
    let locked = Redis::start(&world, 6381, &["--requirepass", "secret"]);
    let password = world.dir().join("password");
    fs::write(&password, "secret\n").expect("the directory is ours");
    fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("it is ours");
    if geteuid().is_root() {
        chown(&password, Some(65_534), None).expect("it is ours");
    }
    let both: &[(&str, u16)] = &[("a", master.port), ("b", replica.port)];
    let one: &[(&str, u16)] = &[("c", locked.port)];
    let with_password = format!("redis = \"master\", password_file = {password:?}");
    let pools: &[Pool<'_>] = &[
        ("writers", "redis = \"master\"", both),
        ("readers", "redis = \"replica\"", both),
        ("any", "redis = \"any\"", both),
        ("open", &with_password, one),
        ("shut", "redis = \"master\"", one),
    ];
    let vipd = Vipd::start(&world, &config(&world, pools));
    wait_for(
        &vipd,
        &[
            ("writers", "a", UP, "a master in "),
            ("writers", "b", DOWN, "a replica, expected a master"),
            ("readers", "a", DOWN, "a master, expected a replica"),
            ("readers", "b", UP, "a replica in "),
            ("any", "a", UP, "PONG in "),
            ("any", "b", UP, "PONG in "),
            ("open", "c", UP, "a master in "),
            ("shut", "c", DOWN, "NOAUTH"),
        ],
    );
    master.stop();
    wait_for(
        &vipd,
        &[
            ("writers", "a", DOWN, "connection refused"),
            ("readers", "b", DOWN, "a replica whose link to its master is \"connect"),
            ("any", "b", UP, "PONG in "),
        ],
    );
    replica.say("REPLICAOF NO ONE");
    wait_for(&vipd, &[("writers", "b", UP, "a master in ")]);
}

#[test]
fn postgresql_is_asked_for_its_role() {
    let world = World::new();
    let mut primary = Postgres::primary(&world, 5432);
    let standby = primary.standby(&world, 5433);
    let both: &[(&str, u16)] = &[("a", primary.port), ("b", standby.port)];
    let pools: &[Pool<'_>] = &[
        ("writers", "postgres = \"primary\"", both),
        ("readers", "postgres = \"standby\"", both),
        ("any", "postgres = \"any\"", both),
        ("asked", "postgres = \"any\", user = \"asked\", database = \"postgres\"", both),
        ("locked", "postgres = \"primary\", user = \"asked\", database = \"postgres\"", both),
        ("nowhere", "postgres = \"primary\", database = \"nowhere\"", both),
    ];
    let vipd = Vipd::start(&world, &config(&world, pools));
    wait_for(
        &vipd,
        &[
            ("writers", "a", UP, "a primary in "),
            ("writers", "b", DOWN, "a standby, expected a primary"),
            ("readers", "a", DOWN, "a primary, expected a standby"),
            ("readers", "b", UP, "a standby in "),
            ("any", "a", UP, "logged in in "),
            ("asked", "a", UP, "it asks for a password in "),
            ("locked", "a", DOWN, "it asks for a password (SCRAM), which this check does not have"),
            ("nowhere", "a", DOWN, "database \"nowhere\" does not exist (3D000)"),
        ],
    );
    primary.stop();
    wait_for(&vipd, &[("writers", "a", DOWN, "connection refused"), ("any", "b", UP, "logged in in ")]);
    standby.promote();
    wait_for(
        &vipd,
        &[("writers", "b", UP, "a primary in "), ("readers", "b", DOWN, "a primary, expected a standby")],
    );
}

#[test]
fn a_server_that_fails_requests_is_left_out_without_a_check() {
    let world = World::new();
    let (mut app1, app2) = (App::start(&world, "app1"), App::start(&world, "app2"));
    let servers = [("app1", app1.address.port()), ("app2", app2.address.port())];
    let text = config(&world, &[("app", "tcp = true", &servers)]);
    let check = text.lines().find(|line| line.contains("check = ")).expect("it has a check");
    let text = text.replace(check, "passive = { errors = 3, eject = \"300ms\" }");
    let vipd = Vipd::start(&world, &text);
    wait_for(
        &vipd,
        &[("app", "app1", ServerState::Unchecked, ""), ("app", "app2", ServerState::Unchecked, "")],
    );
    app1.kill();
    // Each is answered: by the other server when the dead one comes first.
    let report = vipd.report_with("app1 left out", |report| {
        (0..8).for_each(|_| assert_eq!(world.get("/"), Some((200, "app2".to_owned()))));
        server(report, "app", "app1").state == ServerState::Ejected
    });
    assert!(server(&report, "app", "app1").reason.contains(" errors in a row, back in "));
    assert_eq!(report.pools[0].healthy, 1);
    app1.restart();
    vipd.report_with("app1 back", |report| {
        server(report, "app", "app1").state == ServerState::Unchecked
            && world.get("/").expect("it serves").1 == "app1"
    });
}

#[test]
fn a_grpc_server_says_which_services_serve() {
    let world = World::new();
    let port = grpc::start(world.address());
    let app: &[(&str, u16)] = &[("app1", port)];
    let pools: &[Pool<'_>] = &[
        ("whole", "grpc = \"\"", app),
        ("cart", "grpc = \"shop.Cart\"", app),
        ("search", "grpc = \"shop.Search\"", app),
        ("stranger", "grpc = \"shop.Stranger\"", app),
    ];
    let vipd = Vipd::start(&world, &config(&world, pools));
    wait_for(
        &vipd,
        &[
            ("whole", "app1", UP, "SERVING in "),
            ("cart", "app1", UP, "SERVING in "),
            ("search", "app1", DOWN, "NOT_SERVING"),
            ("stranger", "app1", DOWN, "it does not know this service (gRPC status 5)"),
        ],
    );
}

#[test]
fn a_program_is_run_as_the_user_of_the_proxy() {
    let world = World::new();
    let script = world.dir().join("check");
    let text = "#!/bin/sh\n[ \"$VIPD_SERVER\" = app1 ] && exec id -un\n\
                [ \"$VIPD_SERVER\" = app3 ] && exec sleep 1000\necho \"not $VIPD_ADDRESS\"\nexit 3\n";
    fs::write(&script, text).expect("the directory is ours");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("it is ours");
    let open = world.dir().join("open");
    fs::copy(&script, &open).expect("the directory is ours");
    fs::set_permissions(&open, Permissions::from_mode(0o757)).expect("it is ours");
    let servers: &[(&str, u16)] = &[("app1", 1), ("app2", 2)];
    let exec = |path: &std::path::Path| format!("exec = [{path:?}, \"a b\"]");
    let pools: &[Pool<'_>] = &[("run", &exec(&script), servers), ("refused", &exec(&open), servers)];
    let text = config(&world, pools);
    let hangs = [("hangs", &*exec(&script), &[("app3", 3)][..])];
    let slow = config(&world, &hangs).replace("timeout = \"5s\"", "timeout = \"200ms\"");
    let slow = &slow[slow.find("[[frontend]]").expect("it has one")..];
    let address = world.address();
    let vipd =
        Vipd::start(&world, &(text + &slow.replace(&world.front().to_string(), &format!("{address}:20100"))));
    let who = if geteuid().is_root() { "nobody" } else { "" };
    wait_for(
        &vipd,
        &[
            ("run", "app1", UP, &format!("exited with code 0: {who}")),
            ("run", "app2", DOWN, &format!("exited with code 3: not {address}:2")),
            ("refused", "app1", DOWN, &format!("{} is writable by everyone (mode 0757)", open.display())),
            ("hangs", "app3", DOWN, "timed out after 200 ms running"),
        ],
    );
}
