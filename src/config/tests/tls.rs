//! TLS, as files say it.

use std::path::PathBuf;

use super::*;

const POOL: &str = "pool = \"app\"";
const CHECK: &str = "check =";
const PAIR: &str = "certificate = \"/tls/a.pem\", key = \"/tls/a.key\"";

fn frontend(tls: &str) -> FrontendTls {
    let mut config = parsed(&with(POOL, &format!("{POOL}\ntls = {{ {tls} }}"))).config;
    config.frontends.swap_remove(0).tls.expect("it speaks TLS")
}

#[track_caller]
fn assert_wrong(tls: &str, expected: &str) {
    assert_problem(POOL, &format!("{POOL}\ntls = {tls}"), expected);
}

fn pair(certificate: &str, key: &str) -> KeyPair {
    KeyPair { certificate: certificate.into(), key: key.into() }
}

#[test]
fn a_frontend_has_one_pair_or_several() {
    let plain = FrontendTls {
        certificates: vec![pair("/tls/a.pem", "/tls/a.key")],
        min_version: TlsVersion::V12,
        client: None,
        alpn: vec!["h2".into(), "http/1.1".into()],
    };
    assert_eq!(frontend(PAIR), plain);
    assert_eq!(frontend(&format!("certificates = [{{ {PAIR} }}]")), plain);
    let one_file = frontend("certificate = \"/tls/a.pem\"").certificates;
    assert_eq!(one_file, [pair("/tls/a.pem", "/tls/a.pem")]);
    let two = frontend(&format!("certificates = [{{ {PAIR} }}, {{ certificate = \"/tls/b.pem\" }}]"));
    assert_eq!(two.certificates.len(), 2);
    let strict = frontend(&format!("{PAIR}, min_version = \"1.3\", client_ca = \"/tls/ca.pem\", alpn = []"));
    assert_eq!(strict.min_version, TlsVersion::V13);
    assert_eq!(strict.client, Some(ClientAuth { ca: "/tls/ca.pem".into(), required: true }));
    assert_eq!(strict.alpn, Vec::<String>::new());
    let lenient = frontend(&format!("{PAIR}, client = \"optional\", client_ca = \"/tls/ca.pem\""));
    assert!(!lenient.client.expect("clients are asked").required);
}

#[test]
fn what_is_said_is_shown_and_read_back() {
    let text = SMALL
        .replace(
            POOL,
            &format!("{POOL}\ntls = {{ {PAIR}, client = \"optional\", client_ca = \"/tls/ca.pem\" }}"),
        )
        .replace(CHECK, "tls = { verify = \"/tls/s.pem\", server_name = \"app.example.com\" }\ncheck =");
    let text = text.replace("{ http = \"/health\" }", "{ tls = { verify = \"/tls/c.pem\" } }");
    let text = format!("{text}\n[tls]\nticket_keys = \"/tls/tickets\"\n");
    let parsed = parsed(&text);
    assert_eq!(super::parsed(&show(&parsed.config)).config, parsed.config);
    let files: Vec<_> =
        parsed.tls_files.iter().map(|(file, place)| (file.clone(), &text[place.clone()])).collect();
    assert_eq!(
        files,
        [
            (TlsFile::Pair(pair("/tls/a.pem", "/tls/a.key")), "\"/tls/a.pem\""),
            (TlsFile::Ca("/tls/ca.pem".into()), "\"/tls/ca.pem\""),
            (TlsFile::Ca("/tls/s.pem".into()), "\"/tls/s.pem\""),
            (TlsFile::TicketKeys("/tls/tickets".into()), "\"/tls/tickets\""),
            (TlsFile::Ca("/tls/c.pem".into()), "{ tls = { verify = \"/tls/c.pem\" } }"),
        ]
    );
}

