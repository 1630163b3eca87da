//! A request as it is read: its head whole, rewritten, and where it shall go.

use std::ops::Range;
use std::task::{Context, Poll};

use super::Session;
use crate::http::{Answering, Body, Lines, Origin, Request, RequestFacts, Scan, Version, rewrite_request};
use crate::proxy::choose::{Choice, Way};
use crate::proxy::pipe::Pipe;
use crate::proxy::problem::Problem;
use crate::proxy::redirect;
use crate::proxy::stream::Stream;

/// A request, ready to be sent to any server of the pool.
#[derive(Debug)]
pub(in crate::proxy) struct Asked {
    pub(in crate::proxy) upload: Pipe,
    pub(in crate::proxy) version: Version,
    /// The client wants the connection to live on.
    pub(in crate::proxy) persistent: bool,
    /// The client itself has said that nothing comes behind it.
    pub(in crate::proxy) is_last: bool,
    pub(in crate::proxy) answering: Answering,
    pub(in crate::proxy) is_idempotent: bool,
    /// The client waits to be told by a server to send the body.
    pub(in crate::proxy) expects: bool,
    pub(in crate::proxy) choice: Choice,
    /// What the client gets without a server being asked.
    pub(in crate::proxy) instead: Option<Instead>,
}

/// What a client gets from us.
#[derive(Debug)]
pub(in crate::proxy) enum Instead {
    /// A status, and where it is sent, if anywhere.
    Elsewhere(u16, Box<[u8]>),
    /// The page of a frontend in maintenance.
    Page,
}

impl Session {
    /// Reads the rest of a request's head; nothing is `asked` when the client has closed instead.
    pub(super) fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        scan: &mut Scan,
        asked: &mut Option<Asked>,
    ) -> Poll<Result<(), Problem>> {
        loop {
            *asked = self.request(scan)?;
            if asked.is_some() {
                return Poll::Ready(Ok(()));
            }
            match self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => {
                    self.buffer.release(&self.core.buffers);
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending if self.timer.expired() => return Poll::Ready(Err(Problem::HeadTimeout)),
                Poll::Pending => {
                    self.buffer.park(&self.core.buffers);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Takes a request off the buffer if there is a whole head.
    fn request(&mut self, scan: &mut Scan) -> Result<Option<Asked>, Problem> {
        let found = scan.find(self.buffer.data(), self.core.limits.head)?;
        let Some(range) = found else { return Ok(None) };
        let length = range.end;
        let asked = self.read_head(range)?;
        self.buffer.consume(length);
        if self.buffer.is_empty() {
            // Nothing to hold while a server thinks; the response will be read into the same, warm memory.
            self.buffer.release(&self.core.buffers);
        }
        Ok(Some(asked))
    }

    fn read_head(&self, range: Range<usize>) -> Result<Asked, Problem> {
        let limits = &self.core.limits;
        let mut lines = Lines::new();
        let request = Request::parse(&self.buffer.data()[range], &mut lines, limits.headers)?;
        // A stream of HTTP/2 is framed itself, and shares its connection with others: it is no tunnel here.
        let facts = request.facts_with(self.door.connect && !matches!(self.stream, Stream::Lane(_)))?;
        if matches!((facts.body, limits.body), (Body::Length(length), Some(limit)) if length > limit) {
            return Err(Problem::BodyTooLarge);
        }
        let (choice, instead) = self.way(&request, &facts);
        let mut out = self.core.buffers.text();
        let (host, secure) = (&self.door.host, self.stream.is_secure());
        rewrite_request(&request, &facts, Origin { client: &self.address, host, secure }, &mut out);
        self.core.hide(&choice, &mut out);
        Ok(Asked {
            upload: Pipe::new(out, facts.body, facts.delivery(), limits.body),
            version: request.version,
            // What a client sends early for a tunnel must never be read as requests, if it does not get one.
            persistent: facts.persistent && !facts.connect && !self.timer.is_retired(),
            is_last: !facts.persistent && !facts.connect,
            answering: Answering { is_head: facts.is_head, upgrade: facts.upgrade, connect: facts.connect },
            is_idempotent: facts.is_idempotent,
            expects: facts.expects,
            choice,
            instead,
        })
    }

    /// What the choice of a server depends on, or what the client gets instead.
    fn way(&self, request: &Request<'_, '_>, facts: &RequestFacts<'_>) -> (Choice, Option<Instead>) {
        let way = self.core.choose(&self.door, self.visitor.peer, request, facts);
        let last = redirect::last_hop(request, facts);
        let elsewhere = match way {
            Way::Closed => return (Choice::default(), Some(Instead::Page)),
            Way::Pool(choice) => return (choice, last.map(|(status, to)| Instead::Elsewhere(status, to))),
            // There is no other place for a tunnel.
            Way::Elsewhere if facts.connect => Some((501, Box::default())),
            Way::Elsewhere => self.door.redirect.map(|redirect| {
                (redirect.status, redirect::location(redirect, request, facts, &self.door.host))
            }),
        };
        (Choice::default(), last.or(elsewhere).map(|(status, to)| Instead::Elsewhere(status, to)))
    }
}
