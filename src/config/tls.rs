//! `tls` of a `[[frontend]]` and of a `[[pool]]`, and `[tls]`, what all of them share.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::checks::CheckKind;
use super::pools::Pool;
use super::problem::{Problems, Wrong};
use super::table::{Field, Table, wrong_type};
use super::valid::Mode;
use super::value::{self, of_text};

pub(super) mod show;

/// `tls` of a `[[frontend]]`: how it speaks TLS to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontendTls {
    /// Never empty. The client's SNI picks; the first is for clients that name none or another.
    pub certificates: Vec<KeyPair>,
    /// The oldest version of TLS that is spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// Whether clients show certificates. Default no.
    pub client: Option<ClientAuth>,
    /// The protocols that are agreed to (RFC 7301), best first. Default `h2` and `http/1.1`, without
    /// `h2` when the frontend does not speak it, in TCP mode none.
    pub alpn: Vec<String>,
}

/// A certificate and the key that belongs to it, both in PEM, full paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, then those that lead to a root that clients know.
    pub certificate: PathBuf,
    /// Its key. Default the same file.
    pub key: PathBuf,
}

/// What is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// Who signs their certificates: a file in PEM, a full path.
    pub ca: PathBuf,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    V12,
    /// RFC 8446.
    V13,
}

/// `tls` of a `[[pool]]` and of its check: how servers are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolTls {
    /// Whose certificates are believed. Default the system's authorities.
    pub verify: Verify,
    /// The name that servers must have a certificate for, and that they are asked for. Default their address.
    pub server_name: Option<String>,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verify {
    /// Those that an authority of the system has signed.
    #[default]
    System,
    /// Those that an authority in this file has signed: PEM, a full path.
    Ca(PathBuf),
    /// Anyone's.
    Off,
}

impl Verify {
    /// The file with the authorities, if anyone's certificate has to be signed; `system` knows where those of the system
    /// are.
    ///
    /// # Errors
    /// What `system` says.
    pub fn authorities<E>(
        &self,
        system: impl FnOnce() -> Result<&'static Path, E>,
    ) -> Result<Option<PathBuf>, E> {
        match self {
            Self::System => system().map(|file| Some(file.to_owned())),
            Self::Ca(file) => Ok(Some(file.clone())),
            Self::Off => Ok(None),
        }
    }
}

/// `[tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The keys of session tickets, the same file on every node. Default none: keys that die with the process.
    pub ticket_keys: Option<PathBuf>,
}

/// A file of TLS that the config names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// A certificate and its key.
    Pair(KeyPair),
    /// Authorities.
    Ca(PathBuf),
    /// Keys of session tickets.
    TicketKeys(PathBuf),
}

/// What was read, and where it names files.
pub(super) struct Read<T> {
    pub(super) valid: T,
    pub(super) place: Range<usize>,
    pub(super) files: Vec<(TlsFile, Range<usize>)>,
}

const CERTIFICATE: &str = "certificate = \"/etc/vipd/tls/site.pem\"";

/// `tls` of a frontend; `None` when something in it is wrong, `Some(None)` when there is none.
pub(super) fn frontend(
    value: Option<&Spanned<DeValue<'_>>>,
    mode: Option<Mode>,
    h2: Option<&Field<bool>>,
    problems: &mut Problems<'_>,
) -> Option<Option<Read<FrontendTls>>> {
    let Some(value) = value else { return Some(None) };
    if value.get_ref().as_table().is_none() {
        let help = format!("write tls = {{ {CERTIFICATE} }}");
        problems.wrong(value.span(), wrong_type("a table", value.get_ref()).help(help));
        return None;
    }
    let mut table = Table::open("tls", value, problems)?;
    let pairs = pairs(&mut table);
    let min_version = table.or("min_version", TlsVersion::default(), version);
    let client = client(&mut table);
    let alpn = table.or("alpn", None, |value| alpn(value, mode).map(Some));
    table.finish();
    let refused = h2.and_then(|h2| h2.as_ref()).filter(|h2| !*h2.get_ref());
    if let (Some(refused), Some(Some(alpn)), Some(Mode::Http)) = (refused, &alpn, mode)
        && alpn.iter().any(|name| name == "h2")
    {
        let problem =
            problems.error(value.span(), "`alpn` agrees to \"h2\", which the frontend does not speak");
        problem.other(refused.span(), "it is turned off here").help("remove one of the two");
    }
    let (pairs, client) = (pairs?, client?);
    let mut files: Vec<_> =
        pairs.iter().map(|pair| (TlsFile::Pair(pair.get_ref().clone()), pair.span())).collect();
    files.extend(client.iter().map(|(auth, place)| (TlsFile::Ca(auth.ca.clone()), place.clone())));
    let alpn = alpn.map(|alpn| alpn.unwrap_or_else(|| preset(mode, refused)));
    let valid = FrontendTls {
        certificates: pairs.into_iter().map(Spanned::into_inner).collect(),
        min_version: min_version?,
        client: client.map(|(auth, _)| auth),
        alpn: alpn?,
    };
    Some(Some(Read { valid, place: value.span(), files }))
}

