//! An application server that answers with what it was asked, in plain or in TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::paper::Paper;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

/// Answers every request with its head and its body.
pub(crate) fn plain() -> SocketAddr {
    serve(echo)
}

/// The same in TLS.
pub(crate) fn secure(paper: &Paper) -> SocketAddr {
    secure_after(Duration::ZERO, paper)
}

/// The same, and every handshake begins so much later.
pub(crate) fn secure_after(pause: Duration, paper: &Paper) -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(paper.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(paper.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_no_client_auth();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).expect("a pair"));
    serve(move |stream| {
        thread::sleep(pause);
        let session = ServerConnection::new(Arc::clone(&config)).expect("a config");
        echo(StreamOwned::new(session, stream));
    })
}

/// Has a word for whoever comes, and it is HTTP.
pub(crate) fn talker() -> SocketAddr {
    serve(|mut stream| {
        // The proxy may have left.
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 1024]);
    })
}

/// Tells how each connection ended: with all the bytes it brought, or with what broke it.
pub(crate) fn listener() -> (SocketAddr, Receiver<Result<Vec<u8>, std::io::ErrorKind>>) {
    let (say, heard) = channel();
    let address = serve(move |mut stream| {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        // A test that has ended does not want to know.
        let _ = say.send(read.map(|_| bytes).map_err(|error| error.kind()));
    });
    (address, heard)
}

fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let each = Arc::new(each);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(PATIENCE).expect("a socket");
            let each = Arc::clone(&each);
            thread::spawn(move || each(stream));
        }
    });
    address
}

fn echo(mut stream: impl Read + Write) {
    let mut seen = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = seen.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if !more(&mut stream, &mut seen) {
                return;
            }
        };
        let head = String::from_utf8_lossy(&seen[..end]).into_owned();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let whole = end + length.unwrap_or(0);
        while seen.len() < whole {
            if !more(&mut stream, &mut seen) {
                return;
            }
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {whole}\r\n\r\n");
        let said = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&seen[..whole]));
        if said.and_then(|()| stream.flush()).is_err() {
            return;
        }
        seen.drain(..whole);
    }
}

fn more(stream: &mut impl Read, seen: &mut Vec<u8>) -> bool {
    let mut room = [0; 16 << 10];
    match stream.read(&mut room) {
        Ok(count) if count > 0 => {
            seen.extend_from_slice(&room[..count]);
            true
        }
        Ok(_) | Err(_) => false,
    }
}
