//! A program of the operator, run as someone harmless: its own user and never root, no capability, no way to get one
//! (PR_SET_NO_NEW_PRIVS), a session of its own that ends with it. Real time is not inherited (see [`super::realtime`]).
//!
//! Nothing here waits on the caller's thread: fork(2) returns when the child has executed its program, and a name
//! service, a file system or a busy machine may take their time for that, so a thread for blocking work starts it.
//! When to stop a program is the caller's decision.

use std::fmt;
use std::io::{self, PipeReader, PipeWriter, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Pid, Uid, User, geteuid, setgid, setgroups, setuid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::pidfd::PidFd;
use super::trusted;

/// What is run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The program's absolute path and its arguments.
    pub words: Vec<String>,
    /// Whom it runs as.
    pub user: String,
    /// Its environment, besides `PATH`, `LANG`, `HOME`, `USER` and `LOGNAME`.
    pub environment: Vec<(&'static str, String)>,
    /// Its standard input; at most [`MAX_INPUT`] bytes of it.
    pub input: Vec<u8>,
}

/// What fits into a pipe at once (pipe(7)), so that nobody waits for the program to read it.
pub const MAX_INPUT: usize = 64 << 10;

/// Why a program does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// It is not run until someone changes it: its path, its mode or its user.
    Refused(String),
    /// The system could not start it this time.
    Failed(String),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NotStarted {}

/// A running program. Dropping it kills its session.
#[derive(Debug)]
pub struct Program {
    session: Session,
    pidfd: PidFd,
    output: Option<Receiver>,
    said: Vec<u8>,
}

/// How much of what it says is kept.
const KEPT: usize = 4 << 10;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Program {
    /// Starts `order`, unless others could have replaced the program or it would be root. Needs a tokio runtime with
    /// I/O. Dropping the future kills what was started.
    ///
    /// # Errors
    /// Why it does not run.
    pub async fn start(order: Order) -> Result<Self, NotStarted> {
        let failed =
            |error: &dyn fmt::Display| NotStarted::Failed(format!("it could not be watched: {error}"));
        let started = tokio::task::spawn_blocking(move || spawn(&order)).await;
        let (session, output) = started.map_err(|error| failed(&error))??;
        let pidfd = PidFd::open(session.child.id()).map_err(|error| failed(&error))?;
        let output = Receiver::from_owned_fd(OwnedFd::from(output)).map_err(|error| failed(&error))?;
        Ok(Self { session, pidfd, output: Some(output), said: Vec::new() })
    }

    /// Waits for its end, and then ends what it left running. May be dropped and called again.
    ///
    /// # Errors
    /// The reactor is gone.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            tokio::select! {
                ended = self.pidfd.ended() => {
                    ended?;
                    break;
                }
                open = listen(&mut self.output, &mut self.said) => if !open {
                    self.output = None;
                },
            }
        }
        self.listen_to_the_rest();
        self.session.end()
    }

    /// Asks everything in its session to stop (SIGTERM).
    pub fn terminate(&self) {
        self.session.signal(Signal::SIGTERM);
    }

    /// Ends everything in its session (SIGKILL).
    pub fn kill(&self) {
        self.session.signal(Signal::SIGKILL);
    }

    /// The first line that it wrote to its standard output or standard error, without what a terminal would obey.
    pub fn first_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.said);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().filter(|letter| !letter.is_control()).take(LINE).collect())
    }

    /// What is in the pipe already; a process that outlived its leader may hold it open.
    fn listen_to_the_rest(&mut self) {
        let Some(output) = &self.output else { return };
        let mut buffer = [0; 1024];
        while self.said.len() < KEPT {
            match output.try_read(&mut buffer) {
                Ok(length) if length > 0 => keep(&mut self.said, &buffer[..length]),
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Longer lines are cut: they stand in a table.
const LINE: usize = 200;

/// How a program ended: `was killed by SIGKILL`, `exited with code 1`.
pub fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => match Signal::try_from(signal) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {signal}"),
        },
        (None, code) => format!("exited with code {}", code.unwrap_or(-1)),
    }
}

