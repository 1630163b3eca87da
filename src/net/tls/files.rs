//! Certificates, keys and authorities from files in PEM (RFC 7468). What is wrong with one is said with its name and
//! the line.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::net::secret::{self, Circle};
use crate::net::x509::{Facts, date};

/// All authorities of a system are a quarter of this.
const LONGEST: u64 = 1 << 20;

/// A certificate with its key, ready to be shown.
#[derive(Debug)]
pub struct Identity {
    /// What is shown and what signs.
    pub shown: Arc<CertifiedKey>,
    /// What the certificate says of itself.
    pub facts: Facts,
    /// What is strange about it and no reason to refuse it.
    pub warnings: Vec<String>,
}

/// The certificates of one file and the key of another or the same one, as of `now` (seconds since 1970).
///
/// # Errors
/// A file cannot be read, others may read the key, something in it is malformed, or the two do not belong together.
pub fn identity(certificate: &Path, key: &Path, circle: &Circle, now: i64) -> Result<Identity> {
    let (chain, facts) = chain(certificate)?;
    let private = private_key(key, circle)?;
    let signer = provider()
        .key_provider
        .load_private_key(private)
        .map_err(|error| wrong(key, format_args!("its key cannot be used: {error}")))?;
    let shown = Arc::new(CertifiedKey::new(chain.iter().map(|(_, der)| der.clone()).collect(), signer));
    shown.keys_match().map_err(|_| mismatch(certificate, key, &shown, &chain))?;
    let mut warnings = aged(certificate, &facts, now);
    warnings.extend(disorder(certificate, &facts));
    let facts = facts.into_iter().next().ok_or_else(|| wrong(certificate, "has no certificate"))?;
    Ok(Identity { shown, facts, warnings })
}

/// Which certificates are trusted to sign others.
///
/// # Errors
/// The file cannot be read, is malformed, or has no certificate.
pub fn authorities(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for (line, der) in certificates(path)? {
        let added = roots.add(der);
        added.map_err(|error| wrong(path, format_args!("the certificate at line {line}: {error}")))?;
    }
    Ok(roots)
}

/// The file with the authorities that the system trusts, where the distributions keep it.
///
/// # Errors
/// There is none.
pub fn system_authorities() -> Result<&'static Path> {
    SYSTEM.iter().map(Path::new).find(|path| path.exists()).ok_or_else(|| {
        let message =
            format!("no authorities of the system at {}: install ca-certificates", SYSTEM.join(" or "));
        Error::new(ErrorKind::NotFound, message)
    })
}

/// Debian and Alpine; Fedora; SUSE.
const SYSTEM: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
];

type Chain = Vec<(usize, CertificateDer<'static>)>;

fn chain(path: &Path) -> Result<(Chain, Vec<Facts>)> {
    let chain = certificates(path)?;
    let facts = chain.iter().map(|(line, der)| {
        Facts::read(der)
            .ok_or_else(|| wrong(path, format_args!("what begins at line {line} is no certificate (X.509)")))
    });
    let facts = facts.collect::<Result<_>>()?;
    Ok((chain, facts))
}

/// Every certificate of a file, and the line where it begins; never none.
fn certificates(path: &Path) -> Result<Chain> {
    let text = read(path)?;
    let mut found = Vec::new();
    for block in blocks(path, &text)? {
        if block.kind == "CERTIFICATE" {
            let der = CertificateDer::from_pem_slice(block.text.as_bytes());
            found.push((block.line, der.map_err(|_| block.malformed(path))?));
        }
    }
    if found.is_empty() { Err(wrong(path, "has no block `BEGIN CERTIFICATE`")) } else { Ok(found) }
}

fn private_key(path: &Path, circle: &Circle) -> Result<PrivateKeyDer<'static>> {
    let text = secret::read_within(path, circle, LONGEST)?;
    let mut keys = blocks(path, &text)?.into_iter().filter(|block| block.kind.ends_with("PRIVATE KEY"));
    let key = keys.next().ok_or_else(|| wrong(path, "has no block `BEGIN PRIVATE KEY`"))?;
    if let Some(other) = keys.next() {
        return Err(wrong(path, format_args!("has two keys, at lines {} and {}", key.line, other.line)));
    }
    if key.kind.starts_with("ENCRYPTED") || key.text.contains("ENCRYPTED") {
        let shown = path.display();
        let help = format!(
            "the key at line {} is encrypted: write it with `openssl pkey -in {shown} -out ..`",
            key.line
        );
        return Err(wrong(path, help));
    }
    PrivateKeyDer::from_pem_slice(key.text.as_bytes()).map_err(|_| key.malformed(path))
}

