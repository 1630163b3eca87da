//! Authorities, certificates and keys, made for a test and written where a proxy finds them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Whoever signs.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
pub(crate) struct Paper {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For these names, valid for long.
    pub(crate) fn sign(&self, names: &[&str]) -> Paper {
        self.sign_until(names, 2099)
    }

    /// For these names, until the first day of `year`.
    pub(crate) fn sign_until(&self, names: &[&str], year: i32) -> Paper {
        let mut params = named(names, names[0]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed").pem();
        Paper { certificate, key: key.serialize_pem() }
    }

    /// Its own certificate in a file.
    pub(crate) fn file(&self, dir: &Path, name: &str) -> PathBuf {
        place(&dir.join(name), &self.pem)
    }
}

impl Paper {
    /// In two files, `name.pem` and `name.key`, each put in place at once.
    pub(crate) fn put(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let certificate = place(&dir.join(format!("{name}.pem")), &self.certificate);
        (certificate, place(&dir.join(format!("{name}.key")), &self.key))
    }
}

fn named(names: &[&str], common: &str) -> CertificateParams {
    let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, common);
    params
}

/// As an administrator does it: root's, readable by the proxy's group, and there at once.
pub(crate) fn place(path: &Path, text: &str) -> PathBuf {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).expect("the directory is ours");
    fs::set_permissions(&fresh, Permissions::from_mode(0o640)).expect("it is ours");
    if geteuid().is_root() {
        let nobody = User::from_name("nobody").expect("users").expect("every system has nobody");
        chown(&fresh, None, Some(nobody.gid.as_raw())).expect("we are root");
    }
    fs::rename(&fresh, path).expect("the directory is ours");
    path.to_owned()
}
