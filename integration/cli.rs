//! The command line as a user meets it: the built binary, its exit codes and its words.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use vipd::event::{Event, Stamped};
use vipd::link::{AgentStatus, FrontendMaintenance, MaintenanceStatus, Reply, Request, Status, frame};

const LAB: &str = include_str!("../config/lab.toml");

/// A directory of this test alone, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vipd-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file for the test");
        path
    }

    /// The lab's config on the one interface that every machine has.
    fn config(&self) -> String {
        self.file("vipd.toml", &LAB.replace("\"eth0\"", "\"lo\"")).display().to_string()
    }

    fn dir(&self) -> &str {
        self.0.to_str().expect("the path of a test is text")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _already_gone = std::fs::remove_dir_all(&self.0);
    }
}

/// `vipd` in an environment that says nothing.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
    command.args(arguments).stdin(Stdio::null());
    for variable in ["VIPD_CONFIG", "VIPD_NODE", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    command
}

fn vipd(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    let (out, error) = (words(&output.stdout), words(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{error}");
}

#[test]
fn help_and_version_are_no_failure_and_a_wrong_command_line_is_64() {
    for arguments in [&["--help"][..], &["-h"], &["--version"], &["status", "--help"], &["proxy", "--help"]] {
        let output = vipd(arguments);
        assert_exit(&output, 0);
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [
        &[][..],
        &["nonsense"],
        &["--nonsense"],
        &["status", "--nonsense"],
        &["check", "more"],
        &["handover", "--router"],
        &["maintenance"],
        &["maintenance", "on"],
        &["maintenance", "maybe", "web"],
        &["maintenance", "on", "web", "--all"],
        &["lab", "--advert-interval", "5ms"],
        &["lab", "--advert-interval", "100"],
    ] {
        let output = vipd(arguments);
        assert_exit(&output, 64);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn only_the_commands_that_exist_are_listed_and_each_help_says_its_exit_codes() {
    let help = words(&vipd(&["--help"]).stdout);
    for listed in ["run", "check", "status", "handover", "maintenance", "release", "lab"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{listed} "))),
            "{listed}:\n{help}"
        );
        let of_command = words(&vipd(&[listed, "--help"]).stdout);
        assert!(of_command.contains("Exit codes:"), "{listed}:\n{of_command}");
    }
    for unlisted in ["  proxy ", "  reload ", "  events ", "  server ", "  completions ", "  man ", "  help "]
    {
        assert!(!help.contains(unlisted), "{unlisted}:\n{help}");
    }
}

#[test]
fn a_valid_config_is_0_also_with_the_options_in_front() {
    let place = Place::new("valid");
    let config = place.config();
    for arguments in [
        &["check", "--config", &config, "--node", "lb1"][..],
        &["--config", &config, "--node", "lb1", "check"],
        &["--config", &config, "check", "--node", "lb1", "--runtime-dir", "/nowhere"],
    ] {
        let output = vipd(arguments);
        assert_exit(&output, 0);
        let expected = "2 nodes, 1 virtual router, 2 frontends, 2 pools, 6 servers; this machine is lb1\n";
        assert!(words(&output.stdout).ends_with(expected), "{}", words(&output.stdout));
        assert_eq!(words(&output.stderr), "");
    }
    let by_variable = command(&["check"]).env("VIPD_CONFIG", &config).env("VIPD_NODE", "lb2").output();
    let by_variable = by_variable.expect("the binary runs");
    assert_exit(&by_variable, 0);
    assert!(words(&by_variable.stdout).ends_with("this machine is lb2\n"));
}

#[test]
fn show_prints_a_config_that_is_valid_and_the_same() {
    let place = Place::new("show");
    let shown = vipd(&["check", "--show", "--config", &place.config(), "--node", "lb1"]);
    assert_exit(&shown, 0);
    let text = words(&shown.stdout);
    assert!(
        text.contains("advert_interval = \"100ms\"") && text.contains("response_timeout = \"30s\""),
        "{text}"
    );
    let parse = |text: &str| vipd::config::parse("shown", text).expect("a valid config").config;
    assert_eq!(parse(&text), parse(&LAB.replace("\"eth0\"", "\"lo\"")));
}

#[test]
fn everything_wrong_is_shown_at_once_with_the_interface_and_exit_78() {
    let place = Place::new("wrong");
    let wrong = LAB
        .replace("\"eth0\"", "\"nosuch0\"")
        .replacen("priority", "prioritty", 1)
        .replace("10.77.0.100/24", "10.77.0.100/99")
        .replace("pool = \"api\"", "pool = \"apis\"");
    let config = place.file("vipd.toml", &wrong).display().to_string();
    let output = vipd(&["check", "--config", &config, "--node", "lb1"]);
    assert_exit(&output, 78);
    let said = words(&output.stderr);
    for part in [
        "unknown key `prioritty` in [[node]]",
        &format!("{config}:6:1"),
        "did you mean `priority`?",
        "this machine has no interface `nosuch0`",
        "`/99` is no prefix length of IPv4",
        "addresses       = [\"10.77.0.100/99\"]",
        "there is no pool `apis`",
        "did you mean \"api\"?",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "colours in a pipe:\n{said}");
    assert_eq!(words(&output.stdout), "");
    assert_exit(&vipd(&["run", "--config", &config, "--node", "lb1"]), 78);
}

#[test]
fn a_machine_that_is_no_node_can_check_but_not_run() {
    let place = Place::new("stranger");
    let (config, elsewhere) =
        (place.config(), LAB.replace("10.77.0", "198.51.100").replace("lb", "node-of-elsewhere-"));
    let elsewhere =
        place.file("elsewhere.toml", &elsewhere.replace("\"eth0\"", "\"nosuch0\"")).display().to_string();
    let output = vipd(&["check", "--config", &elsewhere]);
    assert_exit(&output, 0);
    let said = words(&output.stderr);
    assert!(said.starts_with("note: interfaces were not checked: this machine is no node"), "{said}");
    assert!(said.contains("node-of-elsewhere-1 (198.51.100.1)"), "{said}");
    assert_exit(&vipd(&["run", "--config", &elsewhere]), 78);

    let mistyped = vipd(&["check", "--config", &config, "--node", "lb11"]);
    assert_exit(&mistyped, 78);
    assert!(words(&mistyped.stderr).contains("did you mean `lb1`?"), "{}", words(&mistyped.stderr));
}

#[test]
fn a_file_that_is_not_there_says_where_it_was_looked_for() {
    let output = vipd(&["check", "--config", "/nowhere/vipd.toml"]);
    assert_exit(&output, 78);
    assert!(words(&output.stderr).contains("cannot read /nowhere/vipd.toml"), "{}", words(&output.stderr));
}

#[test]
fn a_daemon_that_does_not_run_is_69_with_what_to_do() {
    let place = Place::new("absent");
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["status", "--watch"],
        &["handover", "--undo"],
        &["maintenance", "off", "--all"],
    ] {
        let output = vipd(&[arguments, &["--runtime-dir", place.dir()]].concat());
        assert_exit(&output, 69);
        let said = words(&output.stderr);
        assert!(
            said.contains("the daemon is not running") && said.contains("systemctl start vipd"),
            "{said}"
        );
    }
    // A socket that nobody listens on any more: the daemon was killed.
    drop(UnixListener::bind(place.0.join("agent.sock")).expect("a socket"));
    assert_exit(&vipd(&["status", "--runtime-dir", place.dir()]), 69);
}

#[test]
fn a_socket_that_may_not_be_used_is_77() {
    let place = Place::new("forbidden");
    let socket = place.0.join("agent.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o000)).expect("our own file");
    // Root may use any socket, so the command runs as nobody where it can.
    let mut status = command(&["status", "--runtime-dir", place.dir()]);
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        let binary = place.0.join("vipd");
        std::fs::copy(env!("CARGO_BIN_EXE_vipd"), &binary).expect("a copy that nobody can reach");
        for path in [&place.0, &binary] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("our own file");
        }
        status = Command::new(binary);
        status.args(["status", "--runtime-dir", place.dir()]).uid(65_534).gid(65_534);
    }
    // ETXTBSY: another test's child still has the copy open for writing, until its exec closes it.
    let output = loop {
        match status.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            output => break output.expect("the binary runs"),
        }
    };
    assert_exit(&output, 77);
    assert!(words(&output.stderr).contains("be root"), "{}", words(&output.stderr));
}

/// Plays the agent for one connection: takes `questions` requests and answers each with `answer`.
fn agent(
    place: &Place,
    questions: usize,
    answer: impl Fn(&Request) -> Vec<Reply> + Send + 'static,
) -> JoinHandle<Vec<Request>> {
    let listener = UnixListener::bind(place.0.join("agent.sock")).expect("a socket");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the command connects");
        let mut lines = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut heard = Vec::new();
        for _ in 0..questions {
            let mut line = Vec::new();
            lines.read_until(b'\n', &mut line).expect("the command asks");
            let request: Request = frame::decode(&line).expect("a request");
            for reply in answer(&request) {
                stream.write_all(&frame::encode(&reply)).expect("the command listens");
            }
            heard.push(request);
        }
        heard
    })
}

