//! `agent.sock`: connections as tasks that turn lines into questions for the desk, and its answers into lines.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::select;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::link::{Reply, Request, frame};

/// Connections of one user that are served at a time; more of them wait, and nobody else with them: neither root nor
/// the proxy.
const SERVED: usize = 64;
/// Connections of one user in all.
const OF_A_USER: usize = 256;
/// Connections of all users; root is not counted.
const OF_ALL: usize = 1_024;
/// Answers that may wait for a slow reader; a watcher that falls behind by more is let go.
const BACKLOG: usize = 256;

/// A question of a client.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) from: Caller,
    pub(crate) reply: mpsc::Sender<Reply>,
    /// Dropped when the desk has done with it: only then the client's next question is read.
    pub(crate) turn: oneshot::Sender<()>,
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
    let mut places = Places::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: the connections that end free some.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let Ok(from) = caller(&stream) else { continue };
        // Closed without a word: who opens hundreds does not read.
        let Some(place) = places.of(from.uid) else { continue };
        tokio::spawn(serve_one(stream, from, place, desk.clone()));
    }
}

async fn serve_one(stream: UnixStream, from: Caller, place: Arc<Semaphore>, desk: mpsc::Sender<Asked>) {
    let Ok(_served) = place.acquire().await else { return };
    let (read, write) = stream.into_split();
    let (reply, replies) = mpsc::channel(BACKLOG);
    let taken = Arc::new(Notify::new());
    let (over, end) = oneshot::channel();
    let writer = tokio::spawn(answer(write, replies, Arc::clone(&taken), end));
    ask(read, from, desk, reply, &taken).await;
    drop(over);
    let _ended = writer.await;
}

/// The connections of each user.
#[derive(Debug, Default)]
struct Places(HashMap<u32, Arc<Semaphore>>);

impl Places {
    /// Where one more connection of a user waits for its turn; `None` when there are too many. It counts for as long
    /// as it is held.
    fn of(&mut self, uid: u32) -> Option<Arc<Semaphore>> {
        let count = |place: &Arc<Semaphore>| Arc::strong_count(place) - 1;
        self.0.retain(|_, place| count(place) > 0);
        let all: usize = self.0.iter().filter(|(user, _)| **user != 0).map(|(_, place)| count(place)).sum();
        if uid != 0 && all >= OF_ALL {
            return None;
        }
        let place = self.0.entry(uid).or_insert_with(|| Arc::new(Semaphore::new(SERVED)));
        (count(place) < OF_A_USER).then(|| Arc::clone(place))
    }
}

fn caller(stream: &UnixStream) -> io::Result<Caller> {
    let credentials = stream.peer_cred()?;
    Ok(Caller { pid: credentials.pid(), uid: credentials.uid() })
}

/// Reads lines until the client closes, or says something that is no message.
async fn ask(
    read: OwnedReadHalf,
    from: Caller,
    desk: mpsc::Sender<Asked>,
    reply: mpsc::Sender<Reply>,
    taken: &Notify,
) {
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
        let (turn, done) = oneshot::channel();
        if desk.send(Asked { request, from, reply: reply.clone(), turn }).await.is_err() {
            return;
        }
        let _dropped = done.await;
        // Who does not read the answers is not heard: they would pile up.
        while reply.capacity() < reply.max_capacity() && !reply.is_closed() {
            taken.notified().await;
        }
    }
}

/// Writes answers until the client is gone: `end` comes when it asks no more, and only what waits then is written. A
/// watcher that has closed would hold its place until the next event otherwise.
async fn answer(
    mut write: OwnedWriteHalf,
    mut replies: mpsc::Receiver<Reply>,
    taken: Arc<Notify>,
    mut end: oneshot::Receiver<()>,
) {
    loop {
        let reply = select! {
            reply = replies.recv() => reply,
            _ = &mut end, if !end.is_terminated() => {
                replies.close();
                continue;
            }
        };
        let Some(reply) = reply else { break };
        taken.notify_one();
        if write.write_all(&frame::encode(&reply)).await.is_err() {
            break;
        }
    }
    drop(replies);
    taken.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_with_many_connections_keeps_out_himself_alone() {
        let mut places = Places::default();
        let held: Vec<_> = (0..OF_A_USER).map(|_| places.of(1000).expect("a place")).collect();
        assert!(places.of(1000).is_none());
        assert!(places.of(1001).is_some() && places.of(0).is_some());
        let _crowd: Vec<_> = (2000..).map_while(|uid| places.of(uid)).collect();
        assert!(places.of(1001).is_none(), "all places are taken");
        assert!(places.of(0).is_some(), "but for root");
        drop(held);
        assert!(places.of(1000).is_some());
    }
}
