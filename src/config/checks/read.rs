//! `check` of a `[[pool]]` as the file has it.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::super::problem::{Problems, Wrong};
use super::super::quantity::duration_text;
use super::super::table::{Field, Table, wrong_type};
use super::super::tls;
use super::super::track::read::{path, words};
use super::super::value;
use super::{Check, CheckKind, HttpCheck, Method, PostgresCheck, RedisCheck, Role};

/// One check, or what is wrong with it has been said.
pub(in super::super) fn check(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Check> {
    let mut table = Table::open("check", value, problems)?;
    let tls = table.entry("tls").cloned();
    let kind = kind(&mut table, tls.as_ref().map(Spanned::span));
    let tls = tls::pool(tls.as_ref(), table.problems).map(|read| read.map(|read| read.valid));
    let pace = pace(&mut table);
    let rise = table.or("rise", 2, value::times);
    let fall = table.or("fall", 3, value::times);
    table.finish();
    let Pace { interval, timeout, fast_interval, down_interval } = pace?;
    let (rise, fall) = (rise?, fall?);
    Some(Check { kind: kind?, tls: tls?, interval, timeout, fast_interval, down_interval, rise, fall })
}

const KINDS: [&str; 6] = ["http", "tcp", "exec", "postgres", "redis", "grpc"];
const EXAMPLE: &str = "http = \"/health\" or tcp = true";

/// Exactly one of the kinds with its settings; `tls` alone is the handshake.
fn kind(table: &mut Table<'_, '_, '_, '_>, tls: Option<Range<usize>>) -> Option<CheckKind> {
    let given: Vec<_> =
        KINDS.iter().filter_map(|kind| table.entry(kind).map(|at| (*kind, at.span()))).collect();
    match (&given[..], tls) {
        ([], Some(_)) => Some(CheckKind::Tcp),
        ([], None) => {
            let place = table.place();
            let help = format!("add {EXAMPLE}");
            table.problems.missing(place, "the check does not say what to ask", &help);
            None
        }
        ([(kind @ ("exec" | "postgres"), place)], Some(tls)) => {
            let message = format!("a check by `{kind}` cannot speak TLS");
            let problem = table.problems.error(tls, message);
            problem.other(place.clone(), format!("`{kind}` is here")).help("remove `tls`");
            None
        }
        ([(kind, _)], _) => one(kind, table),
        ([(one, first), (other, place), ..], _) => {
            let message = format!("a check is either `{one}` or `{other}`");
            let problem = table.problems.error(place.clone(), message);
            problem.other(first.clone(), format!("`{one}` is here")).help("remove one of the two");
            None
        }
    }
}

fn one(kind: &str, table: &mut Table<'_, '_, '_, '_>) -> Option<CheckKind> {
    match kind {
        "http" => http(table).map(CheckKind::Http),
        "tcp" => table.required("tcp", "", only_true).map(|_| CheckKind::Tcp),
        "exec" => table.required("exec", "", words).map(|words| CheckKind::Exec(words.into_inner())),
        "postgres" => {
            let role = table.required("postgres", "", role(["primary", "standby", "any"]));
            let user = table.or("user", "postgres".to_owned(), identifier);
            let database = table.optional("database", identifier);
            let (role, database) = (role?.into_inner(), database?.map(Spanned::into_inner));
            Some(CheckKind::Postgres(PostgresCheck { role, user: user?, database }))
        }
        "redis" => {
            let role = table.required("redis", "", role(["master", "replica", "any"]));
            let file = table.optional("password_file", path);
            let (role, password_file) = (role?.into_inner(), file?.map(Spanned::into_inner));
            Some(CheckKind::Redis(RedisCheck { role, password_file }))
        }
        _ => table.required("grpc", "", service).map(|name| CheckKind::Grpc(name.into_inner())),
    }
}

fn http(table: &mut Table<'_, '_, '_, '_>) -> Option<HttpCheck> {
    let path = table.required("http", EXAMPLE, value::path);
    let method = table.optional("method", method);
    let host = table.optional("host", value::host);
    let request_headers = table.or("request_headers", Vec::new(), request_fields);
    let expect = table.or("expect", vec![(200, 399)], value::statuses);
    let expect_headers = table.or("expect_headers", Vec::new(), fields);
    let body = table.optional("body", body);
    let h2 = table.or("h2", false, boolean);
    let json = table.or("json", true, boolean);
    if let (Some(Some(method)), Some(Some(body))) = (&method, &body)
        && *method.get_ref() == Method::Head
    {
        let problem = table.problems.error(body.span(), "the answer to HEAD has no body to look at");
        problem.other(method.span(), "the method is set here").help("remove one of the two");
        return None;
    }
    Some(HttpCheck {
        method: method?.map_or(Method::Get, Spanned::into_inner),
        path: path?.into_inner(),
        host: host?.map(Spanned::into_inner),
        request_headers: request_headers?,
        expect: expect?,
        expect_headers: expect_headers?,
        body: body?.map(Spanned::into_inner),
        h2: h2?,
        json: json?,
    })
}

struct Pace {
    interval: Duration,
    timeout: Duration,
    fast_interval: Option<Duration>,
    down_interval: Option<Duration>,
}

fn pace(table: &mut Table<'_, '_, '_, '_>) -> Option<Pace> {
    let second = Duration::from_secs(1);
    let interval = table.optional("interval", value::wait);
    let timeout = table.or("timeout", second, value::wait);
    let fast = table.optional("fast_interval", wait_or_off);
    let down = table.optional("down_interval", wait_or_off);
    let usual = interval.as_ref()?.as_ref().map_or(second, |interval| *interval.get_ref());
    let place = interval?.map(|interval| interval.span());
    let (fast, down) = (fast?, down?);
    let wrong = |length: &Field<Option<Duration>>, is: &dyn Fn(Duration) -> bool| {
        let length = length.as_ref()?;
        length.get_ref().filter(|at| is(*at)).map(|_| length.span())
    };
    let usual_text = duration_text(usual);
    let mut complain = |at: Option<Range<usize>>, message: String| {
        let Some(at) = at else { return false };
        let problem = table.problems.error(at, message);
        if let Some(place) = place.clone() {
            problem.other(place, "`interval` is here");
        }
        problem.help("write \"off\", or correct one of the two");
        true
    };
    let slow = complain(
        wrong(&fast, &|fast| fast > usual),
        format!("`fast_interval` is longer than the interval of {usual_text}"),
    );
    let quick = complain(
        wrong(&down, &|down| down < usual),
        format!("`down_interval` is shorter than the interval of {usual_text}"),
    );
    if slow || quick {
        return None;
    }
    let [fast_interval, down_interval] = [fast, down].map(|at| at.and_then(Spanned::into_inner));
    Some(Pace { interval: usual, timeout: timeout?, fast_interval, down_interval })
}

fn only_true(value: &DeValue<'_>) -> Result<(), Wrong> {
    if value.as_bool() == Some(true) {
        return Ok(());
    }
    Err(Wrong::new("`tcp` can only be true").help(format!("write {EXAMPLE}")))
}

fn boolean(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| wrong_type("true or false", value))
}

