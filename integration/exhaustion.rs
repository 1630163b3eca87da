//! A proxy that runs out of files, and one that runs out of local ports, for real: it has said so before, what it has in
//! hand goes on, it does not spin, and everybody is served again when there is room.

#[expect(dead_code, reason = "shared with the tests of the proxy process")]
#[path = "control/app.rs"]
mod app;
#[path = "control/http.rs"]
mod http;
#[expect(dead_code, reason = "shared with the tests of TLS")]
#[path = "control/logged.rs"]
mod logged;
#[expect(dead_code, reason = "shared with the tests of the proxy process")]
#[path = "control/process.rs"]
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::slice;
use std::thread;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use socket2::{Domain, Socket, Type};
use tokio::time::Instant;
use vipd::lab::Netns;

use app::App;
use logged::Proxy;
use process::{Vipd, World};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(world: &World, apps: &[App], check: &str) -> String {
    let front = world.front();
    let server = |app: &App| format!("{{ name = \"{}\", address = \"{}\" }}", app.name, app.address);
    let servers = apps.iter().map(server).collect::<Vec<_>>().join(", ");
    format!(
        r#"
        node = [{{ name = "lb1", address = "10.77.0.1", priority = 200 }}]
        vrrp = [{{ name = "web", interface = "lo", vrid = 51, addresses = ["10.77.0.100/24"] }}]
        proxy = {{ threads = 2, user = "nobody" }}
        [[frontend]]
        name = "web"
        bind = ["{front}"]
        pool = "app"
        defer_accept = false
        [[pool]]
        name = "app"
        passive = "off"
        {check}
        server = [{servers}]
        "#
    )
}

/// A client; each has an address of its own, and so ports of its own.
struct Client(TcpStream);

impl Client {
    fn connect(world: &World, nth: u16) -> Self {
        let [high, low] = nth.to_be_bytes();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
        let own = Ipv4Addr::new(127, 90, high, low);
        // Without this the port is chosen before it is known to whom (ip(7)), and is lost to all who connect from
        // whatever address. The proxy never binds what it connects.
        setsockopt(&socket, IpBindAddressNoPort, &true).expect("Linux");
        socket.bind(&SocketAddr::from((own, 0)).into()).expect("all of 127.0.0.0/8 is here");
        socket.connect(&world.front().into()).expect("the kernel takes it");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        Self(stream)
    }

    fn ask(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        self.0.write_all(request.as_bytes()).expect("it is open");
    }

    fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).expect("an answer in time");
        answer
    }
}

/// Waits for something that has no other way to tell.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        thread::yield_now();
    }
}

fn open_files(proxy: &Proxy) -> usize {
    fs::read_dir(format!("/proc/{}/fd", proxy.pid())).map_or(0, Iterator::count)
}

/// CPU time of the proxy so far (proc_pid_stat(5)); a tick is 10 ms.
fn cpu(proxy: &Proxy) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).expect("it runs");
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A busy loop would take a whole processor.
fn does_not_spin(proxy: &Proxy) {
    let (before, begun) = (cpu(proxy), Instant::now());
    thread::sleep(Duration::from_secs(1));
    let (used, passed) = (cpu(proxy) - before, begun.elapsed());
    assert!(used < passed / 3, "{used:?} of {passed:?}");
    println!("at the limit: {used:?} of {passed:?}");
}

#[test]
fn files() {
    const FILES: usize = 200;
    let world = World::new();
    let app = App::start(&world, "app1");
    let (vipd, mut few) = (Vipd::command(&world), Command::new("prlimit"));
    few.arg(format!("--nofile={FILES}:{FILES}")).arg(vipd.get_program()).args(vipd.get_args());
    let check = r#"check = { tcp = true, interval = "100ms", rise = 1, fall = 1 }"#;
    let proxy = Proxy::spawn_by(few, &config(&world, slice::from_ref(&app), check));
    let line = proxy.says("open files are allowed");
    assert!(line.contains("WARN 200 open files are allowed"), "{line}");
    proxy.says("the proxy listens");
    proxy.says("app1 is up");

    let mut held = Client::connect(&world, 0);
    held.ask("/hold");
    app.wait_until_holding();
    // Others come and stay.
    let mut nth = 1;
    let mut idle = Vec::new();
    while open_files(&proxy) < FILES * 85 / 100 {
        let before = open_files(&proxy);
        idle.push(Client::connect(&world, nth));
        nth += 1;
        until("it is let in", || open_files(&proxy) > before);
    }
    let line = proxy.says("open files are in use");
    assert!(line.contains("WARN") && line.contains("of 200"), "{line}");
    assert!(open_files(&proxy) < FILES, "before it happens");

    // Twice as many as there is room for: the rest waits at the door.
    idle.extend((nth..).take(FILES).map(|nth| Client::connect(&world, nth)));
    // What it has inherited may have numbers beyond the limit.
    until("no file is left", || open_files(&proxy) >= FILES);
    // A server that could not be asked is not down.
    proxy.says("app1 could not be checked, its state stays as it is: too many open files on this node");
    does_not_spin(&proxy);
    // One who is inside and for whom there is no connection to a server.
    let mut refused = idle.remove(0);
    refused.ask("/");
    let answer = refused.answer();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    assert!(answer.contains("ran out of resources"), "{answer}");
    // And one whose request is on its way.
    app.release();
    let answer = held.answer();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("app1"), "{answer}");

    // Those at the door are let in when the others leave, and the last of them has its answer.
    let mut last = idle.pop().expect("there are many");
    last.ask("/");
    drop(idle);
    assert!(last.answer().starts_with("HTTP/1.1 200 "));
    for _ in 0..20 {
        assert_eq!(world.get("/"), Some((200, "app1".into())));
    }
    drop(last);
    until("all files are closed", || open_files(&proxy) < FILES / 2);
}

