//! HTTP/2 to a server that is checked, in clear with prior knowledge or by TLS (RFC 9113 §3.3, §3.2): one request at a
//! time on a connection that may be kept.

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Error, RecvStream};
use http::Request;
use http::response::Parts;
use tokio::task::JoinSet;

use super::answer::{Answer, Failed, MAX_BODY};
use super::connect::Stream;
use super::words::{ASKING, READING, Stage, WAITING, printable};

/// A connection; it is closed when this is dropped.
pub(super) struct Line {
    pub(super) client: SendRequest<Bytes>,
    /// Reads and writes for it.
    _connection: JoinSet<()>,
}

impl Line {
    /// Begins to speak HTTP/2.
    pub(super) async fn begin(stream: Stream) -> Result<Self, String> {
        let mut builder = Builder::new();
        builder.enable_push(false).max_header_list_size(8 << 10);
        let handshake = builder.handshake(stream).await;
        let (client, connection) = handshake.map_err(|error| no_h2(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever waits for an answer is told as well.
            let _ended = connection.await;
        });
        Ok(Self { client, _connection: driver })
    }

    /// Sends a request without a body, and reads the answer.
    pub(super) async fn exchange(&self, request: Request<()>, stage: &mut Stage) -> Result<Answer, Failed> {
        let closed = |error: Error| Failed::Closed(no_h2(&error));
        *stage = ASKING;
        let mut client = self.client.clone().ready().await.map_err(closed)?;
        let (answer, _no_body) = client.send_request(request, true).map_err(closed)?;
        *stage = WAITING;
        let (head, mut body) = answer.await.map_err(closed)?.into_parts();
        *stage = READING;
        let body = read(&mut body, MAX_BODY).await.map_err(Failed::Wrong)?;
        Ok(Answer { body, reusable: true, ..head_of(&head) })
    }
}

fn head_of(head: &Parts) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let fields = head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    Answer { status: head.status.as_u16(), fields: fields.collect(), ..Answer::default() }
}

/// The first `most` bytes of a body; the rest of a longer one is not asked for.
pub(super) async fn read(body: &mut RecvStream, most: usize) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    while data.len() < most {
        let Some(piece) = body.data().await else { break };
        let piece = piece.map_err(|error| no_h2(&error))?;
        data.extend_from_slice(&piece);
        // It fails for a stream that has ended, which gets nothing more.
        let _ended = body.flow_control().release_capacity(piece.len());
    }
    data.truncate(most);
    Ok(data)
}

/// Why there is no answer by HTTP/2.
pub(super) fn no_h2(error: &Error) -> String {
    format!("no HTTP/2: {}", printable(&error.to_string()))
}
