//! The certificates, keys and authorities of the data plane: read at the start, and again whenever their files change.
//!
//! They are read first while the process is still root. After that only what its user may read can be read again: a
//! key that shall be replaced without a restart is readable by the user's group (mode 640). What is read again is
//! taken whole or not at all, per frontend and per pool: a pair that is not right yet leaves the old one in place, and it
//! is looked at again when its files change again. Handshakes that have begun end with what they began with.
//!
//! Without `tls.ticket_keys` the keys of session tickets are made here, outlive every reload, and are renewed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};

use crate::config::{Config, Frontend, FrontendTls, Mode, Pool, PoolTls, TlsVersion};
use crate::net::clock;
use crate::net::secret::Circle;
use crate::net::tls::files;
use crate::net::tls::server::{self, Terms};
use crate::net::tls::tickets::{Keys, Own};
use crate::net::tls::watch::Watch;
use crate::net::tls_client;
use crate::proxy::{Tls, ToServers};

/// What speaks TLS, and the files it is made of.
pub(super) struct Store {
    circle: Circle,
    /// Keys for when there is no file of them.
    own: Own,
    ticket_keys: Option<PathBuf>,
    frontends: Vec<Option<Watched>>,
    /// The pools whose servers have to be believed.
    pools: Vec<Trusting>,
}

/// A frontend and its files.
struct Watched {
    name: String,
    tls: FrontendTls,
    serving: Arc<ArcSwap<ServerConfig>>,
    files: Watch,
}

/// A pool and the file of those who sign for its servers.
struct Trusting {
    name: String,
    authorities: PathBuf,
    believed: Arc<ArcSwap<ClientConfig>>,
    protocols: Protocols,
    files: Watch,
}

/// What servers are told will be spoken (ALPN).
type Protocols = &'static [&'static str];

impl Store {
    /// Reads everything, and gives what the data plane is started with.
    ///
    /// # Errors
    /// What is wrong with a file, with its name.
    pub(super) fn open(config: &Config) -> io::Result<(Self, Tls)> {
        let circle = Circle::of(&config.proxy.user);
        let ticket_keys = config.tls.ticket_keys.clone();
        let own = Own::new(clock::now())?;
        let mut store = Self { circle, own, ticket_keys, frontends: Vec::new(), pools: Vec::new() };
        let mut tls = Tls::default();
        for frontend in &config.frontends {
            let watched = frontend.tls.as_ref().map(|tls| store.watch(frontend, tls)).transpose()?;
            tls.frontends.push(watched.as_ref().map(|watched| Arc::clone(&watched.serving)));
            store.frontends.push(watched);
        }
        for (at, pool) in config.pools.iter().enumerate() {
            let trusting = pool.tls.as_ref().map(|tls| store.trust(pool, tls, protocols(config, at)));
            tls.pools.push(trusting.transpose()?);
        }
        Ok((store, tls))
    }

    /// Whether there is anything to look after.
    pub(super) fn is_needed(&self) -> bool {
        self.frontends.iter().any(Option::is_some) || !self.pools.is_empty()
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
        for Trusting { name, authorities, protocols, .. } in &self.pools {
            if let Err(error) = client_config(Some(authorities), protocols) {
                tracing::warn!(
                    "pool {name}: new authorities of its servers will need a restart, as the proxy's user cannot \
                     read them: {error}"
                );
            }
        }
    }

    /// Looks whether files have changed, and takes what is new. Renews the keys of tickets when they have had their time.
    pub(super) fn look(&mut self) {
        if let Err(error) = self.own.renew(clock::now()) {
            tracing::error!("the key of session tickets is not renewed: {error}");
        }
        self.look_at_frontends();
        for Trusting { name, authorities, believed, protocols, files } in &mut self.pools {
            if !files.has_changed() {
                continue;
            }
            match client_config(Some(authorities), protocols) {
                Ok(new) => {
                    believed.store(new);
                    tracing::info!("pool {name}: the authorities of its servers have changed and are in use");
                }
                Err(error) => tracing::error!(
                    "pool {name}: new authorities of its servers are not used, the old ones are: {error}"
                ),
            }
        }
    }

