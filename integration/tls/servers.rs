//! Servers in TLS behind the proxy, and what is said of those that cannot be believed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tokio::time::Instant;

use crate::front;
use crate::origin;
use crate::paper::{Authority, place};
use crate::process::World;
use crate::rig::{LAST, Proxy, config, site};

#[test]
fn a_server_must_show_a_certificate_that_is_believed() {
    let world = World::new();
    let (authority, other) = (Authority::new("root"), Authority::new("other"));
    let ca = authority.file(world.dir(), "root.pem");
    let believe = format!("verify = {ca:?}");
    let named = format!("{believe}, server_name = \"app.example.com\"");
    let right = authority.sign(&["app.example.com"]);
    let cases = [
        (named.as_str(), origin::secure(&right), None),
        (&believe, origin::secure(&authority.sign(&["127.0.0.1"])), None),
        ("verify = \"off\"", origin::secure(&other.sign(&["elsewhere"])), None),
        (
            &named,
            origin::secure(&other.sign(&["app.example.com"])),
            Some("no TLS with app1: nobody whom `verify` trusts has signed its certificate"),
        ),
        (
            &named,
            origin::secure(&authority.sign_until(&["app.example.com"], 2021)),
            Some("its certificate has expired"),
        ),
        (
            &named,
            origin::secure(&authority.sign(&["b.example.com"])),
            Some("its certificate is not for app.example.com but"),
        ),
        (&believe, origin::secure(&right), Some("its certificate is not for 127.0.0.1 but")),
        (&named, origin::plain(), Some("no TLS with app1: it did not end the handshake in time")),
        (&named, origin::talker(), Some("no TLS with app1: it does not speak TLS")),
    ];
    let mut text = String::new();
    for (nth, (tls, server, _)) in (0..).zip(&cases) {
        text += &site(&format!("web{nth}"), front(&world, nth), "", *server, &format!("tls = {{ {tls} }}"));
    }
    let _proxy = Proxy::start(&world, &config(&text));
    for (nth, (tls, _, refusal)) in (0..).zip(&cases) {
        for _ in 0..3 {
            let mut stream = TcpStream::connect(front(&world, nth)).expect("it listens");
            stream.write_all(LAST.as_bytes()).expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            match refusal {
                None => assert!(answer.starts_with("HTTP/1.1 200 OK"), "{tls}: {answer}"),
                Some(why) => {
                    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains(why), "{tls}: {answer}")
                }
            }
        }
    }
}

/// The authority of the servers is replaced, and so is that of their checks.
#[test]
fn new_authorities_of_servers_are_taken_without_a_restart_and_bad_ones_are_not() {
    let world = World::new();
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let ca = before.file(world.dir(), "ca.pem");
    let server = origin::secure(&after.sign(&["127.0.0.1"]));
    let tls = format!("tls = {{ verify = {ca:?} }}");
    let check = format!("{tls}\ncheck = {{ {tls}, interval = \"100ms\", rise = 1, fall = 1 }}");
    let text = site("web", front(&world, 0), "", server, &tls)
        + &site("checked", front(&world, 1), "", server, &check);
    let proxy = Proxy::start(&world, &config(&text));
    let ask = |nth| {
        let mut stream = TcpStream::connect(front(&world, nth)).expect("it listens");
        stream.write_all(LAST.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let end = Instant::now() + Duration::from_secs(20);
    let until = |nth, status: &str| {
        while !ask(nth).starts_with(&format!("HTTP/1.1 {status} ")) {
            assert!(Instant::now() < end, "{nth} is never {status}: {}", ask(nth));
        }
    };
    assert!(ask(0).contains("nobody whom `verify` trusts has signed its certificate"));
    until(1, "503");

    place(&ca, "not PEM\n");
    proxy.says("new authorities of its servers are not used, the old ones are");
    after.file(world.dir(), "ca.pem");
    proxy.says("pool checked: the authorities of its servers have changed and are in use");
    until(0, "200");
    until(1, "200");
}

#[test]
fn a_handshake_may_take_what_is_left_of_the_time_to_connect() {
    let world = World::new();
    let paper = Authority::new("root").sign(&["app.example.com"]);
    let server = origin::secure_after(Duration::from_millis(500), &paper);
    let text = site("web", front(&world, 0), "", server, "tls = { verify = \"off\" }");
    let _proxy = Proxy::start(&world, &config(&(text + "[limits]\nconnect_timeout = \"20s\"\n")));
    let mut stream = TcpStream::connect(front(&world, 0)).expect("it listens");
    stream.write_all(LAST.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}
