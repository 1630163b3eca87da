//! Keepalive of TCP (tcp(7)): the kernel asks the other side of a silent connection whether it is there. A machine that has
//! lost its power or its cable says nothing; this is how that is noticed, and how the states of firewalls on the way stay
//! fresh.
//!
//! It asks only while nothing is in flight: what is not acknowledged is sent again instead, for about a quarter of an hour
//! (`tcp_retries2`). `TCP_USER_TIMEOUT` would end that sooner, and is not for us: it replaces the number of probes below, and
//! it counts the time for which the other side has no room. Who does not read for a while is not gone.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// After so much silence the other side is asked,
const SILENCE: Duration = Duration::from_secs(15);
/// so often again while it does not answer,
const AGAIN: Duration = Duration::from_secs(5);
/// and after this many in vain the connection is broken: half a minute in all.
const PROBES: u32 = 3;

const TIMES: TcpKeepalive = TcpKeepalive::new().with_time(SILENCE).with_interval(AGAIN).with_retries(PROBES);

/// From now on the other side is asked.
///
/// # Errors
/// Never for an open connection.
pub fn begin(connection: &impl AsFd) -> io::Result<()> {
    SockRef::from(connection).set_tcp_keepalive(&TIMES)
}

/// Has what a listener accepts be asked, or else only know when it is to be asked: to accept costs no call more.
///
/// # Errors
/// Never for an open socket.
pub(super) fn bequeath(listener: &impl AsFd, asks: bool) -> io::Result<()> {
    let listener = SockRef::from(listener);
    listener.set_tcp_keepalive(&TIMES)?;
    listener.set_keepalive(asks)
}

/// From now on the other side of an accepted connection is asked.
///
/// # Errors
/// Never for an open connection.
pub fn begin_accepted(connection: &TcpStream) -> io::Result<()> {
    SockRef::from(connection).set_keepalive(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listen::{Manner, listen};

    /// Whether it is asked, and as it should be.
    fn is_asked(connection: &TcpStream) -> bool {
        let socket = SockRef::from(connection);
        let seconds = |time: io::Result<Duration>| time.expect("TCP").as_secs();
        let times = [seconds(socket.tcp_keepalive_time()), seconds(socket.tcp_keepalive_interval())];
        assert_eq!((times, socket.tcp_keepalive_retries().expect("TCP")), ([15, 5], 3));
        assert_eq!(socket.tcp_user_timeout().expect("TCP"), None, "it would be asked for as long as that");
        socket.keepalive().expect("TCP")
    }

    #[test]
    fn a_connection_of_ours_is_asked_and_an_accepted_one_at_once_or_later() {
        for asks in [true, false] {
            let listener = listen(([127, 0, 0, 1], 0).into(), Manner { asks, ..Manner::default() })
                .expect("a free port");
            listener.set_nonblocking(false).expect("it is a socket");
            let ours = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
            begin(&ours).expect("it is open");
            assert!(is_asked(&ours));
            let (accepted, _) = listener.accept().expect("it has connected");
            assert_eq!(is_asked(&accepted), asks);
            begin_accepted(&accepted).expect("it is open");
            assert!(is_asked(&accepted));
        }
    }
}
