//! The application server for machines without Nginx: just enough HTTP/1.1 to answer with its own name.

use std::io;
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::appserver::{API, WEB};
use super::{Error, Host};

/// A running server on a thread in its host's namespace. Dropping it closes its ports and breaks its connections.
#[derive(Debug)]
pub(super) struct Builtin {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<io::Result<()>, Error>>>,
}

impl Builtin {
    pub(super) fn start(host: &Host) -> Result<Self, Error> {
        let (stop, stopped) = oneshot::channel();
        let name = host.name().to_owned();
        let thread = host.netns().thread(&format!("{name} app"), move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(serve(name, stopped))
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Builtin {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Whoever started it has seen that the ports opened; what came after that nobody asks for.
            let _ = thread.join();
        }
    }
}

async fn serve(name: String, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let web = TcpListener::bind(("0.0.0.0", WEB)).await?;
    let api = TcpListener::bind(("0.0.0.0", API)).await?;
    let web_page = format!("hello from {name} (web)\n");
    let api_page = format!("{{\"server\":\"{name}\"}}\n");
    tokio::select! {
        // Closing the other end is the signal: nobody ever sends.
        _ = stopped => Ok(()),
        ended = accept(web, name.clone(), "text/plain", web_page) => ended,
        ended = accept(api, name.clone(), "application/json", api_page) => ended,
    }
}

async fn accept(listener: TcpListener, name: String, kind: &'static str, page: String) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let (name, page) = (name.clone(), page.clone());
        tokio::spawn(async move { converse(client, &name, kind, &page).await });
    }
}

/// Answers one request after the other; bodies are not expected and end the connection.
async fn converse(mut client: TcpStream, name: &str, kind: &str, page: &str) -> io::Result<()> {
    let mut input = Vec::new();
    loop {
        while let Some((length, health, close)) = head(&input) {
            input.drain(..length);
            let body = if health {
                format!("{{\"status\":\"healthy\",\"server\":\"{name}\"}}\n")
            } else {
                page.to_owned()
            };
            let connection = if close { "close" } else { "keep-alive" };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nX-Server: {name}\r\n\
                 Connection: {connection}\r\n\r\n{body}"
            );
            client.write_all(answer.as_bytes()).await?;
            if close {
                return client.shutdown().await;
            }
        }
        if input.len() > MAX_HEAD || client.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// The first head in `input`: its length, whether it asks for `/health`, whether the connection ends after it.
fn head(input: &[u8]) -> Option<(usize, bool, bool)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(input) {
        Ok(httparse::Status::Partial) => None,
        Ok(httparse::Status::Complete(length)) => {
            let has =
                |name: &str| request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            let closes = has("Connection").is_some_and(|header| header.value.eq_ignore_ascii_case(b"close"));
            let body = has("Content-Length").is_some() || has("Transfer-Encoding").is_some();
            Some((length, request.path == Some("/health"), closes || body || request.version == Some(0)))
        }
        Err(_) => Some((input.len(), false, true)),
    }
}

/// Bytes of a head that are taken at most.
const MAX_HEAD: usize = 16 << 10;