/// What is agreed to unless the config says so itself; `refused`: HTTP/2 is turned off.
fn preset(mode: Option<Mode>, refused: Option<&Spanned<bool>>) -> Vec<String> {
    let names: &[_] = match (mode, refused) {
        (Some(Mode::Tcp), _) => &[],
        (_, None) => &["h2", "http/1.1"],
        (_, Some(_)) => &["http/1.1"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `certificate` and `key`, or `certificates` with several of them.
fn pairs(table: &mut Table<'_, '_, '_, '_>) -> Option<Vec<Spanned<KeyPair>>> {
    let Some(several) = table.entry("certificates") else { return Some(vec![pair(table)?]) };
    let single = table.entry("certificate").or(table.entry("key"));
    table.entry("key");
    if let Some(single) = single {
        let problem = table.problems.error(several.span(), "`certificates` stands for all of them");
        problem.other(single.span(), "and here is one more").help("move it into the list");
        return None;
    }
    let items = table.array("certificates", "certificates = [{ certificate = \"..\", key = \"..\" }]")?;
    let read: Vec<_> = items
        .iter()
        .filter_map(|item| {
            let mut table = Table::open("a certificate", item, table.problems)?;
            let pair = pair(&mut table);
            table.finish();
            pair
        })
        .collect();
    (read.len() == items.len()).then_some(read)
}

fn pair(table: &mut Table<'_, '_, '_, '_>) -> Option<Spanned<KeyPair>> {
    let certificate = table.required("certificate", CERTIFICATE, of_text(file));
    let key = table.optional("key", of_text(file));
    let (certificate, key) = (certificate?, key?);
    let (place, certificate) = (certificate.span(), certificate.into_inner());
    let key = key.map_or_else(|| certificate.clone(), Spanned::into_inner);
    Some(Spanned::new(place, KeyPair { certificate, key }))
}

/// `client_ca` and `client`.
fn client(table: &mut Table<'_, '_, '_, '_>) -> Option<Option<(ClientAuth, Range<usize>)>> {
    let ca = table.optional("client_ca", of_text(file));
    let client =
        table.optional("client", |value| value::one_of(value, &["off", "optional", "required"], &[]));
    let (ca, client) = (ca?, client?);
    let word = client.as_ref().map(|client| *client.get_ref());
    match (ca, word) {
        (None, None | Some("off")) => Some(None),
        (None, Some(_)) => {
            let place = client.map_or_else(|| table.place(), |client| client.span());
            let problem = table.problems.error(place, "nobody signs the certificates of clients");
            problem.help("add client_ca = \"/etc/vipd/tls/clients.pem\"");
            None
        }
        (Some(ca), Some("off")) => {
            let problem = table.problems.error(ca.span(), "clients are asked for no certificate");
            problem.help("write client = \"optional\" or \"required\", or remove client_ca");
            None
        }
        (Some(ca), word) => {
            let place = ca.span();
            Some(Some((ClientAuth { ca: ca.into_inner(), required: word != Some("optional") }, place)))
        }
    }
}

/// `tls` of a pool or of its check, `true` is all defaults; `None` when something in it is wrong, `Some(None)` when the
/// servers speak plain.
pub(super) fn pool(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Option<Read<PoolTls>>> {
    let Some(value) = value else { return Some(None) };
    if let Some(on) = value.get_ref().as_bool() {
        let usual = Read { valid: PoolTls::default(), place: value.span(), files: vec![] };
        return Some(on.then_some(usual));
    }
    let mut table = Table::open("tls", value, problems)?;
    let verify = table.optional("verify", verify);
    let server_name = table.optional("server_name", server_name);
    table.finish();
    let verify = verify?;
    let files = match &verify {
        Some(at) => match at.get_ref() {
            Verify::Ca(file) => vec![(TlsFile::Ca(file.clone()), at.span())],
            Verify::System | Verify::Off => vec![],
        },
        None => vec![],
    };
    let valid = PoolTls {
        verify: verify.map_or(Verify::System, Spanned::into_inner),
        server_name: server_name?.map(Spanned::into_inner),
    };
    Some(Some(Read { valid, place: value.span(), files }))
}

/// `[tls]`; `None` when something in it is wrong.
pub(super) fn settings(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Read<TlsSettings>> {
    let none = Read { valid: TlsSettings::default(), place: 0..0, files: vec![] };
    let Some(value) = value else { return Some(none) };
    let mut table = Table::open("[tls]", value, problems)?;
    let keys = table.optional(
        "ticket_keys",
        of_text(|text| if text == "none" { Ok(None) } else { file(text).map(Some) }),
    );
    table.later("acme");
    table.finish();
    let (place, keys) = keys?.map_or((0..0, None), |keys| (keys.span(), keys.into_inner()));
    let files = keys.iter().map(|keys| (TlsFile::TicketKeys(keys.clone()), place.clone())).collect();
    Some(Read { valid: TlsSettings { ticket_keys: keys }, place: value.span(), files })
}

/// What weakens a pool's TLS, or goes past it.
pub(super) fn lint(pool: &Pool, problems: &mut Problems<'_>) {
    let Some(Some(tls)) = &pool.tls else { return };
    if tls.valid.verify == Verify::Off {
        problems
            .warning(tls.place.clone(), "anyone on the way can pretend to be a server of this pool")
            .help(
                "write verify = \"/etc/vipd/tls/servers.pem\", the authority that signs their certificates",
            );
    }
    if let Some(Some(check)) = &pool.check
        && matches!(check.get_ref().kind, CheckKind::Http(_))
        && check.get_ref().tls.is_none()
    {
        let problem = problems.warning(check.span(), "requests are sent in TLS, and the check asks in plain");
        problem.other(tls.place.clone(), "TLS here").help("add tls = { .. } to the check, or another port");
    }
}

fn verify(value: &DeValue<'_>) -> Result<Verify, Wrong> {
    if value.as_bool() == Some(true) {
        return Ok(Verify::System);
    }
    let help = "write true, \"off\" or a file: \"/etc/vipd/tls/servers.pem\"";
    match value.as_str() {
        Some("off") => Ok(Verify::Off),
        Some(text) => file(text).map(Verify::Ca).map_err(|wrong| wrong.help(help)),
        None if value.as_bool() == Some(false) => {
            Err(Wrong::new("`verify` is not turned off in passing").help(help))
        }
        None => Err(wrong_type("true or a string", value).help(help)),
    }
}

/// What can stand in a certificate: a DNS name or an address, without a port.
fn server_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = value::host(value)?;
    if name.contains(':') && name.parse::<std::net::IpAddr>().is_err() {
        return Err(Wrong::new(format!("`{name}` has a port, and certificates are for names"))
            .help("write the name alone: \"app.example.com\""));
    }
    Ok(name)
}

fn version(value: &DeValue<'_>) -> Result<TlsVersion, Wrong> {
    match value.as_str() {
        Some("1.0" | "1.1") => Err(Wrong::new("versions before 1.2 are broken (RFC 8996) and not spoken")
            .help("write \"1.2\" or \"1.3\"")),
        _ => Ok(if value::one_of(value, &["1.2", "1.3"], &[])? == "1.3" {
            TlsVersion::V13
        } else {
            TlsVersion::V12
        }),
    }
}

fn alpn(value: &DeValue<'_>, mode: Option<Mode>) -> Result<Vec<String>, Wrong> {
    let example = "write [\"h2\", \"http/1.1\"]";
    let Some(items) = value.as_array() else { return Err(wrong_type("a list", value).help(example)) };
    let one = |item: &Spanned<DeValue<'_>>| match mode {
        Some(Mode::Tcp) => protocol(item.get_ref()),
        Some(Mode::Http) | None => {
            value::one_of(item.get_ref(), &["h2", "http/1.1"], &["h3"]).map(str::to_owned)
        }
    };
    items.iter().map(one).collect()
}

/// Any protocol: 1 to 255 bytes (RFC 7301 §3.1), here of ASCII.
fn protocol(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = value::text(value)?;
    if name.is_empty()
        || name.len() > 255
        || name.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'"')
    {
        return Err(
            Wrong::new(format!("`{}` is no protocol", name.escape_debug())).help("write it as in \"imap\"")
        );
    }
    Ok(name.to_owned())
}

fn file(text: &str) -> Result<PathBuf, Wrong> {
    value::full_path(text).map_err(|wrong| wrong.help("write it from the root: \"/etc/vipd/tls/site.pem\""))
}
