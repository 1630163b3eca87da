//! TLS as clients and servers meet it: `openssl s_client`, curl and rustls before a real `vipd proxy`, servers in TLS
//! behind it.

#[expect(dead_code, reason = "shared with the tests of the proxy process")]
#[path = "control/app.rs"]
mod app;
#[path = "control/http.rs"]
mod http;
#[expect(dead_code, reason = "shared with the tests of exhaustion")]
#[path = "control/logged.rs"]
mod logged;
#[path = "tls/origin.rs"]
mod origin;
#[path = "tls/paper.rs"]
mod paper;
#[expect(dead_code, reason = "shared with the tests of the proxy process")]
#[path = "control/process.rs"]
mod process;
#[path = "tls/reload.rs"]
mod reload;
#[path = "tls/rig.rs"]
mod rig;
#[path = "tls/servers.rs"]
mod servers;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use app::App;
use paper::{Authority, place};
use process::{Vipd, World};
use rig::{LAST, Proxy, ask, believing, config, connect, pair, run, s_client, site};

fn front(world: &World, nth: u16) -> SocketAddr {
    (world.address(), 8443 + nth).into()
}

#[test]
fn versions_and_protocols_are_agreed_to_as_the_config_says() {
    let world = World::new();
    let authority = Authority::new("root");
    let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let (open, strict) = (front(&world, 0), front(&world, 1));
    let app = origin::plain();
    let text = site("web", open, &pair(&site_a, ""), app, "")
        + &site("strict", strict, &pair(&site_a, ", min_version = \"1.3\""), app, "");
    let _proxy = Proxy::start(&world, &config(&text));

    let agreed = |address, arguments: &[&str]| {
        let said = s_client(address, arguments);
        let answered = said.contains("HTTP/1.1 200 OK");
        let version =
            ["TLSv1.2", "TLSv1.3"].into_iter().find(|version| said.contains(&format!("New, {version}")));
        assert_eq!(answered, version.is_some(), "{said}");
        version
    };
    assert_eq!(agreed(open, &["-tls1_3"]), Some("TLSv1.3"));
    assert_eq!(agreed(open, &["-tls1_2"]), Some("TLSv1.2"));
    assert_eq!(agreed(open, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]), None);
    assert_eq!(agreed(strict, &[]), Some("TLSv1.3"));
    let refused = s_client(strict, &["-tls1_2"]);
    assert!(refused.contains("alert protocol version"), "{refused}");

    let both = s_client(open, &["-alpn", "h2,http/1.1"]);
    assert!(both.contains("ALPN protocol: h2"), "{both}");
    let one = s_client(open, &["-alpn", "http/1.1"]);
    assert!(one.contains("ALPN protocol: http/1.1") && one.contains("200 OK"), "{one}");
    let url = format!("https://{open}/x");
    let curl = std::process::Command::new("curl").args(["-k", "-sS", "-i", "--http2", &url]).output();
    let text = String::from_utf8(curl.expect("curl is installed").stdout).expect("text");
    assert!(text.starts_with("HTTP/2 200"), "{text}");
    let none = s_client(open, &["-alpn", "h3"]);
    assert!(none.contains("alert no application protocol"), "{none}");
}

#[test]
fn the_name_that_is_asked_for_picks_the_certificate() {
    let world = World::new();
    let authority = Authority::new("root");
    let names: [&[&str]; 3] = [&["a.example.com"], &["b.example.com"], &["*.example.org", "b.example.org"]];
    let files = names.map(|names| authority.sign(names).put(world.dir(), &names[0].replace('*', "star")));
    let list: Vec<_> = files
        .iter()
        .map(|(certificate, key)| format!("{{ certificate = {certificate:?}, key = {key:?} }}"))
        .collect();
    let tls = format!("tls = {{ certificates = [{}] }}", list.join(", "));
    let front = front(&world, 0);
    let _proxy = Proxy::start(&world, &config(&site("web", front, &tls, origin::plain(), "")));

    let shown = |arguments: &[&str]| {
        let said = s_client(front, arguments);
        let subject =
            said.lines().find_map(|line| line.trim().strip_prefix("subject=CN = ").map(str::to_owned));
        subject.unwrap_or_else(|| panic!("no subject in {said}"))
    };
    assert_eq!(shown(&["-servername", "a.example.com"]), "a.example.com");
    assert_eq!(shown(&["-servername", "B.example.com"]), "b.example.com");
    assert_eq!(shown(&["-servername", "www.example.org"]), "*.example.org");
    assert_eq!(shown(&["-servername", "a.b.example.org"]), "a.example.com");
    assert_eq!(shown(&["-servername", "elsewhere.example"]), "a.example.com");
    assert_eq!(shown(&["-noservername"]), "a.example.com");
}

