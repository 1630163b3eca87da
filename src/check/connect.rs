//! The way to a server: TCP, and TLS over it where the check asks for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Target;
use super::words::{CONNECTING, SHAKING_HANDS, Stage, UNABLE, trouble};
use crate::config::{CheckKind, PoolTls, Verify};
use crate::net::clock;
use crate::net::files::is_exhaustion;
use crate::net::tls::files;
use crate::net::tls::watch::{LOOK, Watch};
use crate::net::tls_client;
use crate::vrrp::Time;

/// A connection in clear or not.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a server.
pub(super) type Stream = Box<dyn Duplex>;

/// One connector for all servers that trust the same certificates and speak the same protocol.
#[derive(Default)]
pub(super) struct Connectors(Mutex<HashMap<Trust, Known>>);

/// A connector, and the authorities that it has read.
struct Known {
    connector: TlsConnector,
    authorities: Option<PathBuf>,
    files: Watch,
    looked: Time,
}

/// Whose certificates are trusted, and the protocol that is offered.
type Trust = (Verify, Option<&'static str>);

impl Connectors {
    /// The connector for `tls`; files that cannot be read are tried again with the next check.
    fn get(&self, tls: &PoolTls, protocol: Option<&'static str>) -> Result<TlsConnector, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, trust) = (clock::now(), (tls.verify.clone(), protocol));
        if let Some(known) = known.get_mut(&trust) {
            known.look(now, protocol);
            return Ok(known.connector.clone());
        }
        let authorities = tls.verify.authorities(files::system_authorities);
        let authorities = authorities.map_err(|error| error.to_string())?;
        // Before they are read: a change in between is seen at the first look.
        let files = Watch::new(authorities.iter().cloned().collect());
        let connector = tls_client::connector(authorities.as_deref(), protocol.as_slice())?;
        known.insert(trust, Known { connector: connector.clone(), authorities, files, looked: now });
        Ok(connector)
    }
}

impl Known {
    /// Takes new authorities, now and then; what cannot be used leaves the old ones in place.
    fn look(&mut self, now: Time, protocol: Option<&'static str>) {
        if now.since(self.looked).as_duration() < LOOK {
            return;
        }
        self.looked = now;
        if !self.files.has_changed() {
            return;
        }
        match tls_client::connector(self.authorities.as_deref(), protocol.as_slice()) {
            Ok(connector) => self.connector = connector,
            Err(error) => tracing::error!("checks: new authorities are not used, the old ones are: {error}"),
        }
    }
}

/// Connects to the server of `target` as its check wants it.
pub(super) async fn open(
    target: &Target,
    connectors: &Connectors,
    stage: &mut Stage,
) -> Result<Stream, String> {
    *stage = CONNECTING;
    let connected = TcpStream::connect(target.address).await;
    let mut stream = connected.map_err(|error| {
        if is_exhaustion(&error) {
            *stage = UNABLE;
        }
        trouble(&error)
    })?;
    // A check is a few small messages.
    stream.set_nodelay(true).map_err(|error| trouble(&error))?;
    if let Some(version) = target.send_proxy {
        stream.write_all(version.nobody()).await.map_err(|error| trouble(&error))?;
    }
    let Some(tls) = &target.check.tls else { return Ok(Box::new(stream)) };
    *stage = SHAKING_HANDS;
    let protocol = match &target.check.kind {
        CheckKind::Http(check) if !check.h2 => Some("http/1.1"),
        CheckKind::Http(_) | CheckKind::Grpc(_) => Some("h2"),
        CheckKind::Tcp | CheckKind::Exec(_) | CheckKind::Postgres(_) | CheckKind::Redis(_) => None,
    };
    let connector = connectors.get(tls, protocol)?;
    let name = tls_client::server_name(&name(target, tls))?;
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(format!("no TLS: {}", trouble(&error))),
    }
}

/// What the certificate must be for.
fn name(target: &Target, tls: &PoolTls) -> String {
    if let Some(name) = &tls.server_name {
        return name.clone();
    }
    match &target.check.kind {
        CheckKind::Http(check) if check.host.is_some() => {
            without_port(check.host.as_deref().unwrap_or_default()).to_owned()
        }
        CheckKind::Tcp
        | CheckKind::Http(_)
        | CheckKind::Exec(_)
        | CheckKind::Postgres(_)
        | CheckKind::Redis(_)
        | CheckKind::Grpc(_) => target.address.ip().to_string(),
    }
}

/// A Host without its port. In one, an IPv6 address has brackets (RFC 9110 §7.2); in a certificate it has none.
fn without_port(host: &str) -> &str {
    if host.parse::<IpAddr>().is_ok() {
        return host;
    }
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _port)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_a_certificate_is_the_host_without_brackets_and_port() {
        let table = [
            ("app.example.com", "app.example.com"),
            ("app.example.com:8443", "app.example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:8443", "192.0.2.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:8443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ];
        for (host, expected) in table {
            assert_eq!(without_port(host), expected);
            assert!(tls_client::server_name(without_port(host)).is_ok(), "{host}");
        }
    }
}
