//! The processes of the proxy bench: two application servers, and three proxies in front of them.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt, fs, io, thread};

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, KeyPair};
use vipd::config::{Frontend, Limits, Mode};
use vipd::net::secret::Circle;
use vipd::net::tls::files;
use vipd::net::tls::server::{self, Terms};
use vipd::net::tls::tickets::Keys;
use vipd::pool::{Load, Queue, Rotation, Rule, Server, ServerId, Snapshot, Turn};
use vipd::proxy::{self, Settings, Tls};

use crate::proc_file;

/// Set for the process that is the proxy under test: the servers, separated by commas.
pub(crate) const AS_PROXY: &str = "VIPD_BENCH_AS_PROXY";
/// Its threads.
const AS_THREADS: &str = "VIPD_BENCH_AS_THREADS";
/// How much it may have, as [`Tight`] says it.
const AS_TIGHT: &str = "VIPD_BENCH_AS_TIGHT";
/// And the file with its certificate and key.
const AS_SITE: &str = "VIPD_BENCH_AS_SITE";

/// Why there is no figure.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A child that does not outlive the bench.
struct Process(Child);

impl Process {
    fn start(processor: &str, command: &[&str], changes: impl FnOnce(&mut Command)) -> Result<Self, Failure> {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", processor]).args(command).stdin(Stdio::null());
        changes(&mut taskset);
        taskset.spawn().map(Self).map_err(|error| Failure(format!("taskset {command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM, so that a master takes its workers along.
        let pid = i32::try_from(self.0.id()).map(nix::unistd::Pid::from_raw);
        if let Ok(pid) = pid {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// A directory for configs and bodies, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("vipd-bench-{}", std::process::id()));
        fs::create_dir_all(path.join("bodies"))?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<String, Failure> {
        let path = self.0.join(name);
        fs::write(&path, content)?;
        Ok(path.to_string_lossy().into_owned())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The application servers: Nginx as Debian ships it, with files of several sizes.
pub(crate) struct Apps {
    addresses: [SocketAddr; 2],
    _servers: Vec<Process>,
    /// A certificate and its key, in one file.
    site: String,
    dir: Dir,
}

impl Apps {
    pub(crate) fn start() -> Result<Self, Failure> {
        let dir = Dir::new()?;
        for (name, size) in [("small", 13), ("16k", 16 << 10), ("64k", 64 << 10), ("1m", 1 << 20)] {
            dir.write(&format!("bodies/{name}"), &vec![b'x'; size])?;
        }
        let site = site(&dir)?;
        let addresses = [free()?, free()?];
        let mut servers = Vec::new();
        for address in addresses {
            let http = format!(
                "sendfile on; keepalive_requests 1000000;\n server {{ listen {address}; root {}; }}",
                dir.0.join("bodies").display()
            );
            servers.push(nginx(&dir, "1", address, &http)?);
            answers(address)?;
        }
        Ok(Self { addresses, _servers: servers, site, dir })
    }
}

/// Whether a peer is set up as Debian ships it or as its manual says for speed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tuned {
    No,
    Yes,
}

/// Bounds that a proxy comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tight {
    /// Clients that may be connected.
    pub(crate) connections: usize,
    /// One server instead of the two, what it may have in hand, and how many requests may wait for it.
    pub(crate) server: Option<(SocketAddr, u32, usize)>,
}

impl Default for Tight {
    fn default() -> Self {
        Self { connections: 12_000, server: None }
    }
}

/// A proxy under test.
pub(crate) struct Stack {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// The same in TLS.
    pub(crate) secure: SocketAddr,
    /// The same as bytes that mean nothing; Nginx is not set up for that.
    pub(crate) tcp: Option<SocketAddr>,
    process: Process,
}

impl Stack {
    /// This very program, as the data plane alone.
    pub(crate) fn vipd(apps: &Apps) -> Result<Self, Failure> {
        Self::vipd_as("vipd", apps, apps.addresses.len(), "0")
    }

    /// The same with a pool of so many `servers`, which share the application servers, and one thread for each of the
    /// `processors`.
    pub(crate) fn vipd_as(
        name: &'static str,
        apps: &Apps,
        servers: usize,
        processors: &str,
    ) -> Result<Self, Failure> {
        let servers: Vec<_> = apps.addresses.iter().cycle().take(servers).copied().collect();
        Self::vipd_before(name, apps, &servers, processors, &Tight::default())
    }

    /// The same with bounds.
    pub(crate) fn vipd_tight(apps: &Apps, tight: &Tight) -> Result<Self, Failure> {
        let only = tight.server.map(|(server, ..)| vec![server]);
        Self::vipd_before("vipd", apps, &only.unwrap_or_else(|| apps.addresses.to_vec()), "0", tight)
    }

    fn vipd_before(
        name: &'static str,
        apps: &Apps,
        servers: &[SocketAddr],
        processors: &str,
        tight: &Tight,
    ) -> Result<Self, Failure> {
        let program = env::current_exe()?;
        let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let (most, queue) = tight.server.map_or((0, 0), |(_, most, queue)| (most, queue));
        let mut process = Process::start(processors, &[&program.to_string_lossy()], |command| {
            command
                .env(AS_PROXY, servers.join(","))
                .env(AS_TIGHT, format!("{},{most},{queue}", tight.connections))
                .env(AS_THREADS, processors.split(',').count().to_string())
                .env(AS_SITE, &apps.site)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
        })?;
        let mut line = String::new();
        let said = process.0.stdout.take().map(BufReader::new);
        said.map_or(Ok(0), |mut said| said.read_line(&mut line))?;
        let mut addresses = line.split_whitespace().map(str::parse);
        let (Some(Ok(address)), Some(Ok(secure)), Some(Ok(tcp))) =
            (addresses.next(), addresses.next(), addresses.next())
        else {
            return Err(Failure(format!("vipd said {line:?}, not its addresses")));
        };
        Ok(Self { name, address, secure, tcp: Some(tcp), process })
    }

    /// HAProxy as a two-page tutorial sets it up, on one thread.
    pub(crate) fn haproxy(apps: &Apps, tuned: Tuned) -> Result<Self, Failure> {
        let name = if tuned == Tuned::Yes { "HAProxy+" } else { "HAProxy" };
        Self::haproxy_as(name, apps, tuned, apps.addresses.len())
    }

    /// The same with so many `servers`, as [`Stack::vipd_as`] has them.
    pub(crate) fn haproxy_as(
        name: &'static str,
        apps: &Apps,
        tuned: Tuned,
        servers: usize,
    ) -> Result<Self, Failure> {
        let (address, secure, tcp, site) = (free()?, free()?, free()?, &apps.site);
        let servers: String = (0..servers)
            .zip(apps.addresses.iter().cycle())
            .map(|(at, app)| format!(" server app{at} {app}\n"))
            .collect();
        let (defer, splice) = match tuned {
            Tuned::No => ("", ""),
            Tuned::Yes => (" defer-accept", " option splice-request\n option splice-response\n"),
        };
        let config = format!(
            "global\n no strict-limits\n maxconn 12000\n nbthread 1\n\
             defaults\n mode http\n timeout connect 1s\n timeout client 60s\n timeout server 30s\n{splice}\
             frontend web\n bind {address}{defer}\n bind {secure}{defer} ssl crt {site} alpn h2,http/1.1\n default_backend app\n\
             frontend tcp\n mode tcp\n bind {tcp}\n default_backend raw\n\
             backend app\n balance roundrobin\n{servers}\
             backend raw\n mode tcp\n balance roundrobin\n{servers}"
        );
        let config = apps.dir.write(&format!("{name}.cfg"), config.as_bytes())?;
        let process = Process::start("0", &["haproxy", "-db", "-f", &config], |_| {})?;
        answers(address)?;
        Ok(Self { name, address, secure, tcp: Some(tcp), process })
    }

    /// HAProxy with bounds.
    pub(crate) fn haproxy_tight(apps: &Apps, tight: &Tight) -> Result<Self, Failure> {
        let address = free()?;
        let [a, b] = apps.addresses;
        let server = |(server, most, _)| format!("server app1 {server} maxconn {most}");
        let servers = tight.server.map_or_else(|| format!("server app1 {a}\n server app2 {b}"), server);
        let config = format!(
            "global\n no strict-limits\n maxconn 12000\n nbthread 1\n\
             defaults\n mode http\n timeout connect 1s\n timeout client 60s\n timeout server 30s\n timeout queue 10ms\n\
             frontend web\n bind {address} defer-accept\n maxconn {}\n default_backend app\n\
             backend app\n balance roundrobin\n {servers}\n",
            tight.connections
        );
        let config = apps.dir.write(&format!("tight-{}.cfg", address.port()), config.as_bytes())?;
        let process = Process::start("0", &["haproxy", "-db", "-f", &config], |_| {})?;
        answers(address)?;
        Ok(Self { name: "HAProxy", address, secure: address, tcp: None, process })
    }

    /// Nginx with one worker and connections kept to the servers.
    pub(crate) fn nginx(apps: &Apps, tuned: Tuned) -> Result<Self, Failure> {
        let (address, secure, site) = (free()?, free()?, &apps.site);
        let [a, b] = apps.addresses;
        let (name, deferred) = match tuned {
            Tuned::No => ("Nginx", ""),
            Tuned::Yes => ("Nginx+", " deferred"),
        };
        let http = format!(
            "keepalive_requests 1000000;\n\
             upstream app {{ server {a}; server {b}; keepalive 256; keepalive_requests 1000000; }}\n\
             ssl_certificate {site}; ssl_certificate_key {site};\n\
             server {{ listen {address}{deferred}; listen {secure}{deferred} ssl http2; location / {{ proxy_pass http://app; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; }} }}"
        );
        let process = nginx(&apps.dir, "0", address, &http)?;
        answers(address)?;
        Ok(Self { name, address, secure, tcp: None, process })
    }

    /// CPU time of its processes so far, seconds.
    pub(crate) fn cpu(&self) -> Result<f64, Failure> {
        let mut ticks = 0;
        for pid in self.family()? {
            let stat = proc_file(pid, "stat")?;
            // The name may have spaces; it ends with the last parenthesis. Then utime and stime are the 12th and
            // 13th field (proc_pid_stat(5)).
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
            ticks += fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum::<u32>();
        }
        // USER_HZ is 100 on every platform that Linux runs on today.
        Ok(f64::from(ticks) / 100.0)
    }

    /// Resident memory of its processes, KiB.
    pub(crate) fn resident(&self) -> u64 {
        let of = |pid| {
            let status = proc_file(pid, "status").unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            line.trim_end_matches("kB").trim().parse().unwrap_or(0)
        };
        self.family().unwrap_or_default().into_iter().map(of).sum()
    }

    /// Its process and the children of that.
    fn family(&self) -> Result<Vec<u32>, Failure> {
        let pid = self.process.0.id();
        let children = proc_file(pid, &format!("task/{pid}/children"))?;
        Ok(std::iter::once(pid)
            .chain(children.split_whitespace().filter_map(|pid| pid.parse().ok()))
            .collect())
    }
}

fn nginx(dir: &Dir, processor: &str, address: SocketAddr, http: &str) -> Result<Process, Failure> {
    let port = address.port();
    let home = |name: &str| Path::new(&dir.0).join(format!("{name}-{port}")).display().to_string();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", home(kind)))
        .concat();
    let config = format!(
        "user root; daemon off; worker_processes 1; pid {}; error_log stderr;\n\
         events {{ worker_connections 16000; }}\nhttp {{ access_log off; {temporary}{http}\n}}\n",
        home("pid")
    );
    let config = dir.write(&format!("nginx-{port}.conf"), config.as_bytes())?;
    Process::start(processor, &["nginx", "-e", "stderr", "-c", &config], |_| {})
}

/// A site's certificate (ECDSA with P-256, as most are today) and its key, in a file of our own.
fn site(dir: &Dir) -> Result<String, Failure> {
    let wrong = |error: rcgen::Error| Failure(format!("the certificate: {error}"));
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).and_then(|params| params.self_signed(&key));
    let path =
        dir.write("site.pem", (certificate.map_err(wrong)?.pem() + &key.serialize_pem()).as_bytes())?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(path)
}

/// What the proxy under test speaks: plain on its first and third frontend, TLS on its second.
fn tls() -> io::Result<Tls> {
    let site = env::var_os(AS_SITE).map(PathBuf::from).unwrap_or_default();
    let identity = files::identity(&site, &site, &Circle::default(), 0)?;
    let terms = Terms { alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()], ..Terms::default() };
    let config = server::config("web", &[identity], &terms, &Keys::random()?)?;
    Ok(Tls { frontends: vec![None, Some(Arc::new(ArcSwap::new(config))), None], pools: Vec::new() })
}

fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until someone listens.
fn answers(address: SocketAddr) -> Result<(), Failure> {
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(Failure(format!("nothing listens on {address} after 5 s: is it installed?")))
}

/// The proxy under test: prints its addresses and serves until its standard input closes.
pub(crate) fn serve(servers: &str) -> ExitCode {
    let servers: Vec<_> = servers.split(',').filter_map(|address| address.parse().ok()).collect();
    let count = servers.len();
    let tight = env::var(AS_TIGHT).unwrap_or_default();
    let mut tight = tight.split(',').map(|number| number.parse().unwrap_or(0));
    let mut bound = || tight.next().unwrap_or(0);
    let (connections, most, length) = (bound(), bound(), bound());
    let queue = Queue::new(length, Duration::from_secs(5));
    let server = |(at, address)| {
        let server = Server::new(ServerId(at), format!("app{at}"), address, 1);
        match u32::try_from(most) {
            Ok(most) if most > 0 => {
                Server { load: Load::limited(server.id, most, Arc::clone(&queue)), ..server }
            }
            Ok(_) | Err(_) => server,
        }
    };
    let servers = servers.into_iter().enumerate().map(server).collect();
    let snapshot = Snapshot::new([Rotation::new(servers, Rule::default(), Arc::new(Turn::new()))]);
    let web = Frontend {
        name: "web".into(),
        bind: vec![([127, 0, 0, 1], 0).into()],
        pool: Some(0),
        ..Frontend::default()
    };
    let tcp = Frontend { name: "tcp".into(), mode: Mode::Tcp, defer_accept: false, ..web.clone() };
    let settings = Settings {
        frontends: vec![web.clone(), web, tcp],
        pages: Vec::new(),
        limits: Limits { connections, ..Limits::default() },
        threads: env::var(AS_THREADS).ok().and_then(|count| count.parse().ok()).unwrap_or(1),
        servers: count,
    };
    let pools = Arc::new(ArcSwap::from_pointee(snapshot));
    match tls().and_then(|tls| proxy::start_with(settings, pools, &tls)) {
        Ok(proxy) => {
            let addresses = proxy.addresses();
            println!("{} {} {}", addresses[0][0], addresses[1][0], addresses[2][0]);
            let _ = io::stdin().read(&mut [0]);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
