//! The server's side of TLS with rustls: the files that it needs, what it shows and accepts, and the tickets of
//! sessions. The client's side is [`super::tls_client`].
//!
//! One provider, named in each place: rustls would rather stop than choose between two.

pub mod files;
pub mod server;
pub mod tickets;
pub mod watch;

use std::sync::{Arc, LazyLock};

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The one provider of cryptography, with the suites in the order in which a server prefers them.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = aws_lc_rs::default_provider();
        // Stable: behind those the order stays.
        provider.cipher_suites.sort_by_key(|suite| !is_cheap(suite.suite()));
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// AES-128 with SHA-256, the suite that everyone must have (RFC 8446 §9.1) and that browsers put first. Processors have
/// instructions for both, but none for the SHA-384 of AES-256, which is nearly half of the work of a resumed handshake.
fn is_cheap(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

#[cfg(test)]
mod tests;
