//! One request and its response, over one connection to a server. Both directions move at the same time: a server
//! may answer while the client still uploads.

use std::task::{Context, Poll, ready};

use super::buffer::Buffer;
use super::core::Core;
use super::deadline::Timer;
use super::pipe::{Broken, Means, Pipe};
use super::session::Asked;
use super::stream::Stream;
use crate::http::{Body, Lines, Malformed, Response, Scan, Toward, Version, rewrite_response};
use crate::pool::{ServerId, Token};

/// What a read for the head of a response takes at most: a head with a body of 16 KiB. Of a longer body the rest is for the
/// kernel to move.
const FIRST: usize = 20 * 1024;
/// The same where the last response was longer: who asks for long bodies asks for more of them, and each byte that is
/// read here is a byte that the kernel does not move.
const FIRST_OF_LONG: usize = 4 * 1024;
/// From so many bytes on, a body is mostly moved by the kernel, whatever was read of it first.
const LONG: u64 = 48 * 1024;
/// What a client must at least send of a body in `idle_timeout`, bytes. Less is no client but an attempt to hold a
/// connection to a server (slow body, R-U-Dead-Yet).
const SLOWEST: usize = 512;

/// How an exchange ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The response was passed on to its end.
    Passed {
        /// The server's connection can take another request.
        reusable: bool,
        /// The client's connection can take another request.
        persistent: bool,
    },
    /// The server has switched to another protocol, and the client knows; what the server has said in it already.
    Switched(Buffer),
    /// It was not, and the client can still be answered.
    Failed(Failure),
    /// It was not, and the client has a part of it: all that is left is to close.
    Broke(Failure),
}

/// Why a response was not passed on to its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// The server closed before the first byte of a response.
    Silent,
    /// The server closed in the middle of a head.
    CutShort,
    /// The server closed in the middle of a body.
    BrokenOff,
    /// The server's response is malformed.
    BadResponse(Malformed),
    /// The server did not respond, did not read the request, or did not ask for the body, in time.
    Slow,
    /// The server did not go on in time.
    Stalled,
    /// The client's body is malformed.
    BadBody(Malformed),
    /// The client's body is too large.
    TooLarge,
    /// The client's body did not come in time.
    SlowBody,
    /// The client is gone.
    ClientGone,
    /// The client stopped reading.
    Unread,
}

/// The client's side of an exchange.
pub(super) struct Client<'x> {
    /// Index of the frontend it came in by.
    pub(super) frontend: usize,
    pub(super) buffer: &'x mut Buffer,
    pub(super) stream: &'x mut Stream,
    pub(super) timer: &'x Timer,
}

/// The server's side of an exchange.
pub(super) struct Server<'x> {
    pub(super) id: ServerId,
    /// What the client is told of it.
    pub(super) tell: Option<Token>,
    pub(super) stream: &'x mut Stream,
}

/// A request on its way to a server, and the response on its way back.
pub(super) struct Exchange<'x> {
    core: &'x Core,
    client: Client<'x>,
    server: Server<'x>,
    asked: &'x mut Asked,
    upload: Upload,
    phase: Phase,
    /// Bytes of the server that are not passed on yet.
    answer: Buffer,
    scan: Scan,
    /// Bytes of the interim responses so far. With the final head they are one head: else a server could go on for ever.
    interim: usize,
    download: Pipe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Going,
    Done,
    /// The server does not read on; it may have responded all the same.
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waiting for the head of a response; whether interim ones were passed on.
    Head { interim: bool },
    /// Passing on an interim response.
    Interim,
    /// Passing on that the server has switched to another protocol.
    Switch,
    /// Passing on the final response.
    Body {
        /// What both connections can take afterwards.
        reusable: bool,
        persistent: bool,
    },
}