#[test]
fn clients_show_certificates_where_they_are_asked_to() {
    let world = World::new();
    let (authority, clients, strangers) =
        (Authority::new("root"), Authority::new("clients"), Authority::new("strangers"));
    let ca = authority.file(world.dir(), "root.pem").display().to_string();
    let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let client_ca = clients.file(world.dir(), "clients.pem");
    let (known, stranger) =
        (clients.sign(&["joe"]).put(world.dir(), "joe"), strangers.sign(&["eve"]).put(world.dir(), "eve"));
    let (required, optional) = (front(&world, 0), front(&world, 1));
    let app = origin::plain();
    let asking = format!(", client_ca = {client_ca:?}");
    let text = site("web", required, &pair(&site_a, &asking), app, "")
        + &site("lenient", optional, &pair(&site_a, &format!("{asking}, client = \"optional\"")), app, "");
    let _proxy = Proxy::start(&world, &config(&text));

    let curl = |address: SocketAddr, with: Option<&(std::path::PathBuf, std::path::PathBuf)>| {
        let (port, resolve) = (address.port(), format!("a.example.com:{}:{}", address.port(), address.ip()));
        let url = format!("https://a.example.com:{port}/");
        let mut arguments = vec!["-sS", "--cacert", &ca, "--resolve", &resolve, &url];
        let files =
            with.map(|(certificate, key)| (certificate.display().to_string(), key.display().to_string()));
        if let Some((certificate, key)) = &files {
            arguments.extend(["--cert", certificate, "--key", key]);
        }
        run("curl", &arguments, "").0
    };
    assert!(curl(required, Some(&known)));
    assert!(!curl(required, None));
    assert!(!curl(required, Some(&stranger)));
    assert!(curl(optional, Some(&known)));
    assert!(curl(optional, None));
    assert!(!curl(optional, Some(&stranger)));
}

/// Two nodes: whichever answers after a takeover resumes what the other began.
#[test]
fn a_session_is_resumed_by_another_node_that_shares_the_ticket_keys() {
    let (one, other, alone) = (World::new(), World::new(), World::new());
    let authority = Authority::new("root");
    let app = origin::plain();
    let (first, second) = ("11".repeat(48), "22".repeat(48));
    let client_ca = authority.file(one.dir(), "clients.pem");
    let start = |world: &World, keys: Option<String>| {
        let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
        let asking = format!(", client_ca = {client_ca:?}, client = \"optional\"");
        let mut text = site("web", front(world, 0), &pair(&site_a, ""), app, "")
            + &site("strict", front(world, 1), &pair(&site_a, &asking), app, "");
        if let Some(keys) = keys {
            let keys = place(&world.dir().join("tickets"), &keys);
            text += &format!("[tls]\nticket_keys = {keys:?}");
        }
        Proxy::start(world, &config(&text))
    };
    // The other node seals with a newer key already.
    let _one = start(&one, Some(format!("{first}\n{second}\n")));
    let _other = start(&other, Some(format!("{second}\n{first}\n")));
    let _alone = start(&alone, None);

    for version in ["-tls1_3", "-tls1_2"] {
        let session = one.dir().join("session").display().to_string();
        let begun = s_client(front(&one, 0), &[version, "-sess_out", &session]);
        assert!(begun.contains("New, TLS") && begun.contains("200 OK"), "{begun}");
        let resumes = |address| {
            let said = s_client(address, &[version, "-sess_in", &session]);
            assert!(said.contains("200 OK"), "{said}");
            said.contains("Reused, TLS")
        };
        assert!(resumes(front(&one, 0)), "by the same node");
        assert!(resumes(front(&other, 0)), "by the other node");
        assert!(!resumes(front(&alone, 0)), "by a node with keys of its own");
        assert!(!resumes(front(&other, 1)), "where other terms hold");
    }
}

#[test]
fn servers_learn_that_the_client_came_by_tls_and_bodies_pass_whole() {
    let world = World::new();
    let authority = Authority::new("root");
    let ca = believing(&authority.file(world.dir(), "root.pem"));
    let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let front = front(&world, 0);
    let sticky = "sticky = { cookie = \"VIPD\" }";
    let _proxy =
        Proxy::start(&world, &config(&site("web", front, &pair(&site_a, ""), origin::plain(), sticky)));

    // To the orderly end: a reader of TLS fails when there is none.
    let answer = ask(front, &ca, LAST).expect("an orderly end");
    assert!(answer.contains("X-Forwarded-Proto: https\r\n"), "{answer}");
    let cookie = answer.lines().find(|line| line.starts_with("Set-Cookie: VIPD=")).expect("a cookie");
    assert!(cookie.contains("; Secure"), "{cookie}");

    for size in [0, 1, 16_383, 16_384, 100_000, 3_000_000] {
        let body = "x".repeat(size);
        let request = format!(
            "POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n{body}"
        );
        let answer = ask(front, &ca, &request).expect("an orderly end");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{size} bytes came back as {}", answer.len());
    }

    // Several requests on one connection, some of them at once.
    let mut stream = connect(front, &ca, "a.example.com");
    let one = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
    for requests in [one.to_owned(), one.repeat(3), one.replace("Host: h", "Host: h\r\nConnection: close")] {
        stream.write_all(requests.as_bytes()).expect("it reads");
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("an orderly end");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 5, "{answers}");
}

