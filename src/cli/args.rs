//! The command line. The texts here are the manual: what a command does, an example, how it ends.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config;
use crate::vrrp::Centis;

/// What stands below the help of every command.
const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  failed at run time
  64  the command line is wrong
  69  the daemon is not running
  77  a privilege is missing
  78  the config is invalid";

const EXAMPLES: &str = "\
Examples:
  vipd check --config ./vipd.toml   is this config right?
  vipd run                          what the service runs
  vipd status                       who holds the address, and why
  vipd handover                     let the other node take over, for maintenance
  vipd maintenance on --all         answer every request with the maintenance page
  vipd lab                          see it work on this machine, in network namespaces

Exit codes:
   0  done
   1  failed at run time
  64  the command line is wrong
  69  the daemon is not running
  77  a privilege is missing
  78  the config is invalid";

const CHECK_EXAMPLES: &str = "\
Examples:
  vipd check                             the installed config
  vipd check --config new.toml --show    another one, with every default stated

Prints every error in one go, with its place and what to write instead. Warnings do not fail the check. Where this
machine is one of the nodes, the interfaces of the config must exist on it, and the key files be in order.

Exit codes:
   0  valid
  64  the command line is wrong
  77  the file may not be read
  78  invalid, or there is no such file";

const STATUS_EXAMPLES: &str = "\
Examples:
  vipd status                         how things stand
  vipd status --watch                 the same, kept up to date; into a pipe: one line for each event
  vipd status --json | jq .routers    for a script
  vipd status --watch --json          one JSON object a line: a status, then every event

Exit codes:
   0  printed, whatever the state is
   1  the answer could not be read or printed
  64  the command line is wrong
  69  the daemon is not running
  77  the socket may not be used";

const HANDOVER_EXAMPLES: &str = "\
Examples:
  vipd handover                 this node gives up its addresses, another takes over in a few milliseconds
  vipd handover --router web    only this virtual router
  vipd handover --undo          compete again at the configured priority

Ask the node that is Active. It goes on watching and takes the addresses back when nobody else is there.

Exit codes:
   0  done
   1  refused, and nothing has changed
  64  the command line is wrong
  69  the daemon is not running
  77  the socket may not be used: be root, or the agent's own user";

const MAINTENANCE_EXAMPLES: &str = "\
Examples:
  vipd maintenance on web          every request of the frontend `web` gets its maintenance page
  vipd maintenance on --all        those of all frontends do
  vipd maintenance off --all       servers get them again
  vipd maintenance on web --json   for a script

The page is that of the config, `maintenance = { page = .. }` of the [[frontend]], or a plain sentence with status 503.
Requests that run are finished; a frontend with mode = \"tcp\" keeps its connections and closes new ones. Checks go on,
and the node's role is decided as ever: this is no fault.

It is this node's alone: after a takeover the other node's servers get the requests, unless it was told as well, so give
the command on every node. It holds until `off` or until the agent ends, and outlives a proxy that dies; for a page that
stays, change the config.

Exit codes:
   0  done; `in_effect` of --json tells whether a proxy listens that does so
   1  refused, and nothing has changed: there is no such frontend
  64  the command line is wrong
  69  the daemon is not running
  77  the socket may not be used: be root, or the agent's own user";

const RELEASE_EXAMPLES: &str = "\
Examples:
  vipd release    take our addresses off the interfaces of this machine

For when the daemon was killed; the service does it by itself (ExecStopPost=). It only touches addresses that vipd
set, is safe to run at any time, and does nothing when there are none.

Exit codes:
   0  none of our addresses is left
   1  an address could not be removed
  77  a privilege is missing (CAP_NET_ADMIN)
  78  the config is invalid";

const RUN_NOTES: &str = "\
Runs in the foreground: systemd (systemd/vipd.service) starts it and keeps it running. The log goes to standard
error; VIPD_LOG sets how much (error, warn, info, debug).

Exit codes:
   0  stopped by SIGTERM or SIGINT, addresses released
   1  failed at run time
  64  the command line is wrong
  77  a privilege is missing (CAP_NET_ADMIN, CAP_NET_RAW)
  78  the config is invalid, or this machine is none of its nodes";

const LAB_EXAMPLES: &str = "\
Examples:
  vipd lab                            the whole story, with a timeline and a table of figures
  vipd lab --quick                    a short one
  vipd lab --advert-interval 1s       the same with slow adverts
  vipd lab --keep                     leave the hosts running and say how to enter them

Needs no privileges where the kernel lets users create namespaces; nothing outside them is touched, and nothing is
left behind.

Exit codes:
   0  the story ended as it should
   1  it did not
  64  the command line is wrong
  77  neither root nor user namespaces";

/// Keeps a service address alive.
///
/// The nodes of a group watch each other (VRRP). One of them holds the address and passes requests on to the
/// application servers; another takes over when it fails.
#[derive(Debug, Parser)]
#[command(
    name = "vipd",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = EXIT_CODES,
    after_long_help = EXAMPLES
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command accepts, before or after its name.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// The config file, the same on every node.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "VIPD_CONFIG",
        default_value = "/etc/vipd/vipd.toml",
        help_heading = "Options of every command"
    )]
    pub(crate) config: PathBuf,
    /// Which node of the config this is [default: $VIPD_NODE, the hostname, or the node whose address is
    /// here]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Options of every command")]
    pub(crate) node: Option<String>,
    /// Where agent.sock is [default: $RUNTIME_DIRECTORY or /run/vipd]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Options of every command")]
    runtime_dir: Option<PathBuf>,
}

