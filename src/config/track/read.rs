//! `track` and `notify` as the file has them: a pool is still a name.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::super::problem::{Problems, Program, Wrong};
use super::super::table::{Field, Table, wrong_type};
use super::super::value;
use super::{Command, Hook, Pace, Tracked, Tracker};

/// An item of `track`.
pub(in super::super) struct Item {
    pub(in super::super) place: Range<usize>,
    pub(in super::super) what: Option<What>,
    /// `None` when it is wrong, `Some(None)` when a failure is a fault.
    pub(in super::super) cost: Option<Field<u8>>,
}

/// What an item looks at.
pub(in super::super) enum What {
    /// A share of a pool's servers, in percent.
    Pool(Spanned<String>, u8),
    /// Something that needs nothing else of the file.
    Other(Tracked),
}

impl Item {
    /// The tracker, once its pool has been found.
    pub(in super::super) fn tracker(&self, index_of: impl Fn(&str) -> Option<usize>) -> Option<Tracker> {
        let what = match self.what.as_ref()? {
            What::Pool(name, healthy) => Tracked::Pool {
                pool: index_of(name.get_ref())?,
                name: name.get_ref().clone(),
                healthy: *healthy,
            },
            What::Other(tracked) => tracked.clone(),
        };
        Some(Tracker { what, cost: self.cost.as_ref()?.as_ref().map(|cost| *cost.get_ref()) })
    }

    /// What it is called, for comparing and for messages.
    pub(in super::super) fn name(&self) -> Option<String> {
        Some(match self.what.as_ref()? {
            What::Pool(name, _) => format!("pool {}", name.get_ref()),
            What::Other(tracked) => tracked.to_string(),
        })
    }

    /// The program that it runs.
    pub(in super::super) fn program(&self) -> Option<Program> {
        match self.what.as_ref()? {
            What::Other(Tracked::Script { command, .. }) => Some(Program::of(command, self.place.clone())),
            What::Other(_) | What::Pool(..) => None,
        }
    }
}

/// `track`; absent and empty are the same. Items that are wrong are left out and counted as an error.
pub(in super::super) fn track(table: &mut Table<'_, '_, '_, '_>) -> Vec<Item> {
    let Some(value) = table.entry("track") else { return Vec::new() };
    let Some(items) = value.get_ref().as_array() else {
        let wrong = wrong_type("a list", value.get_ref()).help("write track = [{ interface = \"eth1\" }]");
        table.problems.wrong(value.span(), wrong);
        return Vec::new();
    };
    items.iter().filter_map(|item| read_item(item, table.problems)).collect()
}