/// Reads a little more; `false` when there will be no more. Never ready without a pipe.
async fn listen(output: &mut Option<Receiver>, said: &mut Vec<u8>) -> bool {
    let Some(output) = output else { return std::future::pending().await };
    let mut buffer = [0; 1024];
    match output.read(&mut buffer).await {
        Ok(length) if length > 0 => {
            keep(said, &buffer[..length]);
            true
        }
        Ok(_) | Err(_) => false,
    }
}

fn keep(said: &mut Vec<u8>, more: &[u8]) {
    let room = KEPT.saturating_sub(said.len());
    said.extend_from_slice(&more[..more.len().min(room)]);
}

/// The leader of a session. Until it is reaped, nobody else can get the number of its process group.
#[derive(Debug)]
struct Session {
    child: Child,
    reaped: bool,
}

impl Session {
    fn signal(&self, signal: Signal) {
        if let Ok(leader) = i32::try_from(self.child.id())
            && !self.reaped
        {
            let _all_gone = killpg(Pid::from_raw(leader), signal);
        }
    }

    /// Kills what is left of it and takes the leader's status.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        // Without waiting, which is for [`Session::end`]; otherwise init reaps it when we end.
        let _not_yet = self.child.try_wait();
    }
}

/// Everything that may take its time.
fn spawn(order: &Order) -> Result<(Session, PipeReader), NotStarted> {
    let user = account(&order.user)?;
    let program = order.words.first().map_or("", String::as_str);
    trusted::program(Path::new(program), &[user.uid.as_raw()])
        .map_err(|why| NotStarted::Refused(format!("{why}; {}", why.help())))?;
    let failed = |error: io::Error| {
        NotStarted::Failed(format!("{program} could not be run as {}: {error}", user.name))
    };
    let (output, theirs) = pipe().map_err(failed)?;
    let mut command = command(order, &user, &theirs).map_err(failed)?;
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = &order.input[..order.input.len().min(MAX_INPUT)];
        // A program that does not want to know has closed it.
        let _closed = stdin.write_all(input);
    }
    Ok((Session { child, reaped: false }, output))
}

/// The account of a user that programs may run as: never root, by whatever name.
///
/// # Errors
/// There is no such user, it is root, or nobody knows.
pub fn account(name: &str) -> Result<User, NotStarted> {
    match User::from_name(name) {
        Ok(Some(user)) if user.uid.is_root() => {
            Err(NotStarted::Refused(format!("{name} is root, and scripts never run as root")))
        }
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(NotStarted::Refused(format!("there is no user {name}: `useradd --system {name}`"))),
        Err(error) => Err(NotStarted::Failed(format!("the user {name} could not be looked up: {error}"))),
    }
}

fn command(order: &Order, user: &User, output: &PipeWriter) -> io::Result<Command> {
    let (program, arguments) = order.words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env_clear();
    command.envs([("PATH", PATH), ("LANG", "C.UTF-8"), ("USER", &user.name), ("LOGNAME", &user.name)]);
    command.env("HOME", &user.dir).envs(order.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(if order.input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    let (uid, gid) = (user.uid, user.gid);
    let harmless = move || become_harmless(uid, gid);
    // SAFETY: between fork and exec only system calls are made; nothing allocates or takes a lock.
    #[expect(unsafe_code, reason = "what a child does before it executes its program is unsafe by nature")]
    unsafe {
        command.pre_exec(harmless);
    }
    Ok(command)
}

/// In the child: nothing of what the agent is reaches the program.
fn become_harmless(uid: Uid, gid: Gid) -> io::Result<()> {
    rustix::process::setsid()?;
    if geteuid() != uid {
        setgroups(&[])?;
        setgid(gid)?;
        setuid(uid)?;
    }
    match rustix::thread::clear_ambient_capability_set() {
        // A kernel without ambient capabilities.
        Err(rustix::io::Errno::INVAL) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

#[cfg(test)]
mod tests;
