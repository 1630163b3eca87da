//! TLS as a file would state it.

use std::path::Path;

use super::{FrontendTls, PoolTls, TlsSettings, TlsVersion, Verify};

/// `tls` of a frontend.
pub(in crate::config) fn frontend(tls: &FrontendTls) -> String {
    let pairs: Vec<_> = tls
        .certificates
        .iter()
        .map(|pair| format!("{{ certificate = {}, key = {} }}", path(&pair.certificate), path(&pair.key)))
        .collect();
    let version = match tls.min_version {
        TlsVersion::V12 => "1.2",
        TlsVersion::V13 => "1.3",
    };
    let client = match &tls.client {
        None => "client = \"off\"".to_owned(),
        Some(client) => {
            let word = if client.required { "required" } else { "optional" };
            format!("client = \"{word}\", client_ca = {}", path(&client.ca))
        }
    };
    let (pairs, alpn) = (pairs.join(", "), &tls.alpn);
    format!("{{ certificates = [{pairs}], min_version = \"{version}\", {client}, alpn = {alpn:?} }}")
}

/// `tls` of a pool and of its check.
pub(in crate::config) fn pool(tls: &PoolTls) -> String {
    let verify = match &tls.verify {
        Verify::System => "true".to_owned(),
        Verify::Ca(file) => path(file),
        Verify::Off => "\"off\"".to_owned(),
    };
    let name = tls.server_name.as_ref().map_or(String::new(), |name| format!(", server_name = {name:?}"));
    format!("{{ verify = {verify}{name} }}")
}

/// `[tls]`.
pub(in crate::config) fn settings(tls: &TlsSettings) -> String {
    let keys = tls.ticket_keys.as_deref().map_or("\"none\"".to_owned(), path);
    format!("[tls]\nticket_keys = {keys}\n")
}

fn path(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