fn read_item(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Item> {
    let mut table = Table::open("a tracker", value, problems)?;
    let what = what(&mut table);
    let cost = table.optional("priority", cost);
    table.finish();
    Some(Item { place: value.span(), what, cost })
}

const KINDS: [&str; 5] = ["interface", "pool", "script", "file", "gateway"];

/// Exactly one of the kinds, with its settings.
fn what(table: &mut Table<'_, '_, '_, '_>) -> Option<What> {
    let given: Vec<_> =
        KINDS.iter().filter_map(|kind| table.entry(kind).map(|at| (*kind, at.span()))).collect();
    match &given[..] {
        [("pool", _)] => {
            let name = table.required("pool", "", value::name);
            let healthy = table.required("healthy", "healthy = \"50%\"", percent);
            Some(What::Pool(name?, healthy?.into_inner()))
        }
        [(kind, _)] => tracked(kind, table).map(What::Other),
        [] => {
            let place = table.place();
            let help = "add interface = \"eth1\", pool, script, file or gateway";
            table.problems.missing(place, "the tracker does not say what to look at", help);
            None
        }
        [(one, first), (other, place), ..] => {
            let message = format!("a tracker is either `{one}` or `{other}`");
            let problem = table.problems.error(place.clone(), message);
            problem.other(first.clone(), format!("`{one}` is here")).help("write two trackers");
            None
        }
    }
}

fn tracked(kind: &str, table: &mut Table<'_, '_, '_, '_>) -> Option<Tracked> {
    match kind {
        "interface" => {
            table.required("interface", "", value::interface).map(|at| Tracked::Interface(at.into_inner()))
        }
        "script" => {
            let words = table.required("script", "", words);
            let user = table.or("user", USER.to_owned(), user);
            let pace = pace(table);
            let command = Command { words: words?.into_inner(), user: user? };
            Some(Tracked::Script { command, pace: pace? })
        }
        "file" => {
            let path = table.required("file", "", path);
            let interval = table.or("interval", Pace::DEFAULT.interval, value::wait);
            Some(Tracked::File { path: path?.into_inner(), interval: interval? })
        }
        _ => {
            let address = table.required("gateway", "", gateway);
            let pace = pace(table);
            Some(Tracked::Gateway { address: address?.into_inner(), pace: pace? })
        }
    }
}

impl Pace {
    /// The same as of a pool's checks.
    const DEFAULT: Self =
        Self { interval: Duration::from_secs(1), timeout: Duration::from_secs(1), rise: 2, fall: 3 };
}

/// Whom programs run as: the user that owns nothing.
const USER: &str = "nobody";

fn pace(table: &mut Table<'_, '_, '_, '_>) -> Option<Pace> {
    let interval = table.or("interval", Pace::DEFAULT.interval, value::wait);
    let timeout = table.or("timeout", Pace::DEFAULT.timeout, value::wait);
    let rise = table.or("rise", Pace::DEFAULT.rise, value::times);
    let fall = table.or("fall", Pace::DEFAULT.fall, value::times);
    Some(Pace { interval: interval?, timeout: timeout?, rise: rise?, fall: fall? })
}

/// `notify`: the words of a command, or a table with `run`. Absent and empty are the same. `None` when it is wrong.
pub(in super::super) fn notify(table: &mut Table<'_, '_, '_, '_>) -> Option<Field<Hook>> {
    let Some(value) = table.entry("notify") else { return Some(None) };
    let hook = match value.get_ref().as_array() {
        Some(words) if words.is_empty() => return Some(None),
        Some(_) => match words(value.get_ref()) {
            Ok(words) => Hook { command: Command { words, user: USER.to_owned() }, timeout: HOOK_TIMEOUT },
            Err(wrong) => {
                table.problems.wrong(value.span(), wrong);
                return None;
            }
        },
        None => hook(value, table.problems)?,
    };
    Some(Some(Spanned::new(value.span(), hook)))
}

/// Long enough for an interface of a cloud provider to answer.
const HOOK_TIMEOUT: Duration = Duration::from_secs(10);

fn hook(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Hook> {
    let mut table = Table::open("notify", value, problems)?;
    let words = table.required("run", "run = [\"/usr/local/bin/on-change\"]", words);
    let user = table.or("user", USER.to_owned(), user);
    let timeout = table.or("timeout", HOOK_TIMEOUT, value::wait);
    table.finish();
    Some(Hook { command: Command { words: words?.into_inner(), user: user? }, timeout: timeout? })
}

/// What a failure takes from the priority.
fn cost(value: &DeValue<'_>) -> Result<u8, Wrong> {
    let priority = value::integer(value, -253..=-1, "what a failure does to the priority")
        .map_err(|wrong| wrong.help("write -50, say; without `priority` a failure is a fault"))?;
    u8::try_from(-priority).map_err(|_| Wrong::new("the priority goes down by 1 to 253"))
}

/// `"50%"`.
pub(in super::super) fn percent(value: &DeValue<'_>) -> Result<u8, Wrong> {
    let text = value::text(value)?;
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    number.filter(|share| (1..=100).contains(share)).ok_or_else(|| {
        Wrong::new(format!("`{}` is no share of the servers", text.escape_debug()))
            .help("write \"1%\" to \"100%\"")
    })
}

/// A program and its arguments. No shell reads them, so each is a word of its own.
pub(in super::super) fn words(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    let example = "write the program and each of its arguments: [\"/usr/local/bin/check\", \"arg\"]";
    let Some(items) = value.as_array() else {
        return Err(wrong_type("a list of words; no shell reads it", value).help(example));
    };
    let words = items.iter().map(|item| value::text(item.get_ref()).map(str::to_owned));
    let words = words.collect::<Result<Vec<_>, _>>()?;
    if words.iter().any(|word| word.contains('\0')) {
        return Err(Wrong::new("a word of a command has no zero byte"));
    }
    match words.first() {
        Some(program) if program.starts_with('/') && !program.ends_with('/') => Ok(words),
        Some(program) => Err(Wrong::new(format!("`{}` is no absolute path", program.escape_debug())).help(
            "$PATH is not searched: begin the program with /, and write each argument as its own word",
        )),
        None => Err(Wrong::new("there is nothing to run").help(example)),
    }
}

/// The full path of a file.
pub(in super::super) fn path(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    let path = value::text(value)?;
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let wrong = Wrong::new(format!("`{}` is no absolute path of a file", path.escape_debug()));
        return Err(wrong.help("begin it with /: \"/etc/vipd/maintenance\""));
    }
    Ok(path.into())
}

/// Whom a program runs as. That the name is not another one for root is seen when it is run.
fn user(value: &DeValue<'_>) -> Result<String, Wrong> {
    match value::user(value)? {
        user if user == "root" => Err(Wrong::new("scripts never run as root")
            .help("write a user of its own, one that may do what the script does")),
        user => Ok(user),
    }
}

fn gateway(value: &DeValue<'_>) -> Result<Ipv4Addr, Wrong> {
    let text = value::text(value)?;
    let address = text.parse::<Ipv4Addr>().ok();
    address.filter(|at| !at.is_unspecified() && !at.is_multicast() && !at.is_broadcast()).ok_or_else(|| {
        Wrong::new(format!("`{}` is not the IPv4 address of a gateway", text.escape_debug()))
            .help("write it like \"10.77.0.254\"")
    })
}