/// A file that anyone may read.
fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let unread = |error: Error| Error::new(error.kind(), format!("{shown} cannot be read: {error}"));
    let metadata = fs::metadata(path).map_err(unread)?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return Err(wrong(path, "is no file, or longer than a MiB: is it the right one?"));
    }
    let bytes = fs::read(path).map_err(unread)?;
    String::from_utf8(bytes)
        .map_err(|_| wrong(path, "is not PEM: `openssl x509 -inform der -in ..` makes it so"))
}

/// `-----BEGIN kind-----` to its end.
struct Block<'t> {
    kind: &'t str,
    /// Where it begins, from 1.
    line: usize,
    text: &'t str,
}

impl Block<'_> {
    fn malformed(&self, path: &Path) -> Error {
        wrong(path, format_args!("the block `{}` at line {} is malformed", self.kind, self.line))
    }
}

fn blocks<'t>(path: &Path, text: &'t str) -> Result<Vec<Block<'t>>> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, usize)> = None;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let (begin, end) = (at, at + line.len());
        at = end;
        let marked = |word: &str| line.trim_end().strip_prefix(word)?.strip_suffix("-----");
        if let Some(kind) = marked("-----BEGIN ") {
            if let Some((kind, line, _)) = open {
                return Err(wrong(path, format_args!("the block `{kind}` at line {line} has no end")));
            }
            open = Some((kind, number + 1, begin));
        } else if let (Some(ended), Some((kind, line, begin))) = (marked("-----END "), open) {
            if ended != kind {
                return Err(wrong(path, format_args!("the block `{kind}` at line {line} ends as `{ended}`")));
            }
            found.push(Block { kind, line, text: &text[begin..end] });
            open = None;
        }
    }
    match open {
        Some((kind, line, _)) => {
            Err(wrong(path, format_args!("the block `{kind}` at line {line} has no end")))
        }
        None => Ok(found),
    }
}

/// The key fits no certificate, or one that is not the first.
fn mismatch(certificate: &Path, key: &Path, shown: &CertifiedKey, chain: &Chain) -> Error {
    let fits = |der: &CertificateDer<'static>| {
        CertifiedKey::new(vec![der.clone()], Arc::clone(&shown.key)).keys_match().is_ok()
    };
    match chain.iter().find(|(_, der)| fits(der)) {
        Some((line, _)) => wrong(
            certificate,
            format_args!(
                "the certificate of the key is at line {line} and must be the first, then who signed it"
            ),
        ),
        None => wrong(
            key,
            format_args!("its key does not belong to the certificate of {}", certificate.display()),
        ),
    }
}

/// What is not valid any more, not yet, or not for long.
fn aged(path: &Path, chain: &[Facts], now: i64) -> Vec<String> {
    const SOON: i64 = 14 * 86_400;
    let judge = |(at, facts): (usize, &Facts)| {
        let what = if at == 0 {
            "its certificate".to_owned()
        } else {
            format!("certificate {} of its chain", at + 1)
        };
        let said = if facts.not_after < now {
            format!("expired on {}", date(facts.not_after))
        } else if facts.not_before > now {
            format!("is valid from {} on", date(facts.not_before))
        } else if facts.not_after - now < SOON {
            format!("expires on {}", date(facts.not_after))
        } else {
            return None;
        };
        Some(format!("{}: {what} {said}", path.display()))
    };
    chain.iter().enumerate().filter_map(judge).collect()
}

/// "Each following certificate SHOULD directly certify the one immediately preceding it" (RFC 8446 §4.4.2).
fn disorder(path: &Path, chain: &[Facts]) -> Option<String> {
    let at = chain.windows(2).position(|pair| pair[0].issuer != pair[1].subject)?;
    let (one, next) = (at + 1, at + 2);
    Some(format!(
        "{}: certificate {next} did not sign certificate {one}: clients may not believe it",
        path.display()
    ))
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}
