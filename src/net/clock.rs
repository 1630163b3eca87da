//! The only clock of the house: CLOCK_BOOTTIME in microseconds, the wall clock for humans, and a timerfd to wait
//! on. tokio's own timers round up to a whole millisecond, which is a tenth of the shortest advert interval.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::watched::watched;
use crate::vrrp::Time;
use crate::vrrp::auth::Utc;

/// Now, on CLOCK_BOOTTIME: clock steps do not move it, and it goes on while the machine is suspended: whoever wakes up
/// sees how long it was away.
pub fn now() -> Time {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_nsec / 1_000).unwrap_or(0);
    Time::from_micros(seconds * 1_000_000 + micros)
}

/// Now, for humans: milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Now, for signatures: the wall clock as finely as a trailer has it.
pub fn utc() -> Utc {
    let time = clock_gettime(ClockId::Realtime);
    let fraction = (time.tv_nsec << 16) / 1_000_000_000;
    Utc {
        seconds: u32::try_from(time.tv_sec & i64::from(u32::MAX)).unwrap_or(0),
        fraction: u16::try_from(fraction).unwrap_or(u16::MAX),
    }
}

/// A timerfd that rings at a moment of [`now`]'s clock (timerfd_create(2)).
#[derive(Debug)]
pub struct Alarm {
    fd: AsyncFd<OwnedFd>,
    set: Option<Time>,
}

impl Alarm {
    /// An alarm that is not set. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Boottime, flags)?;
        Ok(Self { fd: watched(fd)?, set: None })
    }

    /// Rings at `at`, at once when that is past, never when it is `None`. Setting it to what it is costs nothing.
    ///
    /// # Errors
    /// None that the kernel documents for a valid timerfd.
    pub fn set(&mut self, at: Option<Time>) -> io::Result<()> {
        if self.set == at {
            return Ok(());
        }
        // A zero it_value would disarm the timer (timerfd_settime(2)).
        let micros = at.map_or(0, |at| at.as_micros().max(1));
        let it_value = Timespec {
            tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(micros % 1_000_000 * 1_000).unwrap_or(0),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            self.fd.get_ref(),
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec { it_interval, it_value },
        )?;
        self.set = at;
        Ok(())
    }

    /// Waits until it rings, and then it is no longer set. May be dropped and called again. Expirations are not read:
    /// setting it takes them back (timerfd_create(2)), and the reactor hears of every new one.
    ///
    /// # Errors
    /// None that the kernel documents for a valid timerfd.
    pub async fn rings(&mut self) -> io::Result<()> {
        self.fd.readable().await?.clear_ready();
        self.set = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::Span;

    #[test]
    fn an_alarm_rings_each_time_it_was_set_and_not_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut alarm = Alarm::new().expect("a timerfd");
            for _ in 0..3 {
                let at = now() + Span::from_millis(5);
                alarm.set(Some(at)).expect("set");
                alarm.rings().await.expect("rung");
                assert!(now() >= at);
            }
            // Rung and not waited for, then set to a past moment: a new ring.
            alarm.set(Some(Time::ZERO)).expect("set");
            tokio::task::yield_now().await;
            alarm.set(Some(now())).expect("set");
            alarm.rings().await.expect("rung");
        });
    }
}