fn wait_or_off(value: &DeValue<'_>) -> Result<Option<Duration>, Wrong> {
    if value.as_str() == Some("off") { Ok(None) } else { value::wait(value).map(Some) }
}

fn method(value: &DeValue<'_>) -> Result<Method, Wrong> {
    match value::one_of(value, &["GET", "HEAD"], &[])? {
        "HEAD" => Ok(Method::Head),
        _ => Ok(Method::Get),
    }
}

fn role(names: [&'static str; 3]) -> impl Fn(&DeValue<'_>) -> Result<Role, Wrong> {
    move |value| match value::one_of(value, &names, &[])? {
        name if name == names[0] => Ok(Role::Writer),
        name if name == names[1] => Ok(Role::Follower),
        _ => Ok(Role::Any),
    }
}

/// A user or a database of PostgreSQL: 1 to 63 bytes (NAMEDATALEN), no zero byte.
fn identifier(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = value::text(value)?;
    if name.is_empty() || name.len() > 63 || name.chars().any(char::is_control) {
        return Err(Wrong::new(format!("`{}` is no name for PostgreSQL", name.escape_debug()))
            .help("write 1 to 63 bytes: \"postgres\""));
    }
    Ok(name.to_owned())
}

/// A gRPC service, as in `package.Service`; empty: the whole server.
fn service(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = value::text(value)?;
    if name.len() > 200 || name.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(Wrong::new(format!("`{}` is no gRPC service", name.escape_debug()))
            .help("write \"package.Service\", or \"\" for the whole server"));
    }
    Ok(name.to_owned())
}

fn body(value: &DeValue<'_>) -> Result<String, Wrong> {
    match value::text(value)? {
        "" => Err(Wrong::new("every body contains the empty text").help("remove it")),
        text => Ok(text.to_owned()),
    }
}

/// Header fields: `{ "X-Ready" = "yes" }`.
fn fields(value: &DeValue<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let table = value.as_table().ok_or_else(|| {
        wrong_type("a table of header fields", value).help("write { \"X-Ready\" = \"yes\" }")
    })?;
    table.iter().map(|(name, value)| field(name.get_ref().as_ref(), value.get_ref())).collect()
}

/// A name is a token, a value is visible (RFC 9110 §5.1, §5.5).
fn field(name: &str, value: &DeValue<'_>) -> Result<(String, String), Wrong> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(Wrong::new(format!("`{}` cannot be the name of a header field", name.escape_debug())));
    }
    let text = value::text(value)?;
    if text.chars().any(char::is_control) || text.trim() != text {
        let message = format!("`{}` cannot be the value of a header field", text.escape_debug());
        return Err(Wrong::new(message).help("no control characters, and no space at its ends"));
    }
    Ok((name.to_owned(), text.to_owned()))
}

/// What a request may have besides the lines that every check writes itself.
fn request_fields(value: &DeValue<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let ours = ["host", "connection", "content-length", "transfer-encoding", "upgrade"];
    let fields = fields(value)?;
    match fields.iter().find(|(name, _)| ours.contains(&name.to_ascii_lowercase().as_str())) {
        Some((name, _)) => Err(Wrong::new(format!("the check writes `{name}` itself"))
            .help("remove it; the Host header is set with `host`")),
        None => Ok(fields),
    }
}
