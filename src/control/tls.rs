//! The certificates and keys of the data plane: read at the start, and again whenever their files change.
//!
//! They are read first while the process is still root. After that only what its user may read can be read again: a
//! key that shall be replaced without a restart is readable by the user's group (mode 640). What is read again is
//! taken whole or not at all, per frontend: a pair that is not right yet leaves the old one in place, and it is looked
//! at again when its files change again. Handshakes that have begun end with what they began with.
//!
//! Without `tls.ticket_keys` the keys of session tickets are made at the start and outlive every reload.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use crate::config::{Config, Frontend, FrontendTls, PoolTls, TlsVersion, Verify};
use crate::net::clock;
use crate::net::secret::Circle;
use crate::net::tls::files;
use crate::net::tls::server::{self, Terms};
use crate::net::tls::tickets::Keys;
use crate::net::tls_client;
use crate::proxy::{Tls, ToServers};

/// How often the files are looked at.
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// What speaks TLS, and the files it is made of.
pub(super) struct Store {
    circle: Circle,
    /// Keys for when there is no file of them.
    own: Keys,
    ticket_keys: Option<PathBuf>,
    frontends: Vec<Option<Watched>>,
}

/// A frontend and its files.
struct Watched {
    name: String,
    tls: FrontendTls,
    serving: Arc<ArcSwap<ServerConfig>>,
    files: Vec<PathBuf>,
    /// The files as they were when they were last read.
    read: Vec<Stamp>,
    /// And as they were at the last look: who replaces two files is given the time between two looks.
    seen: Vec<Stamp>,
}

/// What changes when a file does; `None` while there is none.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Store {
    /// Reads everything, and gives what the data plane is started with.
    ///
    /// # Errors
    /// What is wrong with a file, with its name.
    pub(super) fn open(config: &Config) -> io::Result<(Self, Tls)> {
        let circle = Circle::of(&config.proxy.user);
        let ticket_keys = config.tls.ticket_keys.clone();
        let mut store = Self { circle, own: Keys::random()?, ticket_keys, frontends: Vec::new() };
        let mut tls = Tls::default();
        for frontend in &config.frontends {
            let watched = frontend.tls.as_ref().map(|tls| store.watch(frontend, tls)).transpose()?;
            tls.frontends.push(watched.as_ref().map(|watched| Arc::clone(&watched.serving)));
            store.frontends.push(watched);
        }
        for pool in &config.pools {
            tls.pools.push(pool.tls.as_ref().map(to_servers).transpose()?);
        }
        Ok((store, tls))
    }

    /// Whether there is anything to look after.
    pub(super) fn is_needed(&self) -> bool {
        self.frontends.iter().any(Option::is_some)
    }

    /// Says which files this process, as it is now, cannot read again.
    pub(super) fn try_again(&self) {
        for watched in self.frontends.iter().flatten() {
            if let Err(error) = self.config(&watched.name, &watched.tls) {
                let name = &watched.name;
                tracing::warn!(
                    "frontend {name}: a new certificate will need a restart, as the proxy's user cannot read it: \
                     {error}"
                );
            }
        }
    }

    /// Looks whether files have changed, and takes what is new.
    pub(super) fn look(&mut self) {
        let mut frontends = std::mem::take(&mut self.frontends);
        for watched in frontends.iter_mut().flatten() {
            let now = stamps(&watched.files);
            let settled = now == watched.seen;
            watched.seen = now;
            if !settled || watched.seen == watched.read {
                continue;
            }
            watched.read.clone_from(&watched.seen);
            match self.config(&watched.name, &watched.tls) {
                Ok((new, warnings)) => {
                    warn(&watched.name, &warnings);
                    watched.serving.store(new);
                    tracing::info!(
                        "frontend {}: the files of its TLS have changed and are in use",
                        watched.name
                    );
                }
                Err(error) => {
                    let name = &watched.name;
                    tracing::error!(
                        "frontend {name}: new files of its TLS are not used, the old ones are: {error}"
                    );
                }
            }
        }
        self.frontends = frontends;
    }

    fn watch(&self, frontend: &Frontend, tls: &FrontendTls) -> io::Result<Watched> {
        let mut files: Vec<_> =
            tls.certificates.iter().flat_map(|pair| [pair.certificate.clone(), pair.key.clone()]).collect();
        files.extend(tls.client.iter().map(|client| client.ca.clone()));
        files.extend(self.ticket_keys.clone());
        // Before they are read: a change in between is seen at the first look.
        let read = stamps(&files);
        let (serving, warnings) = self.config(&frontend.name, tls)?;
        warn(&frontend.name, &warnings);
        let serving = Arc::new(ArcSwap::new(serving));
        Ok(Watched {
            name: frontend.name.clone(),
            tls: tls.clone(),
            serving,
            files,
            seen: read.clone(),
            read,
        })
    }

    /// What a frontend is served with, and what is strange about its certificates.
    fn config(&self, name: &str, tls: &FrontendTls) -> io::Result<(Arc<ServerConfig>, Vec<String>)> {
        let now = i64::try_from(clock::wall_ms() / 1000).unwrap_or(i64::MAX);
        let pairs = tls.certificates.iter();
        let pairs = pairs.map(|pair| files::identity(&pair.certificate, &pair.key, &self.circle, now));
        let identities: Vec<_> = pairs.collect::<io::Result<_>>()?;
        let client = tls.client.as_ref();
        let client = client
            .map(|client| Ok::<_, io::Error>((Arc::new(files::authorities(&client.ca)?), client.required)));
        let terms = Terms {
            only_13: tls.min_version == TlsVersion::V13,
            client: client.transpose()?,
            alpn: tls.alpn.iter().map(|name| name.clone().into_bytes()).collect(),
        };
        let keys = match &self.ticket_keys {
            Some(path) => Keys::read(path, &self.circle)?,
            None => self.own.clone(),
        };
        let config = server::config(name, &identities, &terms, &keys)?;
        Ok((config, identities.into_iter().flat_map(|identity| identity.warnings).collect()))
    }
}

fn warn(name: &str, warnings: &[String]) {
    warnings.iter().for_each(|warning| tracing::warn!("frontend {name}: {warning}"));
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

/// How the servers of a pool are spoken to.
fn to_servers(tls: &PoolTls) -> io::Result<ToServers> {
    let authorities = match &tls.verify {
        Verify::System => Some(files::system_authorities()?),
        Verify::Ca(path) => Some(path.as_path()),
        Verify::Off => None,
    };
    let connector = tls_client::connector(authorities, &["http/1.1"]).map_err(io::Error::other)?;
    let name = tls.server_name.as_deref().map(tls_client::server_name).transpose();
    Ok(ToServers { config: Arc::clone(connector.config()), name: name.map_err(io::Error::other)? })
}
