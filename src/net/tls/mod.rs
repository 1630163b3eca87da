//! The server's side of TLS with rustls: the files that it needs, what it shows and accepts, and the tickets of
//! sessions. The client's side is [`super::tls_client`].
//!
//! One provider, named in each place: rustls would rather stop than choose between two.

pub mod files;
pub mod server;
pub mod tickets;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The one provider of cryptography.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

#[cfg(test)]
mod tests;
