//! A `vipd proxy` that speaks TLS, what it says in its log, and clients of several makes.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub(crate) use crate::logged::Proxy;

const PATIENCE: Duration = Duration::from_secs(20);

/// The request of most tests.
pub(crate) const LAST: &str = "GET /x HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n";

/// A config with these frontends and pools; every address of the world's own is for it.
pub(crate) fn config(rest: &str) -> String {
    format!(
        r#"
        node = [{{ name = "lb1", address = "10.77.0.1", priority = 200 }}]
        vrrp = [{{ name = "web", interface = "lo", vrid = 51, addresses = ["10.77.0.100/24"] }}]
        proxy = {{ threads = 2, user = "nobody" }}
        {rest}
        "#
    )
}

/// A frontend with its TLS, and a pool of one server.
pub(crate) fn site(name: &str, bind: SocketAddr, tls: &str, server: SocketAddr, pool: &str) -> String {
    format!(
        r#"
        [[frontend]]
        name = "{name}"
        bind = ["{bind}"]
        pool = "{name}"
        {tls}
        [[pool]]
        name = "{name}"
        server = [{{ name = "app1", address = "{server}" }}]
        {pool}
        "#
    )
}

/// `tls = {..}` of a pair and whatever else.
pub(crate) fn pair((certificate, key): &(std::path::PathBuf, std::path::PathBuf), more: &str) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\"{more} }}")
}

/// What a program of Debian's says, on either stream, given `input`; and whether it was content.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new("timeout");
    command.args(["20", program]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may have failed before it reads.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it was started");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// `openssl s_client` that asks once; all it says.
pub(crate) fn s_client(address: SocketAddr, arguments: &[&str]) -> String {
    let address = address.to_string();
    let mut all = vec!["s_client", "-connect", &address, "-ign_eof"];
    all.extend(arguments);
    run("openssl", &all, LAST).1
}

/// A client of rustls that believes the authority in a file.
pub(crate) fn believing(authority: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(authority).expect("it is there");
    roots.add(CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(builder.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

/// A connection of its own, nothing said yet.
pub(crate) fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &str,
) -> StreamOwned<ClientConnection, TcpStream> {
    let tcp = TcpStream::connect(address).expect("someone listens");
    tcp.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a config"), tcp)
}

/// Asks once and reads to the orderly end.
pub(crate) fn ask(address: SocketAddr, config: &Arc<ClientConfig>, request: &str) -> std::io::Result<String> {
    let mut stream = connect(address, config, "a.example.com");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