impl Global {
    /// Where the sockets are: the flag, what systemd made for the service, or the installed place.
    pub(crate) fn runtime_dir(&self) -> PathBuf {
        self.runtime_dir_or(std::env::var_os("RUNTIME_DIRECTORY"))
    }

    /// Where state is kept over restarts: what systemd made for the service. Nowhere without it.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        first_dir(std::env::var_os("STATE_DIRECTORY"))
    }

    fn runtime_dir_or(&self, variable: Option<OsString>) -> PathBuf {
        self.runtime_dir.clone().or_else(|| first_dir(variable)).unwrap_or_else(|| PathBuf::from("/run/vipd"))
    }
}

/// systemd.exec(5): several directories are separated by colons.
fn first_dir(variable: Option<OsString>) -> Option<PathBuf> {
    let all = variable.filter(|value| !value.is_empty())?.into_string().ok()?;
    all.split(':').next().map(PathBuf::from)
}

/// What vipd can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run this node: watch the others, hold the address when it is ours, start the proxy.
    #[command(after_help = RUN_NOTES)]
    Run,
    /// Say whether the config is right, and what is wrong with it.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckOptions),
    /// Show who holds the addresses, since when and why, and how the servers are.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusOptions),
    /// Let another node take the addresses over, or compete again after that.
    #[command(after_help = HANDOVER_EXAMPLES)]
    Handover(HandoverOptions),
    /// Let frontends of this node answer with their maintenance page, or serve again.
    #[command(after_help = MAINTENANCE_EXAMPLES)]
    Maintenance(MaintenanceOptions),
    /// Take our addresses off this machine.
    #[command(after_help = RELEASE_EXAMPLES)]
    Release,
    /// Build a pair in network namespaces, break it in every way and measure the takeovers.
    #[command(after_help = LAB_EXAMPLES)]
    Lab(LabOptions),
    /// For those who look into the daemon.
    #[command(hide = true, subcommand)]
    Debug(Debug),
    /// The data plane: a child of `run`.
    #[command(hide = true)]
    Proxy(ProxyOptions),
}

/// `vipd debug`.
#[derive(Debug, Subcommand)]
pub(crate) enum Debug {
    /// Print the flight recorder: the last inputs of the state machines and their effects, as JSON. Those of the last
    /// transitions are in $STATE_DIRECTORY/flight, usually /var/lib/vipd/flight.
    #[command(after_help = EXIT_CODES)]
    Dump,
}

/// `vipd check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckOptions {
    /// Print the config with every default stated.
    #[arg(long)]
    pub(crate) show: bool,
}

/// `vipd status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusOptions {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on until Ctrl-C: redraw on every change, or, into a pipe, print a line for every event.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// `vipd handover`.
#[derive(Debug, clap::Args)]
pub(crate) struct HandoverOptions {
    /// Only this virtual router [default: all of them]
    #[arg(long, value_name = "NAME")]
    pub(crate) router: Option<String>,
    /// Compete again at the configured priority.
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `vipd maintenance`.
#[derive(Debug, clap::Args)]
pub(crate) struct MaintenanceOptions {
    /// Begin or end it.
    pub(crate) action: Switch,
    /// The frontends, by their names in the config.
    #[arg(value_name = "FRONTEND", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) frontends: Vec<String>,
    /// All frontends.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a switch is put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// It begins.
    On,
    /// It ends.
    Off,
}

/// `vipd proxy`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProxyOptions {
    /// A frontend that is in maintenance from the first request on.
    #[arg(long, value_name = "FRONTEND")]
    pub(crate) maintenance: Vec<String>,
}

/// `vipd lab`.
#[derive(Debug, clap::Args)]
pub(crate) struct LabOptions {
    /// Leave the hosts running at the end and say how to enter them.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Leave out the slower chapters.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often the Active advertises: 10ms to 40.95s [default: as config/lab.toml says]
    #[arg(long, value_name = "DURATION", value_parser = config::advert_interval)]
    pub(crate) advert_interval: Option<Centis>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn the_runtime_directory_is_the_flag_then_systemds_then_the_installed_one() {
        let global = |flag: Option<&str>| Global {
            config: PathBuf::new(),
            node: None,
            runtime_dir: flag.map(PathBuf::from),
        };
        let of = |flag, variable: Option<&str>| global(flag).runtime_dir_or(variable.map(OsString::from));
        assert_eq!(of(Some("/a:b"), Some("/c")), PathBuf::from("/a:b"));
        assert_eq!(of(None, Some("/run/one:/run/two")), PathBuf::from("/run/one"));
        assert_eq!(of(None, Some("")), PathBuf::from("/run/vipd"));
        assert_eq!(of(None, None), PathBuf::from("/run/vipd"));
    }
}
