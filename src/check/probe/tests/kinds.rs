//! Checks of other protocols, against servers that answer with bytes out of their manuals.

use super::*;

/// Checks a server that answers each thing it is sent with the next of `answers`, and then closes.
fn dialogue(kind: CheckKind, answers: &[&[u8]]) -> (Observation, String) {
    within(async {
        let (listener, address) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("the check connects");
            for answer in answers {
                let mut said = [0; 1024];
                if stream.read(&mut said).await.is_ok_and(|read| read > 0) {
                    let _enough_seen = stream.write_all(answer).await;
                }
            }
        };
        tokio::join!(check(address, kind, Duration::from_secs(5)), server).0
    })
}

fn postgres(role: Role) -> CheckKind {
    CheckKind::Postgres(PostgresCheck { role, user: "vipd".into(), database: None })
}

const LOGGED_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x09a\0bc\0Z\0\0\0\x05I";

fn in_recovery(is: &[u8]) -> Vec<u8> {
    let row = [b"D\0\0\0\x0b\0\x01\0\0\0\x01".as_slice(), is].concat();
    [b"T\0\0\0\x06\0\0".as_slice(), &row, b"C\0\0\0\x05\0Z\0\0\0\x05I"].concat()
}

#[test]
fn postgres_has_a_role() {
    let ask = |role, is: &[u8]| dialogue(postgres(role), &[LOGGED_IN, &in_recovery(is)]);
    assert!(ask(Role::Writer, b"f").1.starts_with("a primary in "));
    assert!(ask(Role::Follower, b"t").1.starts_with("a standby in "));
    let wrong = (Observation::Fail, "a standby, expected a primary".to_owned());
    assert_eq!(ask(Role::Writer, b"t"), wrong);
    let wrong = (Observation::Fail, "a primary, expected a standby".to_owned());
    assert_eq!(ask(Role::Follower, b"f"), wrong);
}

#[test]
fn postgres_that_wants_a_password_is_alive_and_no_more() {
    let scram: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    assert!(dialogue(postgres(Role::Any), &[scram]).1.starts_with("it asks for a password in "));
    let why = "it asks for a password (SCRAM), which this check does not have".to_owned();
    assert_eq!(dialogue(postgres(Role::Writer), &[scram]), (Observation::Fail, why));
}

#[test]
fn postgres_that_starts_or_refuses_says_so() {
    let starting: &[u8] = b"E\0\0\0\x2fSFATAL\0C57P03\0Mthe database is starting up\0\0";
    let why = "the database is starting up (57P03)".to_owned();
    assert_eq!(dialogue(postgres(Role::Any), &[starting]), (Observation::Fail, why));
    let refusing: &[u8] = b"E\0\0\0\x21SFATAL\0C28000\0Mno pg_hba\0\0\0\0\0";
    assert!(dialogue(postgres(Role::Any), &[refusing]).1.starts_with("it answers: no pg_hba (28000) in "));
    assert_eq!(dialogue(postgres(Role::Writer), &[refusing]).1, "no pg_hba (28000)");
}

#[test]
fn what_is_not_postgres_is_told() {
    assert_eq!(
        dialogue(postgres(Role::Any), &[b"HTTP/1.1 400 Bad Request\r\n"]).1,
        "not PostgreSQL: \"HTTP/\""
    );
    assert_eq!(dialogue(postgres(Role::Any), &[b""]).1, "closed the connection without an answer");
    let huge: &[u8] = b"R\x7f\xff\xff\xff";
    assert_eq!(dialogue(postgres(Role::Any), &[huge]).1, "not PostgreSQL: \"R\\x7f\\xff\\xff\\xff\"");
}

fn redis(role: Role) -> CheckKind {
    CheckKind::Redis(RedisCheck { role, password_file: None })
}

const MASTER: &[u8] = b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";

fn replica(link: &str) -> Vec<u8> {
    let length = link.len();
    format!("*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n${length}\r\n{link}\r\n:7\r\n").into()
}

#[test]
fn redis_has_a_role() {
    let failed = |why: &str| (Observation::Fail, why.to_owned());
    assert!(dialogue(redis(Role::Writer), &[MASTER]).1.starts_with("a master in "));
    assert_eq!(dialogue(redis(Role::Follower), &[MASTER]), failed("a master, expected a replica"));
    assert!(dialogue(redis(Role::Follower), &[&replica("connected")]).1.starts_with("a replica in "));
    assert_eq!(
        dialogue(redis(Role::Writer), &[&replica("connected")]),
        failed("a replica, expected a master")
    );
    let lost = failed("a replica whose link to its master is \"connect\"");
    assert_eq!(dialogue(redis(Role::Follower), &[&replica("connect")]), lost);
}

#[test]
fn redis_is_pinged() {
    assert!(dialogue(redis(Role::Any), &[b"+PONG\r\n"]).1.starts_with("PONG in "));
    let loading: &[u8] = b"-LOADING Redis is loading the dataset in memory\r\n";
    let why = "LOADING Redis is loading the dataset in memory".to_owned();
    assert_eq!(dialogue(redis(Role::Any), &[loading]), (Observation::Fail, why));
    let locked: &[u8] = b"-NOAUTH Authentication required.\r\n";
    assert!(dialogue(redis(Role::Any), &[locked]).1.starts_with("it asks for a password in "));
    let why = "NOAUTH Authentication required.".to_owned();
    assert_eq!(dialogue(redis(Role::Writer), &[locked]), (Observation::Fail, why));
    assert_eq!(dialogue(redis(Role::Any), &[b"HTTP/1.1 400\r\n"]).1, "not Redis: \"HTTP/1.1 400\"");
}

#[test]
fn a_server_that_does_not_speak_http2_serves_no_grpc() {
    let (seen, why) = dialogue(CheckKind::Grpc(String::new()), &[b"HTTP/1.1 400 Bad Request\r\n\r\n"]);
    assert_eq!(seen, Observation::Fail);
    assert!(why.starts_with("no HTTP/2: "), "{why}");
}

#[test]
fn a_proxy_that_is_root_runs_no_program() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let address = "127.0.0.1:1".parse().expect("an address");
    let kind = CheckKind::Exec(vec!["/bin/true".into()]);
    let (seen, why) = within(check(address, kind, Duration::from_secs(5)));
    assert_eq!(seen, Observation::Fail);
    assert!(why.starts_with("the proxy is root, and scripts never run as root"), "{why}");
}