#[test]
fn what_contradicts_itself_names_both_places() {
    assert_wrong(
        &format!("{{ certificates = [{{ {PAIR} }}], key = \"/tls/b.key\" }}"),
        &format!("[{{ {PAIR} }}]: `certificates` stands for all of them; move it into the list"),
    );
    assert_wrong(
        &format!("{{ {PAIR}, client = \"required\" }}"),
        "\"required\": nobody signs the certificates of clients; add client_ca = \"/etc/vipd/tls/clients.pem\"",
    );
    assert_wrong(
        &format!("{{ {PAIR}, client = \"off\", client_ca = \"/tls/ca.pem\" }}"),
        "\"/tls/ca.pem\": clients are asked for no certificate; write client = \"optional\" or \"required\", or \
         remove client_ca",
    );
}

#[test]
fn what_is_wrong_says_what_to_write() {
    assert_wrong(
        "{ key = \"/tls/a.key\" }",
        "{ key = \"/tls/a.key\" }: tls has no `certificate`; add certificate = \"/etc/vipd/tls/site.pem\"",
    );
    assert_wrong(
        "{ certificate = \"a.pem\" }",
        "\"a.pem\": `a.pem` is not the full path of a file; write it from the root: \"/etc/vipd/tls/site.pem\"",
    );
    assert_wrong(
        &format!("{{ {PAIR}, min_version = \"1.0\" }}"),
        "\"1.0\": versions before 1.2 are broken (RFC 8996) and not spoken; write \"1.2\" or \"1.3\"",
    );
    assert_wrong(
        &format!("{{ {PAIR}, alpn = [\"h3\"] }}"),
        "[\"h3\"]: this release does not have \"h3\" yet; write \"h2\" or \"http/1.1\"",
    );
    let check = "check = { http = \"/health\"";
    let pool = |tls: &str, expected: &str| {
        assert_problem(check, &format!("tls = {tls}\n{check}, tls = true"), expected);
    };
    let help = "write true, \"off\" or a file: \"/etc/vipd/tls/servers.pem\"";
    pool("{ verify = false }", &format!("false: `verify` is not turned off in passing; {help}"));
    pool("{ verify = \"no\" }", &format!("\"no\": `no` is not the full path of a file; {help}"));
    pool(
        "{ server_name = \"app:443\" }",
        "\"app:443\": `app:443` has a port, and certificates are for names; write the name alone: \"app.example.com\"",
    );
    pool(
        "{ verify = \"off\" }",
        "warning: { verify = \"off\" }: anyone on the way can pretend to be a server of this pool; write verify = \
         \"/etc/vipd/tls/servers.pem\", the authority that signs their certificates",
    );
}

#[test]
fn a_check_that_asks_in_plain_where_tls_is_spoken_is_a_warning() {
    assert_problem(
        "check = {",
        "tls = {}\ncheck = {",
        "warning: { http = \"/health\" }: requests are sent in TLS, and the check asks in plain; add tls = { .. } to \
         the check, or another port",
    );
}

#[test]
fn a_frontend_needs_a_certificate() {
    let text = with(POOL, &format!("{POOL}\ntls = true"));
    let told =
        "true: expected a table, found a boolean; write tls = { certificate = \"/etc/vipd/tls/site.pem\" }";
    assert_eq!(problems(&text), [told]);
}

#[test]
fn a_pool_believes_the_system_unless_it_says_otherwise() {
    let pool =
        |tls: &str| parsed(&with(CHECK, &format!("tls = {tls}\n{CHECK}"))).config.pools.swap_remove(0).tls;
    let system = PoolTls { verify: Verify::System, server_name: None };
    assert_eq!(pool("{}"), Some(system.clone()));
    assert_eq!((pool("true"), pool("false")), (Some(system.clone()), None));
    assert_eq!(pool("{ verify = true }"), Some(system));
    let own = pool("{ verify = \"/tls/s.pem\", server_name = \"app.example.com\" }");
    let verify = Verify::Ca(PathBuf::from("/tls/s.pem"));
    assert_eq!(own, Some(PoolTls { verify, server_name: Some("app.example.com".into()) }));
    assert_eq!(parsed(SMALL).config.pools[0].tls, None);
}
