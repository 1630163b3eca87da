//! What the proxy says itself, and how it takes its leave.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::{Asked, Instead, Next, Session};
use crate::http::{Body, Delivery};
use crate::proxy::buffer::Buffer;
use crate::proxy::deadline::Ticks;
use crate::proxy::h2;
use crate::proxy::page::Page;
use crate::proxy::pipe::{Means, Pipe};
use crate::proxy::problem::Problem;
use crate::proxy::redirect;

/// How long a connection that ends early is read on, so that the client gets to see the response: closing with
/// unread bytes resets the connection and takes the response with it.
const LINGER: Duration = Duration::from_secs(2);

impl Session {
    /// Answers with a problem before anything is read as a request. What the client sends is not read as one.
    pub(in crate::proxy) async fn refuse(&mut self, problem: &Problem) {
        self.wake_by_timer().await;
        if self.door.h2 && self.has_begun_h2().await {
            self.core.refused(self.visitor.peer, self.door.frontend, problem);
            self.say(h2::REFUSAL.to_vec(), &[], false).await;
        } else {
            self.answer(problem, false, false).await;
        }
        self.linger().await;
        self.buffer.release(&self.core.buffers);
    }

    /// Whether what has come already begins as HTTP/2 does. Nobody waits for it.
    async fn has_begun_h2(&mut self) -> bool {
        poll_fn(|cx| {
            // Who has closed is found out about again.
            let _read = self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers);
            Poll::Ready(self.buffer.data().starts_with(h2::PREFACE))
        })
        .await
    }

    /// Answers with the problem itself.
    pub(super) async fn answer(&mut self, problem: &Problem, persistent: bool, is_head: bool) -> Next {
        self.core.refused(self.visitor.peer, self.door.frontend, problem);
        let persistent = persistent && !self.core.is_draining();
        let mut out = self.core.buffers.text();
        problem.render(persistent, is_head, &self.core.date.get(), &mut out);
        self.say(out, &[], persistent).await
    }

    /// Answers what no server is asked.
    pub(super) async fn answer_instead(&mut self, instead: &Instead, asked: &Asked) -> Next {
        let persistent = asked.persistent && asked.upload.is_taken();
        match instead {
            Instead::Elsewhere(status, location) => {
                self.core.counters.frontends[self.door.frontend].request();
                let persistent = persistent && !self.core.is_draining();
                let mut out = self.core.buffers.text();
                redirect::render(*status, location, persistent, &self.core.date.get(), &mut out);
                self.say(out, &[], persistent).await
            }
            Instead::Page => {
                let page = self.door.page.clone().unwrap_or_default();
                self.show(&page, persistent, asked.answering.is_head).await
            }
        }
    }

    /// Shows the page of a frontend in maintenance. However slow its readers are, there is one of it.
    pub(super) async fn show(&mut self, page: &Page, persistent: bool, is_head: bool) -> Next {
        self.core.counters.frontends[self.door.frontend].page();
        let persistent = persistent && !self.core.is_draining();
        let mut out = self.core.buffers.text();
        let rest = page.render(persistent, is_head, &self.core.date.get(), &mut out);
        self.say(out, rest, persistent).await
    }

    /// Sends what somebody else holds; whether all of it is on its way.
    async fn send(&mut self, mut rest: &[u8]) -> bool {
        let patience = self.core.patience.idle;
        let sent = poll_fn(|cx| {
            while !rest.is_empty() {
                match self.stream.poll_write(cx, rest) {
                    Poll::Ready(Ok(count)) if count > 0 => rest = &rest[count..],
                    Poll::Ready(_) => return Poll::Ready(false),
                    Poll::Pending if self.timer.expired() => return Poll::Ready(false),
                    Poll::Pending => return Poll::Pending,
                }
                self.timer.set(patience);
            }
            match self.stream.poll_flush(cx) {
                Poll::Pending if self.timer.expired() => Poll::Ready(false),
                flushed @ (Poll::Ready(_) | Poll::Pending) => flushed.map(|flushed| flushed.is_ok()),
            }
        });
        sent.await
    }

    /// Sends a whole response of our own; `rest` of it somebody else holds.
    pub(super) async fn say(&mut self, out: Vec<u8>, rest: &[u8], persistent: bool) -> Next {
        let ends = !persistent && rest.is_empty();
        let mut pipe = Pipe::new(out, Body::Empty, Delivery::Raw, None).closing(ends);
        let patience = self.core.patience.idle;
        self.timer.set(patience);
        let sent = poll_fn(|cx| {
            let means = Means { buffers: &self.core.buffers, timer: &self.timer, patience, pace: 0 };
            match pipe.poll_flush(cx, &mut Buffer::default(), &mut self.stream, means) {
                Poll::Ready(sent) => Poll::Ready(sent.is_ok()),
                Poll::Pending if self.timer.expired() => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        });
        let sent = sent.await;
        pipe.release(&self.core.buffers);
        match (sent && self.send(rest).await, persistent) {
            (false, _) => Next::Abort,
            (true, true) => Next::Request,
            (true, false) => Next::Linger,
        }
    }

    /// Says that nothing more will come, and reads on for a while.
    pub(super) async fn linger(&mut self) {
        self.timer.set(Ticks::new(LINGER));
        // A failure means that the client is gone, which the read below will tell.
        let said = poll_fn(|cx| match self.stream.poll_shutdown(cx) {
            Poll::Pending if self.timer.expired() => Poll::Ready(Ok(())),
            said @ (Poll::Ready(_) | Poll::Pending) => said,
        });
        let _ = said.await;
        poll_fn(|cx| {
            loop {
                self.buffer.consume(self.buffer.len());
                let read = self.buffer.poll_fill(cx, &mut self.stream, &self.core.buffers);
                match read {
                    Poll::Ready(Ok(count)) if count > 0 => {}
                    Poll::Pending if !self.timer.expired() => return Poll::Pending,
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
}
