//! A client that leaves while its request waits: for a place at a server, or for a connection to one.
//!
//! A connection that was closed and one on which nothing more will be said look the same from here: FIN. RFC 9112 §9.6
//! lets a client that has asked close its half and read on. Of the proxies that people run, some take every FIN for a
//! client that has left (Nginx, HAProxy with `abortonclose`) and cut off those that wait; the others serve clients that
//! are not there. This one asks: with an interim response that a client need not expect and can discard, 100 (Continue)
//! (RFC 9110 §15.2). Of a client that waits it makes nothing; the kernel of one that has closed answers with RST, a round
//! trip later. HTTP/1.0 has no interim responses (§15.2), and nobody knows what a TCP frontend speaks: there, only who
//! resets has left.
//!
//! What a client has sent beyond its request hides its FIN; then, too, only a reset is seen.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::problem::Problem;
use super::stream::Stream;

/// The client has left.
#[derive(Debug)]
pub(super) struct Gone;

impl From<Gone> for Problem {
    fn from(Gone: Gone) -> Self {
        Self::Left
    }
}

/// What comes from a client that is waited with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// More than its request.
    More,
    /// It will say no more.
    Closed,
    /// The connection is broken.
    Broken,
}

/// A client that waits.
#[derive(Debug)]
pub(super) struct Patient<'s> {
    pub(super) stream: &'s mut Stream,
    /// It speaks HTTP/1.1.
    pub(super) knows_interim: bool,
}

impl Patient<'_> {
    /// The same client, for a while.
    pub(super) fn again(&mut self) -> Patient<'_> {
        Patient { stream: self.stream, knows_interim: self.knows_interim }
    }

    /// What `work` comes to, unless the client leaves first.
    pub(super) async fn unless_gone<T>(self, work: impl Future<Output = T>) -> Result<T, Gone> {
        let (mut work, mut gone) = (pin!(work), pin!(self.leaves()));
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            gone.as_mut().poll(cx).map(|()| Err(Gone))
        })
        .await
    }

    /// Ends when the client has left.
    async fn leaves(self) {
        let Self { stream, knows_interim } = self;
        if stream.watch().is_err() {
            // Out of watches: nobody can tell, and the work goes on.
            return pending().await;
        }
        if knows_interim {
            match poll_fn(|cx| stream.poll_news(cx)).await {
                News::Broken => return,
                News::More => {}
                News::Closed => {
                    if ask(stream).await.is_err() {
                        return;
                    }
                }
            }
        }
        match stream.socket() {
            // It ends with the runtime at the latest.
            Some(tcp) => tcp.breaks().await,
            // A stream of HTTP/2: its connection tells.
            None => pending().await,
        }
    }
}

const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Says what a closed connection answers with RST. There is room for it: nothing else has been said since the request.
async fn ask(stream: &mut Stream) -> std::io::Result<()> {
    let mut rest = INTERIM;
    while !rest.is_empty() {
        let written = poll_fn(|cx| stream.poll_write(cx, rest)).await?;
        rest = &rest[written..];
    }
    poll_fn(|cx| stream.poll_flush(cx)).await
}