fn status() -> Status {
    Status {
        node: "lb1".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 1,
        started_ms: 0,
        agent: AgentStatus::default(),
        routers: Vec::new(),
        proxy: None,
        sweeps: 0,
        refused: vec![("wrong TTL".to_owned(), 3)],
    }
}

fn ask(place: &Path, arguments: &[&str]) -> Output {
    vipd(&[arguments, &["--runtime-dir", place.to_str().expect("text")]].concat())
}

#[test]
fn status_prints_what_the_agent_says_as_text_or_as_json() {
    let place = Place::new("status");
    let running = agent(&place, 1, |_| vec![Reply::Status(Box::new(status()))]);
    let output = ask(&place.0, &["status"]);
    assert_exit(&output, 0);
    assert_eq!(running.join().expect("the agent"), [Request::Status]);
    let text = words(&output.stdout);
    assert!(text.starts_with("node lb1  vipd 0.1.0") && text.ends_with("  3  wrong TTL\n"), "{text}");

    let place = Place::new("status-json");
    let running = agent(&place, 1, |_| vec![Reply::Status(Box::new(status()))]);
    let output = ask(&place.0, &["status", "--json"]);
    assert_exit(&output, 0);
    running.join().expect("the agent");
    assert_eq!(frame::decode::<Status>(&output.stdout), Ok(status()));
}