impl<'x> Exchange<'x> {
    pub(super) fn new(core: &'x Core, client: Client<'x>, server: Server<'x>, asked: &'x mut Asked) -> Self {
        client.timer.set(core.patience.idle);
        Self {
            core,
            client,
            server,
            asked,
            upload: Upload::Going,
            phase: Phase::Head { interim: false },
            answer: Buffer::default(),
            scan: Scan::response(),
            interim: 0,
            download: Pipe::default(),
        }
    }

    /// Moves both directions on until the exchange has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if self.upload == Upload::Going
            && let Some(failure) = self.upload(cx)
        {
            return self.failed(failure);
        }
        if let Poll::Ready(ended) = self.poll_answer(cx) {
            return Poll::Ready(ended);
        }
        if self.client.timer.expired() { self.failed(self.expired()) } else { Poll::Pending }
    }

    /// Gives the memory back.
    pub(super) fn release(mut self) {
        self.answer.release(&self.core.buffers);
        self.download.release(&self.core.buffers);
    }

    fn upload(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        // Once the server has answered, a conversation may be as slow as both of them like.
        let pace = if self.is_answerable() { SLOWEST } else { 0 };
        let means = Means { pace, ..means(self.core, self.client.timer) };
        let Client { buffer, stream, .. } = &mut self.client;
        match self.asked.upload.poll(cx, buffer, stream, self.server.stream, means) {
            Poll::Pending => return None,
            Poll::Ready(Ok(())) => self.upload = Upload::Done,
            Poll::Ready(Err(Broken::Sink)) => self.upload = Upload::Refused,
            Poll::Ready(Err(Broken::Source)) => return Some(Failure::ClientGone),
            Poll::Ready(Err(Broken::Malformed(malformed))) => return Some(Failure::BadBody(malformed)),
            Poll::Ready(Err(Broken::TooLarge)) => return Some(Failure::TooLarge),
        }
        if matches!(self.phase, Phase::Head { .. }) {
            self.client.timer.set(self.core.patience.response);
        }
        None
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let means = means(self.core, self.client.timer);
        loop {
            match self.phase {
                Phase::Head { interim } => {
                    if !self.answer.is_empty() {
                        match self.head() {
                            Ok(true) => continue,
                            Ok(false) => {}
                            Err(malformed) => return self.failed(Failure::BadResponse(malformed)),
                        }
                    }
                    let Self { answer, client, server, core, .. } = self;
                    let most = if core.long.get() { FIRST_OF_LONG } else { FIRST };
                    let most = most.min(client.stream.gulp());
                    let read = ready!(answer.poll_fill_some(cx, server.stream, &core.buffers, most));
                    if !read.is_ok_and(|count| count > 0) {
                        let silent = self.answer.is_empty() && !interim;
                        return self.failed(if silent { Failure::Silent } else { Failure::CutShort });
                    }
                }
                Phase::Interim | Phase::Switch => {
                    let mut nothing = Buffer::default();
                    let flushed = self.download.poll_flush(cx, &mut nothing, self.client.stream, means);
                    if ready!(flushed).is_err() {
                        return self.failed(Failure::ClientGone);
                    }
                    if matches!(self.phase, Phase::Switch) {
                        return Poll::Ready(Ended::Switched(std::mem::take(&mut self.answer)));
                    }
                    self.phase = Phase::Head { interim: true };
                    // An interim response is a sign of life: the wait for the final one begins again.
                    if self.upload != Upload::Going {
                        self.client.timer.set(self.core.patience.response);
                    }
                }
                Phase::Body { reusable, persistent } => {
                    let Self { answer, server, client, download, .. } = self;
                    let passed = ready!(download.poll(cx, answer, server.stream, client.stream, means));
                    return match passed {
                        // Bytes behind the response belong to no request of ours.
                        Ok(()) => {
                            let reusable = reusable && self.answer.is_empty();
                            Poll::Ready(Ended::Passed { reusable, persistent })
                        }
                        Err(Broken::Sink) => self.failed(Failure::ClientGone),
                        Err(Broken::Malformed(malformed)) => self.failed(Failure::BadResponse(malformed)),
                        // No response has a limit.
                        Err(Broken::Source | Broken::TooLarge) => self.failed(Failure::BrokenOff),
                    };
                }
            }
        }
    }

    /// Reads a head if there is a whole one, and begins to pass it on.
    fn head(&mut self) -> Result<bool, Malformed> {
        let limit = self.core.limits.head.saturating_sub(self.interim);
        let Some(range) = self.scan.find(self.answer.data(), limit)? else {
            return Ok(false);
        };
        let length = range.end;
        let mut lines = Lines::new();
        let response = Response::parse(&self.answer.data()[range], &mut lines, self.core.limits.headers)?;
        let facts = response.facts(self.asked.answering)?;
        let uploaded = self.upload == Upload::Done;
        if facts.switches && !uploaded {
            return Err(Malformed::Switched);
        }
        let is_last = self.core.is_draining() || self.client.timer.is_retired();
        let persistent = self.asked.persistent && uploaded && !is_last;
        let toward = Toward { version: self.asked.version, persistent };
        let mut out = std::mem::take(&mut self.download).into_text(&self.core.buffers);
        // "A proxy MUST forward 1xx responses" (RFC 9110 §15.2), but not to a client that cannot know them.
        let switches = facts.switches;
        let failed = self.core.is_failure(&self.asked.choice, response.status);
        let (interim, known) = (response.status < 200 && !switches, toward.version == Version::Http11);
        if !interim || known {
            rewrite_response(&response, &facts, toward, &self.core.date.get(), &mut out);
        }
        if let Some(server) = self.server.tell.filter(|_| !interim) {
            self.core.tell(&self.asked.choice, server, self.client.stream.is_secure(), &mut out);
        }
        let (delivery, persistent) = toward.deliver(&facts);
        self.answer.consume(length);
        self.scan = Scan::response();
        self.download =
            Pipe::new(out, facts.body, delivery, None).once().closing(!interim && !switches && !persistent);
        self.phase = if interim {
            self.interim += length;
            Phase::Interim
        } else {
            // Before a byte is written: whoever has seen the response finds it counted.
            let server = &self.core.counters.servers[self.server.id.0];
            if failed {
                server.failed();
            } else {
                server.request();
            }
            self.core.counters.frontends[self.client.frontend].request();
            self.core.long.set(matches!(facts.body, Body::Length(length) if length >= LONG));
            self.client.timer.set(self.core.patience.idle);
            if switches {
                Phase::Switch
            } else {
                Phase::Body { reusable: facts.persistent && uploaded, persistent }
            }
        };
        Ok(true)
    }

    /// Whether an error can still be answered with a response.
    fn is_answerable(&self) -> bool {
        matches!(self.phase, Phase::Head { .. })
    }

    fn expired(&self) -> Failure {
        let waits = self.asked.expects && !self.asked.upload.is_begun();
        match (self.phase, self.upload) {
            // The client waits to be told to go on, and nobody has told it anything.
            (Phase::Head { interim: false }, Upload::Going) if waits => Failure::Slow,
            (Phase::Head { .. }, Upload::Going) if !self.asked.upload.is_blocked() => Failure::SlowBody,
            (Phase::Head { .. }, _) => Failure::Slow,
            (Phase::Body { .. }, _) if !self.download.is_blocked() => Failure::Stalled,
            (Phase::Interim | Phase::Switch | Phase::Body { .. }, _) => Failure::Unread,
        }
    }

    fn failed(&self, failure: Failure) -> Poll<Ended> {
        Poll::Ready(if self.is_answerable() { Ended::Failed(failure) } else { Ended::Broke(failure) })
    }
}

fn means<'a>(core: &'a Core, timer: &'a Timer) -> Means<'a> {
    Means { buffers: &core.buffers, timer, patience: core.patience.idle, pace: 0 }
}
