//! `agent.sock`: connections as tasks that turn lines into questions for the desk, and its answers into lines.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};

use crate::link::{Reply, Request, frame};

/// Connections at a time; a client that opens more waits.
const CONNECTIONS: usize = 64;
/// Answers that may wait for a slow reader; a watcher that falls behind by more is let go.
const BACKLOG: usize = 256;

/// A question of a client.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) from: Caller,
    pub(crate) reply: mpsc::Sender<Reply>,
}

/// Who asks (SO_PEERCRED, unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) pid: Option<i32>,
    pub(crate) uid: u32,
}

/// The socket's file; removed when the agent ends in an orderly way.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _already_gone = std::fs::remove_file(&self.0);
    }
}

/// Opens `DIR/agent.sock` and serves it. Anyone on the machine may ask for the status; the desk asks for more
/// before it does anything.
///
/// # Errors
/// `AddrInUse` when another agent answers there; what the file system says.
pub(crate) fn serve(dir: &Path, desk: mpsc::Sender<Asked>) -> io::Result<SocketFile> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("agent.sock");
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    // Nobody answers: what is there was left behind.
    let _was_absent = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666))?;
    tokio::spawn(accept(listener, desk));
    Ok(SocketFile(path))
}

async fn accept(listener: UnixListener, desk: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: the connections that end free some.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let Ok(from) = caller(&stream) else { continue };
        let desk = desk.clone();
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            let (reply, replies) = mpsc::channel(BACKLOG);
            let writer = tokio::spawn(answer(write, replies));
            ask(read, from, desk, reply).await;
            let _ended = writer.await;
            drop(place);
        });
    }
}

fn caller(stream: &UnixStream) -> io::Result<Caller> {
    let credentials = stream.peer_cred()?;
    Ok(Caller { pid: credentials.pid(), uid: credentials.uid() })
}

/// Reads lines until the client closes, or says something that is no message.
async fn ask(read: OwnedReadHalf, from: Caller, desk: mpsc::Sender<Asked>, reply: mpsc::Sender<Reply>) {
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(frame::MAX_LINE).unwrap_or(u64::MAX);
        match (&mut read).take(limit).read_until(b'\n', &mut line).await {
            Ok(length) if length > 0 && line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => return,
        }
        let request = match frame::decode(&line) {
            Ok(request) => request,
            Err(why) => {
                let _gone = reply.send(Reply::Refused { why }).await;
                return;
            }
        };
        if desk.send(Asked { request, from, reply: reply.clone() }).await.is_err() {
            return;
        }
    }
}

async fn answer(mut write: OwnedWriteHalf, mut replies: mpsc::Receiver<Reply>) {
    while let Some(reply) = replies.recv().await {
        if write.write_all(&frame::encode(&reply)).await.is_err() {
            return;
        }
    }
}
