//! What can be seen without a connection.

use super::calm::Calm;
use super::head::{Follows, response, trailer};
use crate::http::{Lines, Response};

#[test]
fn a_page_may_be_left_and_a_flood_is_lost() {
    let mut calm = Calm::new(0);
    (0..128).for_each(|_| calm.taken_back(0));
    assert!(!calm.is_lost(), "all that can be asked at a time");
    (0..128).for_each(|_| calm.taken_back(9));
    assert!(calm.is_lost(), "asked for and taken back again within a second");
}

#[test]
fn calm_comes_back_by_answers_and_by_time() {
    let mut calm = Calm::new(0);
    for _ in 0..10_000 {
        calm.taken_back(0);
        calm.answered();
    }
    assert!(!calm.is_lost(), "every other one is taken back");
    for second in 0..1000 {
        (0..32).for_each(|_| calm.taken_back(second * 10));
    }
    assert!(!calm.is_lost(), "32 a second");
    (0..33 * 256).for_each(|at| calm.taken_back(10_000 + at / 33 * 10));
    assert!(calm.is_lost(), "33 a second");
}

#[test]
fn the_words_of_a_response_become_fields() {
    let read = |head: &str, is_head: bool| {
        let mut lines = Lines::new();
        let parsed = Response::parse(head.as_bytes(), &mut lines, 10).expect("well-formed");
        response(&parsed, is_head).expect("well-formed")
    };
    let head =
        "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (built, follows) = read(head, false);
    assert_eq!(follows, Follows::Chunks);
    assert_eq!(built.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(built.headers().len(), 2);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    assert_eq!(read(head, false).1, Follows::Length(7));
    let (built, follows) = read(head, true);
    assert_eq!(
        (follows, &built.headers()["content-length"]),
        (Follows::Nothing, &"7".parse().expect("a value"))
    );
    assert_eq!(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false).1, Follows::Nothing);
    assert_eq!(read("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false).1, Follows::Head);
}

#[test]
fn a_trailer_line_becomes_a_field() {
    let mut trailers = ::http::HeaderMap::new();
    trailer(b"Grpc-Status:  0 \r\n", &mut trailers).expect("well-formed");
    assert_eq!(trailers["grpc-status"], "0");
    assert!(trailer(b"no colon\r\n", &mut trailers).is_err());
}
