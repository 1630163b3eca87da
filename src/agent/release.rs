//! `vipd release`: our addresses come off, whoever still has them.
//!
//! An agent that answers is asked to let go, for it would put the addresses back otherwise. Without one, or when it
//! hangs, they are taken off directly: that is what the service manager calls after the agent has died.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use caps::Capability;

use crate::config::Config;
use crate::ha::{self, Cleared};
use crate::link::{Reply, Request, frame};
use crate::vrrp::auth::Auth;

use super::{Error, require, runtime};

/// How long an agent may take to answer before it is taken to hang.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `vipd release` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// A running agent let go; its words.
    ByAgent(String),
    /// Addresses and routes were taken off directly; empty when there were none.
    Directly(Cleared),
}

/// Takes our addresses and routes off this machine. `config` is the checked config and which node this is; without it, only
/// addresses that carry our tag are found, and no peer is told. `auths` signs what a peer is told, one for each router.
///
/// # Errors
/// [`Error::Privilege`] without CAP_NET_ADMIN and CAP_NET_RAW; [`Error::Failed`] with the kernel's words.
pub fn release(
    config: Option<(&Config, usize)>,
    auths: &mut [Option<Auth>],
    runtime_dir: &Path,
) -> Result<Released, Error> {
    require(&[Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW])?;
    match ask_agent(runtime_dir) {
        Some(Reply::Done { message }) => return Ok(Released::ByAgent(message)),
        Some(Reply::Refused { why }) => return Err(Error::Failed(why)),
        Some(Reply::Forbidden { why }) => return Err(Error::Privilege(why)),
        Some(
            Reply::Status(_)
            | Reply::Event(_)
            | Reply::Dump { .. }
            | Reply::Maintenance(_)
            | Reply::Close { .. },
        )
        | None => {}
    }
    let removed = runtime()?.block_on(ha::release(config, auths));
    removed.map(Released::Directly).map_err(|error| Error::Failed(format!("not all was released: {error}")))
}

/// `None` when no agent answers in time.
fn ask_agent(runtime_dir: &Path) -> Option<Reply> {
    let mut stream = UnixStream::connect(runtime_dir.join("agent.sock")).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(&frame::encode(&Request::Release)).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    frame::decode(line.as_bytes()).ok()
}
