//! `agent.sock` under clients that take and do not give: they may cost themselves, nobody else.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::set_thread_res_uid;
use vipd::lab::{Lab, Node, Setup, Topology};
use vipd::link::{Request, frame};
use vipd::vrrp::Role;

const CONFIG: &str = r#"
[[node]]
name = "lb1"
address = "10.77.0.1"
priority = 200

[[vrrp]]
name = "web"
interface = "eth0"
vrid = 51
addresses = ["10.77.0.100/24"]
"#;
const PATIENCE: Duration = Duration::from_secs(20);

fn serving() -> (Node, Lab) {
    let lab = Lab::build(&Topology::pair()).expect("a lab");
    let config = lab.dir().join("vipd.toml");
    fs::write(&config, CONFIG).expect("written");
    let setup = Setup { binary: env!("CARGO_BIN_EXE_vipd").into(), config };
    let node = Node::start(&lab, "lb1", &setup).expect("a node");
    node.wait_for_role(Role::Active, PATIENCE).expect("it serves");
    (node, lab)
}

/// Connections of another user, who asks for everything that happens and reads nothing; fewer when they are closed.
fn crowd(socket: &Path, connections: usize) -> Vec<UnixStream> {
    let line = frame::encode(&Request::Watch);
    let connect = move || {
        let nobody = rustix::process::Uid::from_raw(65_534);
        // Of this thread alone, which ends here.
        set_thread_res_uid(nobody, nobody, nobody).expect("the test runs as root");
        let streams = (0..connections).filter_map(|_| {
            let mut stream = UnixStream::connect(socket).ok()?;
            let _closed = stream.write_all(&line);
            Some(stream)
        });
        streams.collect()
    };
    std::thread::scope(|scope| scope.spawn(connect).join().expect("no panic"))
}

#[test]
fn a_user_that_takes_all_his_places_keeps_root_out_of_none() {
    let (node, lab) = serving();
    for dir in [lab.dir(), node.runtime_dir()] {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).expect("ours");
    }
    let crowd = crowd(&node.runtime_dir().join("agent.sock"), 1_000);
    let status = node.status().expect("root gets an answer");
    assert_eq!(status.routers[0].role, Role::Active);
    drop(crowd);
}

#[test]
fn who_reads_no_answers_is_not_heard_on() {
    let (node, _lab) = serving();
    let mut stream = UnixStream::connect(node.runtime_dir().join("agent.sock")).expect("connected");
    stream.set_nonblocking(true).expect("set");
    let line = frame::encode(&Request::Status);
    let enough = (16 << 20) / line.len();
    let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
    let asked = (0..enough).take_while(|_| {
        loop {
            match stream.write_all(&line) {
                Ok(()) => return true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            let mut room = [PollFd::new(&stream, PollFlags::OUT)];
            if poll(&mut room, Some(&patience)).expect("polled") == 0 {
                return false;
            }
        }
    });
    assert!(asked.count() < enough, "the agent takes question after question");
    assert_eq!(node.status().expect("others are answered").routers[0].role, Role::Active);
}

#[test]
fn watchers_that_have_gone_hold_no_place() {
    let (node, _lab) = serving();
    let line = frame::encode(&Request::Watch);
    for _ in 0..300 {
        let mut stream = UnixStream::connect(node.runtime_dir().join("agent.sock")).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(&line).expect("asked");
        let mut first = String::new();
        BufReader::new(stream).read_line(&mut first).expect("answered");
        assert!(first.ends_with('\n'), "a whole answer");
    }
}
