//! The server's side of TLS: which certificate is shown to whom, and what is asked of clients.

use std::collections::HashMap;
use std::io::{Error, Result};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::files::Identity;
use super::provider;
use super::tickets::Keys;

/// What a server agrees to.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Nothing older than TLS 1.3.
    pub only_13: bool,
    /// Who signs the certificates of clients, and whether a client without one is refused.
    pub client: Option<(Arc<RootCertStore>, bool)>,
    /// The protocols that are agreed to (RFC 7301), best first.
    pub alpn: Vec<Vec<u8>>,
}

/// A server of these terms. Its sessions are in tickets, sealed with `keys` and good for the frontend `name` alone.
///
/// # Errors
/// The authorities of clients cannot be used.
pub fn config(name: &str, identities: &[Identity], terms: &Terms, keys: &Keys) -> Result<Arc<ServerConfig>> {
    let provider = provider();
    let versions: &[_] = if terms.only_13 { &[&TLS13] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).map_err(Error::other)?;
    let builder = match &terms.client {
        None => builder.with_no_client_auth(),
        Some((roots, required)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider);
            let verifier = if *required { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(Error::other)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(Shelf::new(identities)));
    config.alpn_protocols.clone_from(&terms.alpn);
    // As HAProxy has it; else clients built on OpenSSL, which put AES-256 first, would decide what a handshake costs us.
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = keys.bound_to(bond(name, terms));
    Ok(Arc::new(config))
}

/// What a session must not be carried over: to another frontend, or to other demands on clients.
fn bond(name: &str, terms: &Terms) -> Vec<u8> {
    let mut text = name.as_bytes().to_vec();
    if let Some((roots, required)) = &terms.client {
        text.extend([0, u8::from(*required)]);
        for root in &roots.roots {
            text.extend_from_slice(&root.subject);
            text.extend_from_slice(&root.subject_public_key_info);
        }
    }
    digest(&SHA256, &text).as_ref().to_vec()
}

/// The certificates by the names that they are for.
#[derive(Debug)]
struct Shelf {
    all: Vec<Arc<CertifiedKey>>,
    /// By name; `*.example.com` stands as `.example.com`. Several for one name differ in their kind of key.
    by_name: HashMap<String, Vec<usize>>,
}

impl Shelf {
    fn new(identities: &[Identity]) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, identity) in identities.iter().enumerate() {
            for name in &identity.facts.names {
                let name = name.strip_prefix('*').unwrap_or(name);
                by_name.entry(name.to_owned()).or_default().push(at);
            }
        }
        Self { all: identities.iter().map(|identity| Arc::clone(&identity.shown)).collect(), by_name }
    }

    /// The certificates for a name, those that have it in full before those with a star.
    fn covering(&self, name: &str) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let exact = self.by_name.get(name);
        let starred = name.find('.').and_then(|dot| self.by_name.get(&name[dot..]));
        exact.into_iter().chain(starred).flatten().filter_map(|at| self.all.get(*at))
    }
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        // rustls hands the name on in small letters.
        let covering = hello.server_name().and_then(|name| self.covering(name).find(usable));
        let any = || self.all.iter().find(usable).or(self.all.first());
        covering.or_else(any).cloned()
    }
}
