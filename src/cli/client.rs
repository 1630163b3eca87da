//! The client of `agent.sock`: blocking, one request at a time, for commands that have nothing else to do.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::link::{Reply, Request, frame};

use super::exit::{Exit, Failure};

/// An agent that runs answers within microseconds; one that does not is stopped, or drowned.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the agent.
pub(crate) struct Client {
    stream: UnixStream,
    path: PathBuf,
    /// What was read and is not a whole line yet.
    pending: Vec<u8>,
}

impl Client {
    /// Connects to the agent of `runtime_dir`.
    pub(crate) fn connect(runtime_dir: &Path) -> Result<Self, Failure> {
        let path = runtime_dir.join("agent.sock");
        let stream = UnixStream::connect(&path).map_err(|error| unreachable(&path, &error))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|error| unreachable(&path, &error))?;
        Ok(Self { stream, path, pending: Vec::new() })
    }

    /// Asks and waits for the answer.
    fn ask(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.send(request)?;
        self.receive(PATIENCE)?.ok_or_else(|| {
            let (path, seconds) = (self.path.display(), PATIENCE.as_secs());
            let message = format!("the agent behind {path} has not answered for {seconds} s: is it stopped?");
            Failure::new(Exit::Unavailable, message)
        })
    }

    /// Asks and takes what `wanted` takes of the answer. What the agent refuses, and the answer to another question, are
    /// failures.
    pub(crate) fn ask_for<T>(
        &mut self,
        request: &Request,
        wanted: impl FnOnce(Reply) -> Option<T>,
    ) -> Result<T, Failure> {
        match self.ask(request)? {
            Reply::Refused { why } => Err(Failure::new(Exit::Failed, why)),
            Reply::Forbidden { why } => Err(Failure::new(Exit::Privilege, why)),
            answer @ (Reply::Status(_)
            | Reply::Event(_)
            | Reply::Dump { .. }
            | Reply::Done { .. }
            | Reply::Maintenance(_)
            | Reply::Close { .. }) => {
                wanted(answer).ok_or_else(|| self.strange("an answer to another question"))
            }
        }
    }

    /// Asks without waiting.
    pub(crate) fn send(&mut self, request: &Request) -> Result<(), Failure> {
        self.stream.write_all(&frame::encode(request)).map_err(|error| self.gone(&error))
    }

    /// The next thing that the agent says; `None` when it says nothing whole within `wait`.
    pub(crate) fn receive(&mut self, wait: Duration) -> Result<Option<Reply>, Failure> {
        // A timeout of zero would mean to wait for ever.
        let wait = wait.max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(wait)).map_err(|error| self.gone(&error))?;
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(line) = self.line() {
                return frame::decode(&line).map(Some).map_err(|why| self.strange(&why));
            }
            if self.pending.len() > frame::MAX_LINE {
                return Err(self.strange("a line without an end"));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(self.gone(&ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.pending.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(self.gone(&error)),
            }
        }
    }

    /// An answer that does not belong to the question.
    fn strange(&self, what: &str) -> Failure {
        let path = self.path.display();
        let help = "is the daemon of another version than this command? `vipd --version`";
        Failure::new(
            Exit::Failed,
            format_args!("the agent behind {path} says what we do not know: {what}\n{help}"),
        )
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.pending.iter().position(|byte| *byte == b'\n')?;
        Some(self.pending.drain(..=end).collect())
    }

    fn gone(&self, error: &std::io::Error) -> Failure {
        let path = self.path.display();
        let how = if error.kind() == ErrorKind::UnexpectedEof {
            "it closed the connection".to_owned()
        } else {
            error.to_string()
        };
        Failure::new(Exit::Unavailable, format_args!("the agent behind {path} is gone: {how}"))
    }
}

fn unreachable(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    if error.kind() == ErrorKind::PermissionDenied {
        let help = "be root, or the user that the agent runs as";
        return Failure::new(Exit::Privilege, format_args!("{path} may not be used: {error}\n{help}"));
    }
    let help = "start it with `systemctl start vipd`, or say where its socket is with --runtime-dir DIR";
    Failure::new(Exit::Unavailable, format_args!("the daemon is not running: {path}: {error}\n{help}"))
}