#[test]
fn watch_into_a_pipe_is_a_line_for_every_event_until_the_agent_ends() {
    let happened = || {
        let event = Event::ProxyReady { pid: 7 };
        Reply::Event(Stamped { at_ms: 1_000, node: "lb1".to_owned(), event })
    };
    let replies = move |_: &Request| vec![Reply::Status(Box::new(status())), happened(), happened()];
    let place = Place::new("watch");
    let running = agent(&place, 1, replies);
    let output = ask(&place.0, &["status", "--watch"]);
    assert_exit(&output, 69);
    assert_eq!(running.join().expect("the agent"), [Request::Watch]);
    assert_eq!(words(&output.stdout), "1970-01-01T00:00:01.000Z lb1 proxy listens, pid 7\n".repeat(2));

    let place = Place::new("watch-json");
    let running = agent(&place, 1, replies);
    let output = ask(&place.0, &["status", "--watch", "--json"]);
    assert_exit(&output, 69);
    running.join().expect("the agent");
    let lines: Vec<Reply> = output
        .stdout
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| frame::decode(line).expect("JSON"))
        .collect();
    assert_eq!(lines, replies(&Request::Watch));
}

#[test]
fn handover_says_what_was_done_or_why_not() {
    let place = Place::new("done");
    let running = agent(&place, 1, |_| vec![Reply::Done { message: "web: handed over".to_owned() }]);
    let output = ask(&place.0, &["handover", "--router", "web"]);
    assert_exit(&output, 0);
    assert_eq!(words(&output.stdout), "web: handed over\n");
    let asked = Request::Handover { router: Some("web".to_owned()), undo: false };
    assert_eq!(running.join().expect("the agent"), [asked]);

    let place = Place::new("refused");
    let running = agent(&place, 1, |_| vec![Reply::Refused { why: "no router `wbe`".to_owned() }]);
    let output = ask(&place.0, &["handover", "--undo"]);
    assert_exit(&output, 1);
    assert_eq!(words(&output.stderr), "error: no router `wbe`\n");
    assert_eq!(running.join().expect("the agent"), [Request::Handover { router: None, undo: true }]);
}

#[test]
fn maintenance_says_how_it_stands_here_and_that_the_other_node_does_not_know() {
    let front = |name: &str| FrontendMaintenance {
        name: name.to_owned(),
        tcp: false,
        maintenance: true,
        in_effect: true,
    };
    let stands = MaintenanceStatus {
        node: "lb1".to_owned(),
        frontends: vec![front("web"), front("api")],
        others: vec!["lb2".to_owned()],
    };
    let reply = |status: &MaintenanceStatus| {
        let status = status.clone();
        move |_: &Request| vec![Reply::Maintenance(status.clone())]
    };
    let place = Place::new("maintenance");
    let running = agent(&place, 1, reply(&stands));
    let output = ask(&place.0, &["maintenance", "on", "--all"]);
    assert_exit(&output, 0);
    let said = words(&output.stdout);
    assert!(said.starts_with("lb1: web answers with its maintenance page from now on\nlb1: api "), "{said}");
    assert!(said.contains("lb2 does not know of it"), "{said}");
    assert_eq!(
        running.join().expect("the agent"),
        [Request::Maintenance { frontends: Vec::new(), on: true }]
    );

    let place = Place::new("maintenance-json");
    let running = agent(&place, 1, reply(&stands));
    let output = ask(&place.0, &["maintenance", "off", "web", "api", "--json"]);
    assert_exit(&output, 0);
    assert_eq!(frame::decode::<MaintenanceStatus>(&output.stdout), Ok(stands));
    let frontends = vec!["web".to_owned(), "api".to_owned()];
    assert_eq!(running.join().expect("the agent"), [Request::Maintenance { frontends, on: false }]);

    for (name, code, answer) in [
        ("maintenance-refused", 1, Reply::Refused { why: "no such frontend".to_owned() }),
        ("maintenance-forbidden", 77, Reply::Forbidden { why: "only root".to_owned() }),
    ] {
        let place = Place::new(name);
        let running = agent(&place, 1, move |_| vec![answer.clone()]);
        assert_exit(&ask(&place.0, &["maintenance", "on", "web"]), code);
        running.join().expect("the agent");
    }
}

