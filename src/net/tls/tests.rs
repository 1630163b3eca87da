//! What is said of the files of TLS.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use super::files::{Identity, authorities, identity};
use super::server::{self, Terms};
use super::tickets::Keys;
use crate::net::secret::Circle;

/// A directory of one test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vipd-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
        path
    }

    fn identity(&self, certificate: &str, key: &str) -> std::io::Result<Identity> {
        let (certificate, key) = (self.file("c.pem", certificate, 0o644), self.file("k.pem", key, 0o600));
        identity(&certificate, &key, &Circle::default(), NOW)
    }

    fn refusal(&self, certificate: &str, key: &str) -> String {
        let error = self.identity(certificate, key).expect_err("not to be used").to_string();
        error.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _already_gone = fs::remove_dir_all(&self.0);
    }
}

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;

struct Signed {
    authority: String,
    certificate: String,
    key: String,
}

fn signed(until: (i32, u8, u8)) -> Signed {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signer = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&signer).expect("signed").pem();
    let mut leaf = CertificateParams::new(["shop.example.com".to_owned()]).expect("a name");
    leaf.not_before = date_time_ymd(2020, 1, 1);
    leaf.not_after = date_time_ymd(until.0, until.1, until.2);
    leaf.distinguished_name.push(rcgen::DnType::CommonName, "shop");
    let key = KeyPair::generate().expect("a key");
    let certificate = leaf.signed_by(&key, &Issuer::new(params, signer)).expect("signed").pem();
    Signed { authority, certificate, key: key.serialize_pem() }
}

#[test]
fn a_pair_is_read_from_two_files_or_one() {
    let place = Place::new("pair");
    let Signed { authority, certificate, key } = signed((2099, 1, 1));
    let read = place.identity(&format!("{certificate}{authority}"), &key).expect("a pair");
    assert_eq!((read.shown.cert.len(), &read.warnings[..]), (2, &[][..]));
    assert!(read.facts.covers("shop.example.com"));
    let both = place.file("both.pem", &format!("{certificate}{key}"), 0o600);
    assert!(identity(&both, &both, &Circle::default(), NOW).is_ok());
}

#[test]
fn what_does_not_belong_together_is_refused_by_name_and_line() {
    let place = Place::new("mismatch");
    let (one, other) = (signed((2099, 1, 1)), signed((2099, 1, 1)));
    assert_eq!(
        place.refusal(&one.certificate, &other.key),
        "k.pem: its key does not belong to the certificate of c.pem"
    );
    let line = other.certificate.lines().count() + 1;
    assert_eq!(
        place.refusal(&format!("{}{}", other.certificate, one.certificate), &one.key),
        format!(
            "c.pem: the certificate of the key is at line {line} and must be the first, then who signed it"
        )
    );
}

#[test]
fn what_is_not_pem_is_refused_with_its_block() {
    let place = Place::new("pem");
    let Signed { certificate, key, .. } = signed((2099, 1, 1));
    assert_eq!(place.refusal("", &key), "c.pem: has no block `BEGIN CERTIFICATE`");
    assert_eq!(place.refusal(&certificate, "\n"), "k.pem: has no block `BEGIN PRIVATE KEY`");
    let cut = certificate.trim_end().rsplit_once('\n').expect("lines").0;
    assert_eq!(
        place.refusal(&format!("# site\n{cut}"), &key),
        "c.pem: the block `CERTIFICATE` at line 2 has no end"
    );
    let bent = certificate.replacen('M', "!", 1);
    assert_eq!(place.refusal(&bent, &key), "c.pem: the block `CERTIFICATE` at line 1 is malformed");
    let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(place.refusal(not_x509, &key), "c.pem: what begins at line 1 is no certificate (X.509)");
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    assert!(place.refusal(&certificate, &encrypted).contains("the key at line 1 is encrypted"));
    assert!(place.refusal(&certificate, &format!("{key}{key}")).contains("has two keys, at lines 1 and"));
    let authority = place.file("ca.pem", &format!("{certificate}{cut}"), 0o644);
    assert!(authorities(&authority).is_err());
}

#[test]
fn a_key_that_others_may_read_is_refused_and_one_of_the_group_is_not() {
    let place = Place::new("mode");
    let Signed { certificate, key, .. } = signed((2099, 1, 1));
    let certificate = place.file("c.pem", &certificate, 0o644);
    let read = |mode: u32, circle: &Circle| {
        let key = place.file("k.pem", &key, mode);
        identity(&certificate, &key, circle, NOW).map(|_| ()).map_err(|error| error.to_string())
    };
    let error = read(0o644, &Circle::default()).expect_err("others may read it");
    assert!(error.contains("has mode 0644, so others have access"), "{error}");
    assert!(read(0o640, &Circle::default()).is_err());
    // The group of the test's own user.
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid()).expect("users").expect("us");
    let circle = Circle::of(&me.name);
    assert_eq!(read(0o640, &circle), Ok(()));
    assert!(read(0o660, &circle).is_err() && read(0o644, &circle).is_err());
}

#[test]
fn age_and_order_are_warned_of() {
    let place = Place::new("age");
    let warnings = |certificate: &str, key: &str| {
        let warnings = place.identity(certificate, key).expect("usable").warnings;
        warnings.iter().map(|text| text.replace(&format!("{}/", place.0.display()), "")).collect::<Vec<_>>()
    };
    let old = signed((2025, 12, 31));
    assert_eq!(warnings(&old.certificate, &old.key), ["c.pem: its certificate expired on 2025-12-31"]);
    let soon = signed((2026, 1, 8));
    assert_eq!(warnings(&soon.certificate, &soon.key), ["c.pem: its certificate expires on 2026-01-08"]);
    let good = signed((2099, 1, 1));
    assert_eq!(
        warnings(&format!("{}{}", good.certificate, soon.certificate), &good.key),
        [
            "c.pem: certificate 2 of its chain expires on 2026-01-08",
            "c.pem: certificate 2 did not sign certificate 1: clients may not believe it"
        ]
    );
}

#[test]
fn the_suite_that_costs_us_least_is_agreed_on() {
    let place = Place::new("suite");
    let Signed { certificate, key, .. } = signed((2099, 1, 1));
    let identity = place.identity(&certificate, &key).expect("a pair");
    let keys = Keys::random().expect("random numbers");
    let server = server::config("web", &[identity], &Terms::default(), &keys).expect("a server");
    // As OpenSSL does, it puts AES-256 first.
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let client = client.with_safe_default_protocol_versions().expect("versions");
    let client = client.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = "shop.example.com".try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(server).expect("a server");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("memory takes all");
    server.read_tls(&mut &hello[..]).expect("all of it");
    server.process_new_packets().expect("a good hello");
    let agreed = server.negotiated_cipher_suite().map(|suite| suite.suite());
    assert_eq!(agreed, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
}