#[test]
fn plain_http_on_a_port_of_tls_is_told_so() {
    let world = World::new();
    let authority = Authority::new("root");
    let ca = believing(&authority.file(world.dir(), "root.pem"));
    let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let front = front(&world, 0);
    let _proxy = Proxy::start(&world, &config(&site("web", front, &pair(&site_a, ""), origin::plain(), "")));

    let plain = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(front).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        let mut answer = Vec::new();
        // It may as well reset what it cannot read.
        let _ = stream.read_to_end(&mut answer);
        answer
    };
    let answer = String::from_utf8(plain(LAST.as_bytes())).expect("text");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("plain HTTP was sent to a port of HTTPS\n"), "{answer}");
    // Neither is what is no HTTP either, and nothing of it lasts.
    assert!(!plain(b"\x00\x01\x02 nonsense").starts_with(b"HTTP"));
    assert!(ask(front, &ca, LAST).expect("served").contains("200 OK"));
}

#[test]
fn what_a_client_breaks_off_is_not_taken_for_whole() {
    let world = World::new();
    let authority = Authority::new("root");
    let ca = believing(&authority.file(world.dir(), "root.pem"));
    let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let front = front(&world, 0);
    let (app, heard) = origin::listener();
    let tls = format!("mode = \"tcp\"\n{}", pair(&site_a, ""));
    let _proxy = Proxy::start(&world, &config(&site("web", front, &tls, app, "")));

    let mut whole = connect(front, &ca, "a.example.com");
    whole.write_all(b"all of it").expect("it reads");
    whole.conn.send_close_notify();
    whole.flush().expect("it reads");
    assert_eq!(heard.recv().expect("the server hears it"), Ok(b"all of it".to_vec()));

    let mut cut = connect(front, &ca, "a.example.com");
    cut.write_all(b"part of it").expect("it reads");
    cut.sock.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(heard.recv().expect("the server hears it"), Err(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn files_that_cannot_be_used_are_said_before_anything_listens() {
    let world = World::new();
    let authority = Authority::new("root");
    let (a, b) = (authority.sign(&["a.example.com"]), authority.sign_until(&["b.example.com"], 2021));
    let (certificate, _) = a.put(world.dir(), "a");
    let (old, key) = b.put(world.dir(), "b");
    let front = front(&world, 0);
    let with = |files: &(std::path::PathBuf, std::path::PathBuf)| {
        config(&site("web", front, &pair(files, ""), origin::plain(), ""))
    };
    let mismatch = with(&(certificate, key.clone()));
    let mut proxy = Proxy::spawn(&world, &mismatch);
    proxy.says("b.key: its key does not belong to the certificate of");
    assert_eq!(proxy.exit_code(), Some(78));

    let check = |text: &str| {
        let file = world.dir().join("vipd.toml");
        fs::write(&file, text).expect("the directory is ours");
        let vipd = env!("CARGO_BIN_EXE_vipd");
        run(vipd, &["check", "--config", &file.display().to_string(), "--node", "lb1"], "")
    };
    let (fine, said) = check(&mismatch);
    assert!(!fine && said.contains("its key does not belong to the certificate of"), "{said}");
    let (fine, said) = check(&with(&(old, key)));
    assert!(fine && said.contains("its certificate expired on 2021-01-01"), "{said}");
}

#[test]
fn a_client_that_leaves_the_queue_is_told_from_one_that_has_only_finished_speaking() {
    let world = World::new();
    let authority = Authority::new("root");
    let ca = believing(&authority.file(world.dir(), "root.pem"));
    let site_a = authority.sign(&["a.example.com"]).put(world.dir(), "a");
    let front = front(&world, 0);
    let app = App::start(&world, "app1");
    let queue = "queue = { length = 5, timeout = \"1h\" }";
    let text = site("web", front, &pair(&site_a, ""), app.address, queue);
    let text = text.replace("name = \"app1\"", "name = \"app1\", max_connections = 1");
    let vipd = Vipd::start(&world, &config(&text));
    vipd.report_with("the listeners open", |report| report.listening);
    let asks = |path: &str| {
        let mut client = connect(front, &ca, "a.example.com");
        client.write_all(LAST.replace("/x", path).as_bytes()).expect("it reads");
        client
    };
    let _first = asks("/hold");
    app.wait_until_holding();

    let leaving = asks("/left");
    vipd.report_with("one who waits", |report| report.pools[0].queued == 1);
    drop(leaving);
    let report = vipd.report_with("nobody who waits", |report| report.pools[0].queued == 0);
    assert_eq!((report.frontends[0].left, report.frontends[0].errors), (1, 0));

    let mut waiting = asks("/half");
    vipd.report_with("another one", |report| report.pools[0].queued == 1);
    waiting.conn.send_close_notify();
    waiting.flush().expect("it reads");
    let mut interim = [0; 25];
    waiting.read_exact(&mut interim).expect("it is asked");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    app.release();
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("app1"), "{answer}");
}