#[test]
fn a_maintenance_page_is_checked_and_named_where_the_config_names_it() {
    let place = Place::new("page");
    let page = place.file("sorry.html", "<h1>sorry</h1>");
    let path = page.to_str().expect("the path of a test is text");
    let front = format!("pool = \"web\"\nmaintenance = {{ page = {path:?} }}");
    let text = LAB.replace("\"eth0\"", "\"lo\"").replacen("pool = \"web\"", &front, 1);
    let config = place.file("vipd.toml", &text).display().to_string();
    let check = || vipd(&["check", "--config", &config, "--node", "lb1"]);
    assert_exit(&check(), 0);
    let says = |expected: &str| {
        let output = check();
        assert_exit(&output, 78);
        let said = words(&output.stderr);
        assert!(said.contains(expected) && said.contains("maintenance = {"), "{said}");
    };
    std::fs::write(&page, vec![b'x'; (256 << 10) + 1]).expect("our own file");
    says("is longer than 262144 bytes");
    std::fs::write(&page, b"\xff\xfe").expect("our own file");
    says("is not text");
    std::fs::remove_file(&page).expect("our own file");
    says("cannot be read: No such file");
}

#[test]
fn a_command_that_the_agent_forbids_is_77() {
    let place = Place::new("not-root");
    let running = agent(&place, 1, |_| vec![Reply::Forbidden { why: "only root may do that".to_owned() }]);
    let output = ask(&place.0, &["handover"]);
    assert_exit(&output, 77);
    assert_eq!(words(&output.stderr), "error: only root may do that\n");
    running.join().expect("the agent");
}

#[test]
fn an_answer_that_is_none_is_a_failure_that_names_the_agent() {
    let place = Place::new("strange");
    let running = agent(&place, 1, |_| vec![Reply::Done { message: String::new() }]);
    let output = ask(&place.0, &["status"]);
    assert_exit(&output, 1);
    running.join().expect("the agent");
    assert!(words(&output.stderr).contains("the agent behind"), "{}", words(&output.stderr));
}

#[test]
fn key_files_are_checked_where_they_are_used_and_no_key_is_shown() {
    let place = Place::new("keys");
    let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let keys = place.file("keys", &format!("1 {key}\n3 {key}\n"));
    let path = keys.to_str().expect("the path of a test is text");
    let auth = format!("vrid = 51\nauth = {{ key_file = {path:?}, active = 2 }}");
    let text = LAB.replace("\"eth0\"", "\"lo\"").replace("vrid            = 51", &auth);
    let config = place.file("vipd.toml", &text).display().to_string();
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&keys, permissions).expect("our own file");
    };
    let check = || vipd(&["check", "--config", &config, "--node", "lb1"]);
    let says = |output: &Output, expected: &str| {
        assert_exit(output, 78);
        let said = words(&output.stderr);
        assert!(said.contains(expected) && said.contains("auth = {"), "{said}");
        assert!(!said.contains("0a0b"), "{said}");
    };

    mode(0o644);
    says(&check(), &format!("{path} has mode 0644, so others have access: `chmod 600 {path}`"));
    mode(0o600);
    says(&check(), &format!("`active` is 2, and {path} has no key 2, only 1, 3"));
    says(&vipd(&["run", "--config", &config, "--node", "lb1"]), "has no key 2");
    place.file("keys", &format!("1 {key}\n2 {}\nx {key}\n", &key[1..]));
    says(&check(), &format!("{path}: line 2: the key has 63 digits, an odd number: one is missing"));
    says(&check(), &format!("{path}: line 3: the first word is a key's id, 1 to 255"));
    place.file("keys", &format!("2 {key}\n"));
    assert_exit(&check(), 0);
    std::fs::remove_file(&keys).expect("removed");
    says(&check(), &format!("{path} cannot be read: No such file"));
    // A machine that is none of the nodes has no keys, and needs none to check the config.
    let elsewhere =
        place.file("elsewhere.toml", &text.replace("10.77.0", "198.51.100").replace("lb", "other"));
    assert_exit(&vipd(&["check", "--config", &elsewhere.display().to_string()]), 0);
}
