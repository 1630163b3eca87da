//! The handshake of TLS before anything else, with clients and with servers.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use arc_swap::ArcSwap;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ServerConfig};

use super::core::{Core, Guest};
use super::deadline::Timer;
use super::door::Door;
use super::problem::Problem;
use super::relay;
use super::secured::{Broken, Secured};
use super::session::Session;
use super::stream::Stream;
use super::visitor::Visitor;
use crate::config::Mode;

/// What the data plane knows of TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// By frontend, in the order of the settings; `None`, or not there: it speaks plain. Each handshake takes what is
    /// there at its beginning, so that certificates can be replaced at any time.
    pub frontends: Vec<Option<Arc<ArcSwap<ServerConfig>>>>,
    /// By pool, as the snapshot counts them; `None`, or not there: its servers speak plain.
    pub pools: Vec<Option<ToServers>>,
}

/// How the servers of a pool are spoken to.
#[derive(Clone, Debug)]
pub struct ToServers {
    /// Whom to believe. Each handshake takes what is there at its beginning.
    pub config: Arc<ArcSwap<ClientConfig>>,
    /// What they must have a certificate for; `None`: their address.
    pub name: Option<ServerName<'static>>,
}

/// Shakes hands with a client, then serves it as a plain one.
pub(super) async fn serve(
    guest: Guest,
    stream: Stream,
    tls: Arc<ArcSwap<ServerConfig>>,
    visitor: Visitor,
    door: Rc<Door>,
) {
    let core = guest.core();
    // Nothing of the handshake stays with the connection.
    let welcome = Box::pin(with_client(&core, stream, &tls, visitor.peer, &door)).await;
    drop(tls);
    match (welcome, door.mode) {
        (Welcome::Secured(stream), Mode::Http) => Session::new(guest, stream, visitor, door).serve().await,
        (Welcome::Secured(stream), Mode::Tcp) => relay::serve(core, stream, visitor, door).await,
        (Welcome::Plain(stream), Mode::Http) => {
            let mut session = Session::new(guest, stream, visitor, door);
            Box::pin(session.refuse(&Problem::PlainHttp)).await;
        }
        (Welcome::Plain(stream), Mode::Tcp) => {
            core.log_handshake(visitor.peer, &door, false, &"it does not speak TLS");
            stream.abort();
        }
        (Welcome::Gone, _) => {}
    }
}

/// What a client's handshake came to.
enum Welcome {
    Secured(Stream),
    /// It speaks plain and can be told.
    Plain(Stream),
    /// There is nobody to talk to.
    Gone,
}

/// Shakes hands with a client, within the time that the head of a request may take.
async fn with_client(
    core: &Core,
    stream: Stream,
    tls: &ArcSwap<ServerConfig>,
    peer: SocketAddr,
    door: &Door,
) -> Welcome {
    let timer = poll_fn(|cx| Poll::Ready(core.deadlines.timer(cx.waker()))).await;
    timer.set(core.patience.head);
    let mut secured = match Secured::server(stream, tls.load_full()) {
        Ok(secured) => secured,
        Err(error) => {
            core.counters.frontends[door.frontend].handshake_failed();
            core.log_trouble(door, "no TLS with clients", &error);
            return Welcome::Gone;
        }
    };
    let broken = match shake(&mut secured, &timer).await {
        Ok(()) => return Welcome::Secured(Stream::Secured(secured)),
        Err(broken) => broken,
    };
    core.counters.frontends[door.frontend].handshake_failed();
    match broken {
        Broken::NotTls => return Welcome::Plain(secured.into_plain()),
        Broken::Refused(error) => {
            core.log_handshake(peer, door, false, &error);
            // The client is told why by what was just written; a reset would take that away from it.
            let mut plain = secured.into_plain();
            let _ = poll_fn(|cx| Poll::Ready(plain.poll_shutdown(cx))).await;
        }
        Broken::Gone(error) => core.log_handshake(peer, door, true, &error),
    }
    Welcome::Gone
}

/// Shakes hands with a server.
pub(super) async fn with_server(
    timer: &Timer,
    stream: Stream,
    tls: &ToServers,
    address: SocketAddr,
) -> Result<Stream, Broken> {
    let name = tls.name.clone().unwrap_or_else(|| ServerName::IpAddress(address.ip().into()));
    let mut secured = Secured::client(stream, tls.config.load_full(), name).map_err(Broken::Refused)?;
    shake(&mut secured, timer).await?;
    Ok(Stream::Secured(secured))
}

async fn shake(secured: &mut Secured, timer: &Timer) -> Result<(), Broken> {
    poll_fn(|cx| match secured.poll_handshake(cx) {
        Poll::Pending if timer.expired() => Poll::Ready(Err(Broken::Gone(io::ErrorKind::TimedOut.into()))),
        shaken @ (Poll::Ready(_) | Poll::Pending) => shaken,
    })
    .await
}

/// Why no handshake came about with a server, and who has to change what.
pub(super) fn unshaken(server: String, broken: Broken) -> Problem {
    let why = match broken {
        Broken::NotTls => "it does not speak TLS".to_owned(),
        Broken::Gone(error) if error.kind() == io::ErrorKind::TimedOut => {
            "it did not end the handshake in time".to_owned()
        }
        Broken::Gone(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed the connection in the handshake".to_owned()
        }
        Broken::Gone(error) => error.to_string(),
        Broken::Refused(rustls::Error::InvalidCertificate(wrong)) => certificate(&wrong),
        Broken::Refused(rustls::Error::InvalidMessage(_)) => "what it says is not TLS".to_owned(),
        Broken::Refused(error) => error.to_string(),
    };
    Problem::Unsecured { server, why }
}

fn certificate(wrong: &CertificateError) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library adds reasons; its own words do for those"
    )]
    match wrong {
        CertificateError::UnknownIssuer => {
            "nobody whom `verify` trusts has signed its certificate".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            format!("its certificate is not for {expected} but for {}", presented.join(", "))
        }
        other => format!("its certificate is refused: {other}"),
    }
}
