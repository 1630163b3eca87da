//! `per_source` of a `[[frontend]]`: what one source of clients may have.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Problems, Wrong};
use super::proxy_protocol::{self, Network};
use super::raw::{File, Frontend};
use super::table::{Field, Table, wrong_type};
use super::valid::Mode;
use super::value::{self, count};
use crate::pool::{Bounds, Rate};

/// What one source of clients may have of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerSource {
    /// The limits; at least one.
    pub bounds: Bounds,
    /// Leading bits of an IPv6 address that make a source, 1..=128. Default 64, which is what one network has (RFC 6177).
    pub ipv6_prefix: u8,
    /// How many sources are told apart at a time. Default 65,536.
    pub table: usize,
    /// Who has no limits. Default nobody.
    pub except: Vec<Network>,
}

impl PerSource {
    /// `bounds` for sources as they are unless anything else is said.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ipv6_prefix: 64, table: 65_536, except: Vec::new() }
    }

    /// The bits of `address` that make its source; `None`: it has no limits. An IPv4 address in IPv6 is an IPv4 address.
    #[must_use]
    pub fn source(&self, address: IpAddr) -> Option<IpAddr> {
        if self.except.iter().any(|network| network.contains(address)) {
            return None;
        }
        Some(match address.to_canonical() {
            IpAddr::V6(address) => {
                let host = 128_u32.saturating_sub(self.ipv6_prefix.into());
                IpAddr::V6((address.to_bits() & u128::MAX.checked_shl(host).unwrap_or(0)).into())
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// What the periods of a rate are called.
const PERIODS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];
const MOST: i64 = 1_000_000;
const HELP: &str =
    "write per_source = { connections = 100, connection_rate = \"50/s\", request_rate = \"200/s\" }";

/// `per_source` as the file has it.
pub(super) struct Read {
    pub(super) valid: PerSource,
    place: Range<usize>,
    /// Where requests are limited.
    requests: Option<Range<usize>>,
    connections: Option<Spanned<u32>>,
}

/// `per_source`; `None` when it is wrong, `Some(None)` when it is not given.
pub(super) fn per_source(
    value: Option<&Spanned<DeValue<'_>>>,
    problems: &mut Problems<'_>,
) -> Option<Option<Read>> {
    let Some(value) = value else { return Some(None) };
    if value.get_ref().as_str() == Some("off") {
        return Some(None);
    }
    if value.get_ref().as_table().is_none() {
        problems.wrong(value.span(), wrong_type("a table or \"off\"", value.get_ref()).help(HELP));
        return None;
    }
    let mut table = Table::open("per_source", value, problems)?;
    let usual = PerSource::new(Bounds::default());
    let connections = table.optional("connections", number("a number of connections"));
    let connection_rate = paced(&mut table, "connection_rate", "connection_burst");
    let request_rate = paced(&mut table, "request_rate", "request_burst");
    let ipv6_prefix = table.or("ipv6_prefix", usual.ipv6_prefix, prefix);
    let places = table.or("table", usual.table, count("a number of sources", 1_024..=16_777_216));
    let except = table.or("except", usual.except, proxy_protocol::networks);
    table.finish();
    let (connections, connection_rate, request_rate) = (connections?, connection_rate?, request_rate?);
    if connections.is_none() && connection_rate.is_none() && request_rate.is_none() {
        problems.error(value.span(), "per_source limits nothing".to_owned()).help(HELP);
        return None;
    }
    let rate = |rate: &Field<Rate>| rate.as_ref().map(|rate| *rate.get_ref());
    let bounds = Bounds {
        connections: connections.as_ref().map(|most| *most.get_ref()),
        connection_rate: rate(&connection_rate),
        request_rate: rate(&request_rate),
    };
    let valid = PerSource { bounds, ipv6_prefix: ipv6_prefix?, table: places?, except: except? };
    let requests = request_rate.map(|rate| rate.span());
    Some(Some(Read { valid, place: value.span(), requests, connections }))
}

/// A rate and its burst, which is what comes in one period unless it is given.
fn paced(
    table: &mut Table<'_, '_, '_, '_>,
    rate_key: &'static str,
    burst_key: &'static str,
) -> Option<Field<Rate>> {
    let rate = table.optional(rate_key, rate);
    let burst = table.optional(burst_key, number("a burst"));
    let (rate, burst) = (rate?, burst?);
    match (rate, burst) {
        (Some(rate), burst) => {
            let burst = burst.map_or(rate.get_ref().burst, Spanned::into_inner);
            Some(Some(Spanned::new(rate.span(), Rate { burst, ..*rate.get_ref() })))
        }
        (None, Some(burst)) => {
            let message = format!("`{burst_key}` is about a `{rate_key}`, and there is none");
            table.problems.error(burst.span(), message).help(format!("add {rate_key} = \"50/s\""));
            None
        }
        (None, None) => Some(None),
    }
}

/// `"50/s"`: so many a second, `m` minute or `h` hour.
fn rate(value: &DeValue<'_>) -> Result<Rate, Wrong> {
    let help = "write a number and s, m or h for a second, a minute or an hour: \"50/s\", \"600/m\"";
    if let DeValue::Integer(number) = value {
        let help = format!("write \"{}/s\" with its period, in quotes", number.as_str());
        return Err(Wrong::new("a rate needs a period").help(help));
    }
    let text = value::text(value)?;
    let wrong = || Wrong::new(format!("`{}` is no rate", text.escape_debug())).help(help);
    let (number, period) = text.split_once('/').ok_or_else(wrong)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let named = PERIODS.iter().find(|(name, _)| *name == period);
    let (true, Some((_, seconds))) = (digits, named) else { return Err(wrong()) };
    let count = number.parse().ok().filter(|count| (1..=MOST).contains(&i64::from(*count)));
    let count: u32 = count.ok_or_else(|| {
        Wrong::new(format!("a rate is 1 to {MOST} in its period"))
            .help("write \"1/m\" or \"1/h\" for what may come less than once a second")
    })?;
    Ok(Rate { count, period: Duration::from_secs(*seconds), burst: count })
}

fn number(what: &'static str) -> impl Fn(&DeValue<'_>) -> Result<u32, Wrong> {
    move |value| {
        let number = value::integer(value, 1..=MOST, what)?;
        u32::try_from(number).map_err(|_| Wrong::new(format!("this is too large for {what}")))
    }
}

fn prefix(value: &DeValue<'_>) -> Result<u8, Wrong> {
    let bits = value::integer(value, 1..=128, "a prefix of IPv6")?;
    u8::try_from(bits).map_err(|_| Wrong::new("a prefix of IPv6 is 1 to 128"))
}

/// Records limits on what a frontend does not see.
pub(super) fn cross_check(file: &File, problems: &mut Problems<'_>) {
    for frontend in file.frontends.iter().filter(|frontend| frontend.mode == Some(Mode::Tcp)) {
        let Some(place) = given(frontend).and_then(|read| read.requests.clone()) else { continue };
        let message = "a frontend with mode = \"tcp\" sees no requests".to_owned();
        let problem = problems
            .error(place, message)
            .help("limit its `connections` or `connection_rate`, or use mode = \"http\"");
        if let Some(mode) = frontend.mode_place.clone() {
            problem.other(mode, "the mode is here");
        }
    }
}

/// Records limits that strike all clients together, or none.
pub(super) fn lint(file: &File, problems: &mut Problems<'_>) {
    for frontend in &file.frontends {
        let Some(read) = given(frontend) else { continue };
        let believes = frontend.accept_proxy.as_ref().is_some_and(|networks| !networks.is_empty());
        let local = |bind: &Spanned<std::net::SocketAddr>| bind.get_ref().ip().is_loopback();
        if !believes && frontend.bind.iter().all(local) {
            let message = "who connects here is on this machine: all its clients are one source".to_owned();
            problems.warning(read.place.clone(), message).help(
                "let the program in front say who they are, and list it in `accept_proxy`, or remove `per_source`",
            );
        }
        let Some(limits) = &file.limits else { continue };
        if let Some(most) = &read.connections
            && usize::try_from(*most.get_ref()).is_ok_and(|most| most >= limits.connections)
        {
            let all = limits.connections;
            let message = format!("limits.connections is {all} for all sources together");
            problems.warning(most.span(), message).help(format!("write less than {all} for one of them"));
        }
        if read.connections.is_some() && read.valid.table < limits.connections {
            let (table, all) = (read.valid.table, limits.connections);
            let message =
                format!("a table of {table} has no place for each of {all} clients: some count together");
            let enough = all.saturating_mul(4);
            problems.warning(read.place.clone(), message).help(format!("add table = {enough}"));
        }
    }
}

fn given(frontend: &Frontend) -> Option<&Read> {
    frontend.per_source.as_ref()?.as_ref()
}

/// The limits as `vipd check --show` prints them.
pub(super) fn show(per_source: Option<&PerSource>) -> String {
    let Some(PerSource { bounds, ipv6_prefix, table, except }) = per_source else {
        return "\"off\"".to_owned();
    };
    let connections = bounds.connections.map(|most| format!("connections = {most}"));
    let rate = |name: &str, rate: Option<Rate>| {
        let Rate { count, period, burst } = rate?;
        let (period, _) = PERIODS.iter().find(|(_, seconds)| *seconds == period.as_secs())?;
        Some(format!("{name}_rate = \"{count}/{period}\", {name}_burst = {burst}"))
    };
    let except: Vec<_> = except.iter().map(|network| format!("\"{network}\"")).collect();
    let limits = [
        connections,
        rate("connection", bounds.connection_rate),
        rate("request", bounds.request_rate),
        Some(format!("ipv6_prefix = {ipv6_prefix}, table = {table}, except = [{}]", except.join(", "))),
    ];
    format!("{{ {} }}", limits.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
