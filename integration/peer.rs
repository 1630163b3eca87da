//! Other proxies, as Debian ships them: started with a config of the test's, on a free port, and gone with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

/// Another proxy; it does not outlive the test.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    child: Child,
    home: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let runs = matches!(self.child.try_wait(), Ok(None));
        // SIGTERM, so that a master takes its workers along.
        if runs && let Ok(pid) = i32::try_from(self.child.id()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Starts one with what `config` says for its address and its directory. Another try is made with another port when a
/// connection of someone else's has taken the free one in the meantime.
pub(crate) fn start(name: &str, config: impl Fn(SocketAddr, &str) -> String) -> Peer {
    let mut said = String::new();
    for _ in 0..PORTS {
        match try_start(name, &config) {
            Ok(peer) => return peer,
            Err(output) => said = output,
        }
    }
    panic!("{name} does not listen: {said}");
}

/// How many ports are tried.
const PORTS: usize = 5;

/// On one free port; otherwise what it said.
fn try_start(name: &str, config: impl Fn(SocketAddr, &str) -> String) -> Result<Peer, String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let home = env::temp_dir().join(format!("vipd-peer-{}-{count}", process::id()));
    fs::create_dir_all(&home).expect("a directory for configs");
    let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    let file = home.join("config");
    fs::write(&file, config(address, &home.display().to_string())).expect("a config");
    let mut command = Command::new(name);
    match name {
        "nginx" => command.args(["-e", "stderr", "-c"]),
        _ => command.args(["-db", "-f"]),
    };
    let output = fs::File::create(home.join("output")).expect("a file");
    let child = command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn();
    let child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error}: is it installed?"));
    let mut peer = Peer { address, child, home };
    for _ in 0..1000 {
        let runs = peer.child.try_wait().expect("a child").is_none();
        if runs && TcpStream::connect(address).is_ok() {
            return Ok(peer);
        }
        if !runs {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(fs::read_to_string(peer.home.join("output")).unwrap_or_default())
}

/// Where Nginx keeps its temporary files, so that it needs no directory of the system's.
pub(crate) fn temporary(home: &str) -> String {
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {home}/{kind};\n"))
        .concat()
}