    fn look_at_frontends(&mut self) {
        let mut frontends = std::mem::take(&mut self.frontends);
        for watched in frontends.iter_mut().flatten() {
            if !watched.files.has_changed() {
                continue;
            }
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
        let files = Watch::new(files);
        let (serving, warnings) = self.config(&frontend.name, tls)?;
        warn(&frontend.name, &warnings);
        let serving = Arc::new(ArcSwap::new(serving));
        Ok(Watched { name: frontend.name.clone(), tls: tls.clone(), serving, files })
    }

    /// How the servers of a pool are spoken to; from now on their authorities are looked after.
    fn trust(&mut self, pool: &Pool, tls: &PoolTls, protocols: Protocols) -> io::Result<ToServers> {
        let authorities = tls.verify.authorities(files::system_authorities)?;
        // Before they are read: a change in between is seen at the first look.
        let files = Watch::new(authorities.iter().cloned().collect());
        let config = Arc::new(ArcSwap::new(client_config(authorities.as_deref(), protocols)?));
        if let Some(authorities) = authorities {
            let (name, believed) = (pool.name.clone(), Arc::clone(&config));
            self.pools.push(Trusting { name, authorities, believed, protocols, files });
        }
        let name = tls.server_name.as_deref().map(tls_client::server_name).transpose();
        Ok(ToServers { config, name: name.map_err(io::Error::other)? })
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
            None => self.own.keys().clone(),
        };
        let config = server::config(name, &identities, &terms, &keys)?;
        Ok((config, identities.into_iter().flat_map(|identity| identity.warnings).collect()))
    }
}

fn warn(name: &str, warnings: &[String]) {
    warnings.iter().for_each(|warning| tracing::warn!("frontend {name}: {warning}"));
}

/// What the servers of a pool are told will be spoken: nothing when only TCP frontends use it. Nobody knows what those
/// speak, and a server that knows no HTTP must refuse a handshake that offers nothing else (RFC 7301 §3.2).
fn protocols(config: &Config, pool: usize) -> Protocols {
    let uses = |frontend: &Frontend| {
        let routed = frontend.routes.iter().map(|route| route.pool);
        routed.chain(frontend.pool).chain(frontend.sorry_pool).any(|used| used == pool)
    };
    let by_http = config.frontends.iter().any(|frontend| frontend.mode == Mode::Http && uses(frontend));
    if by_http { &["http/1.1"] } else { &[] }
}

/// A client that believes those whom the authorities in a file sign for, or everyone.
fn client_config(authorities: Option<&Path>, protocols: Protocols) -> io::Result<Arc<ClientConfig>> {
    let connector = tls_client::connector(authorities, protocols).map_err(io::Error::other)?;
    Ok(Arc::clone(connector.config()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const POOLS: &str = r#"
        node = [{ name = "lb1", address = "10.77.0.1", priority = 200 }]
        vrrp = [{ name = "web", interface = "lo", vrid = 51, addresses = ["10.77.0.100/24"] }]
        [[frontend]]
        name = "web"
        bind = ["10.77.0.100:80"]
        route = [{ path = "/api", pool = "api" }]
        sorry_pool = "sorry"
        pool = "app"
        [[frontend]]
        name = "database"
        bind = ["10.77.0.100:5432"]
        mode = "tcp"
        sorry_pool = "standby"
        pool = "primary"
        [[frontend]]
        name = "also"
        bind = ["10.77.0.100:81"]
        mode = "tcp"
        pool = "app"
    "#;

    #[test]
    fn http_is_offered_to_servers_of_http_frontends_alone() {
        let names = ["app", "api", "sorry", "primary", "standby"];
        let pool = |(nth, name): (usize, &&str)| {
            let server = format!("{{ name = \"{name}1\", address = \"10.77.0.11:{}\" }}", 8000 + nth);
            format!(
                "[[pool]]\nname = \"{name}\"\ntls = {{ verify = \"off\" }}\ncheck = {{ tcp = true }}\nserver = [{server}]\n"
            )
        };
        let text: String = names.iter().enumerate().map(pool).collect();
        let config = config::parse("vipd.toml", &format!("{POOLS}{text}")).expect("a config").config;
        let (_, tls) = Store::open(&config).expect("there are no files");
        let offered = |pool: &Option<ToServers>| {
            pool.as_ref().expect("TLS").config.load().alpn_protocols.iter().any(|name| name == b"http/1.1")
        };
        let offered: Vec<_> = tls.pools.iter().map(offered).collect();
        assert_eq!(offered, [true, true, true, false, false]);
    }
}
