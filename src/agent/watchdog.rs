//! The service manager's watchdog (sd_watchdog_enabled(3)): it hears regularly that the desk's loop turns. An agent that
//! hangs would keep its addresses while another node takes them over; the service manager ends it, and `ExecStopPost=`
//! takes them off.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep_until};

use crate::net::manager;

/// When to speak next.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// `None`: nobody listens.
    every: Option<Duration>,
    next: Instant,
}

impl Watchdog {
    /// As `WATCHDOG_USEC` says, at a third of it: two words may come late.
    pub(crate) fn from_environment() -> Self {
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 3).filter(|every| !every.is_zero());
        Self { every, next: Instant::now() }
    }

    /// Waits until it is time to speak. May be dropped and called again.
    pub(crate) async fn due(&self) {
        match self.every {
            Some(_) => sleep_until(self.next).await,
            None => pending().await,
        }
    }

    /// Speaks, if it is time to.
    pub(crate) fn speak(&mut self) {
        let now = Instant::now();
        if let Some(every) = self.every.filter(|_| now >= self.next) {
            self.next = now + every;
            let _not_heard = manager::tell(&sd_notify::NotifyState::Watchdog);
        }
    }

    /// Speaks while something long is done that the loop waits for.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            select! {
                done = &mut work => return done,
                () = self.due() => self.speak(),
            }
        }
    }
}
