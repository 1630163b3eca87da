//! A check by the gRPC health checking protocol: `grpc.health.v1.Health/Check` over HTTP/2, in clear with prior
//! knowledge or by TLS. The messages are two fields long and are written here by hand.

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Request, Uri};

use super::Target;
use super::connect::{Connectors, open};
use super::h2::{no_h2, read};
use super::words::{ASKING, Outcome, Passed, Stage, WAITING, printable};

const METHOD: &str = "/grpc.health.v1.Health/Check";

/// The longest answer that is read: it is a few bytes.
const MAX_ANSWER: usize = 1 << 10;

/// Asks the server of `target` how `service` is.
pub(super) async fn ask(
    service: &str,
    target: &Target,
    connectors: &Connectors,
    stage: &mut Stage,
) -> Outcome {
    let stream = open(target, connectors, stage).await?;
    *stage = ASKING;
    let mut builder = Builder::new();
    builder.enable_push(false).max_header_list_size(8 << 10).initial_window_size(16 << 10);
    let (client, connection) = builder.handshake::<_, Bytes>(stream).await.map_err(|error| no_h2(&error))?;
    // The connection does the reading and writing, and ends with this check.
    tokio::select! {
        outcome = call(client, service, target, stage) => outcome,
        ended = connection => Err(match ended {
            Ok(()) => "closed the connection without an answer".to_owned(),
            Err(error) => no_h2(&error),
        }),
    }
}

async fn call(client: SendRequest<Bytes>, service: &str, target: &Target, stage: &mut Stage) -> Outcome {
    let scheme = if target.check.tls.is_some() { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(target.address.to_string()).path_and_query(METHOD);
    let request = Request::post(uri.build().map_err(|error| error.to_string())?)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("user-agent", concat!("vipd/", env!("CARGO_PKG_VERSION")))
        .body(())
        .map_err(|error| error.to_string())?;
    let mut client = client.ready().await.map_err(|error| no_h2(&error))?;
    let (answer, mut body) = client.send_request(request, false).map_err(|error| no_h2(&error))?;
    body.send_data(message(service), true).map_err(|error| no_h2(&error))?;
    *stage = WAITING;
    let (head, mut body) = answer.await.map_err(|error| no_h2(&error))?.into_parts();
    if head.status != http::StatusCode::OK {
        return Err(format!("HTTP {}, expected 200", head.status.as_u16()));
    }
    refusal(&head.headers)?;
    let data = read(&mut body, MAX_ANSWER).await?;
    if data.len() == MAX_ANSWER {
        return Err("its answer is 1 KiB or longer".into());
    }
    let trailers = body.trailers().await.map_err(|error| no_h2(&error))?.unwrap_or_default();
    refusal(&trailers)?;
    match status(&data) {
        Some(1) => Ok(Passed::new("SERVING")),
        Some(0) => Err("UNKNOWN, expected SERVING".into()),
        Some(2) => Err("NOT_SERVING".into()),
        Some(3) => Err("SERVICE_UNKNOWN".into()),
        Some(other) => Err(format!("status {other}, expected 1 (SERVING)")),
        None => Err("not an answer of grpc.health.v1.Health".into()),
    }
}

/// `grpc-status`, in the head when there is no answer, else in the trailers.
fn refusal(headers: &HeaderMap) -> Result<(), String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text("grpc-status") {
        "" | "0" => Ok(()),
        "5" => Err("it does not know this service (gRPC status 5)".into()),
        "12" => Err("it has no grpc.health.v1.Health (gRPC status 12)".into()),
        code => Err(format!("gRPC status {}: {}", printable(code), printable(text("grpc-message")))),
    }
}

/// `HealthCheckRequest { service = 1 }` behind a byte that says "not compressed" and its length.
fn message(service: &str) -> Bytes {
    let mut request = Vec::new();
    if !service.is_empty() {
        request.push(0x0a);
        varint(service.len(), &mut request);
        request.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(request.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], &request].concat().into()
}

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while let Some(more) = number.checked_shr(7).filter(|more| *more > 0) {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number = more;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

/// `HealthCheckResponse { status = 1 }`; a field that is absent is 0 (proto3).
fn status(data: &[u8]) -> Option<u8> {
    match data {
        [0, 0, 0, 0, 0] => Some(0),
        [0, 0, 0, 0, 2, 0x08, status] if *status < 0x80 => Some(*status),
        _ => None,
    }
}