/// So few local ports in this network, until it is dropped: to end an application server takes one.
struct FewPorts;

impl FewPorts {
    const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

    fn set(ports: u16) -> Self {
        fs::write(Self::RANGE, format!("41000 {}", 41000 + ports - 1)).expect("a namespace of our own");
        Self
    }
}

impl Drop for FewPorts {
    fn drop(&mut self) {
        let _ = fs::write(Self::RANGE, "41000 60999");
    }
}

/// Runs `test` in a network of its own, with these application servers and then with so many local ports: what listens
/// takes none of them.
fn with_ports(ports: u16, apps: &[&'static str], test: impl FnOnce(&World, &[App]) + Send) {
    let inside = || {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("iproute2");
        assert!(up.success());
        let world = World::new();
        let apps: Vec<_> = apps.iter().map(|name| App::start(&world, name)).collect();
        let _few = FewPorts::set(ports);
        test(&world, &apps);
    };
    Netns::create().expect("namespaces").run(inside).expect("a namespace");
}

#[test]
fn ports() {
    const PORTS: u16 = 20;
    with_ports(PORTS, &["app1"], |world, apps| {
        let app = &apps[0];
        // Each check would take a port for a minute.
        let proxy = Proxy::start(world, &config(world, apps, ""));

        let mut clients: Vec<_> = (0..PORTS * 85 / 100).map(|nth| Client::connect(world, nth)).collect();
        clients.iter_mut().for_each(|client| client.ask("/hold"));
        let line = proxy.says("local ports are in use");
        assert!(line.contains("WARN") && line.contains("of 20") && line.contains("app1"), "{line}");

        // Twice as many as there are ports: each beyond them is told so.
        let mut more: Vec<_> = (100..100 + 2 * PORTS).map(|nth| Client::connect(world, nth)).collect();
        more.iter_mut().for_each(|client| client.ask("/hold"));
        let beyond = usize::from(2 * PORTS - (PORTS - PORTS * 85 / 100));
        let mut refused = 0;
        for client in &mut more {
            client.0.set_nonblocking(true).expect("it is a socket");
        }
        until("all but those with a port are answered", || {
            more.retain_mut(|client| {
                let mut first = [0; 12];
                match client.0.peek(&mut first) {
                    Ok(12) => {
                        assert_eq!(&first, b"HTTP/1.1 503");
                        refused += 1;
                        false
                    }
                    Ok(_) | Err(_) => true,
                }
            });
            refused >= beyond
        });
        assert_eq!(refused, beyond);
        proxy.says("no local port was left for connections to app1 ");
        does_not_spin(&proxy);
        app.release();
        for mut client in clients.into_iter().chain(more) {
            client.0.set_nonblocking(false).expect("it is a socket");
            let answer = client.answer();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("app1"), "{answer}");
        }
        for nth in 200..240 {
            let mut client = Client::connect(world, nth);
            client.ask("/");
            assert!(client.answer().starts_with("HTTP/1.1 200 "));
        }
    });
}

#[test]
fn ports_for_one_server_of_two() {
    const PORTS: u16 = 20;
    with_ports(PORTS, &["app1", "app2"], |world, apps| {
        let proxy = Proxy::start(world, &config(world, apps, ""));
        // From the address that the proxy has on this machine, too.
        let held: Vec<_> = (0..PORTS).map(|_| TcpStream::connect(apps[0].address).expect("a port")).collect();
        for nth in 0..PORTS / 2 {
            let mut client = Client::connect(world, nth);
            client.ask("/");
            let answer = client.answer();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("app2"), "{answer}");
        }
        let line = proxy.says("no local port was left");
        assert!(line.contains("WARN") && line.contains("connections to app1 ("), "{line}");
        assert!(line.contains("net.ipv4.ip_local_port_range"), "{line}");
        drop(held);
    });
}
