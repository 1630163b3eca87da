//! A gRPC server with the health service and nothing else, on HTTP/2 in clear.

use std::net::Ipv4Addr;
use std::sync::mpsc::channel;
use std::thread;

use ::http::{HeaderMap, HeaderValue, Request, Response};
use bytes::Bytes;
use h2::server::{SendResponse, handshake};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

/// Starts it for the rest of the test's process and says on which port.
pub(crate) fn start(address: Ipv4Addr) -> u16 {
    let (say, port) = channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind((address, 0)).await.expect("the address is ours");
            say.send(listener.local_addr().expect("it is bound").port()).expect("the test waits");
            loop {
                let (stream, _) = listener.accept().await.expect("it listens");
                tokio::spawn(serve(stream));
            }
        });
    });
    port.recv().expect("it listens")
}

async fn serve(stream: TcpStream) -> Option<()> {
    let mut connection = handshake(stream).await.ok()?;
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond));
    }
    Some(())
}

async fn answer(request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) -> Option<()> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers().get("te").map(HeaderValue::as_bytes), Some(&b"trailers"[..]));
    let mut body = request.into_body();
    let mut asked = Vec::new();
    while let Some(piece) = body.data().await {
        asked.extend_from_slice(&piece.ok()?);
    }
    // A frame's head is five bytes, and so is an empty request; else the service follows its tag and its length.
    let service = asked.get(7..).unwrap_or_default();
    let status = match service {
        b"" | b"shop.Cart" => 1,
        b"shop.Search" => 2,
        _ => {
            let response =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", "5");
            respond.send_response(response.body(()).ok()?, true).ok()?;
            return Some(());
        }
    };
    let response = Response::builder().header("content-type", "application/grpc").body(()).ok()?;
    let mut send = respond.send_response(response, false).ok()?;
    send.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 0x08, status]), false).ok()?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    send.send_trailers(trailers).ok()
}
