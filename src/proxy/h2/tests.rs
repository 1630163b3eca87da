//! What can be seen without a connection.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Buf as _;

use super::calm::Calm;
use super::head::{Follows, response, trailer};
use super::unsent::{LEAST, MOST, Share, TURN, Unsent};
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

/// Whether it has room now.
fn room(share: &Share) -> Option<usize> {
    match share.poll_room(&Context::from_waker(Waker::noop())) {
        Poll::Ready(room) => Some(room),
        Poll::Pending => None,
    }
}

#[test]
fn lanes_that_wait_have_turns_one_after_the_other() {
    const TURNS: usize = MOST / TURN;
    let unsent = Rc::<Unsent>::default();
    let first = Share::new(&unsent);
    assert_eq!(room(&first), Some(MOST));
    let all = first.piece(&vec![0; MOST]);
    let mut lanes: VecDeque<_> = (0..TURNS + 5).map(|_| Share::new(&unsent)).collect();
    assert!(lanes.iter().all(|lane| room(lane).is_none()), "others have it");
    drop(all);
    assert_eq!(room(&first), None, "it was set aside for those who wait");
    let mut rooms = lanes.iter().map(room);
    assert!(rooms.by_ref().take(TURNS).all(|room| room == Some(TURN)));
    assert!(rooms.all(|room| room.is_none()));
    // One uses its turn, another is gone, and so is one that has none: the next two.
    let piece = lanes[0].piece(&[0; TURN]);
    assert_eq!(room(&lanes[TURNS]), None);
    drop(piece);
    assert_eq!(room(&lanes[TURNS]), Some(TURN));
    lanes.remove(TURNS + 1);
    lanes.pop_front();
    lanes.pop_front();
    assert_eq!(room(&lanes[TURNS - 1]), Some(TURN));
    assert_eq!(room(&lanes[TURNS]), None);
    let part = lanes[0].piece(&[0; TURN / 4]);
    assert_eq!(room(&lanes[TURNS]), None, "it has not used all of it");
    lanes[0].pass();
    assert_eq!(room(&lanes[TURNS]), None, "a part of a turn is none");
    lanes[1].pass();
    assert_eq!(room(&lanes[TURNS]), Some(TURN), "it could not use it");
    lanes.clear();
    drop(part);
    assert_eq!(room(&first), Some(TURN), "it waited as well");
    first.pass();
    assert_eq!((room(&first), unsent.is_empty()), (Some(MOST), true));
}

#[test]
fn who_has_its_turn_is_woken() {
    #[derive(Default)]
    struct Bell(AtomicUsize);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (bell, unsent) = (Arc::<Bell>::default(), Rc::<Unsent>::default());
    let waker = Arc::clone(&bell).into();
    let lanes = [Share::new(&unsent), Share::new(&unsent)];
    let piece = lanes[0].piece(&vec![0; MOST]);
    for _ in 0..3 {
        assert!(lanes[1].poll_room(&Context::from_waker(&waker)).is_pending());
    }
    drop(piece);
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
}

#[test]
fn the_more_waits_the_less_is_read() {
    let unsent = Rc::<Unsent>::default();
    let lanes = [Share::new(&unsent), Share::new(&unsent)];
    let gulp = |lane: &Share| lane.poll_gulp(&Context::from_waker(Waker::noop()));
    assert_eq!((lanes[0].gulp(), gulp(&lanes[0])), (MOST / 8, Poll::Ready(MOST / 8)));
    lanes[0].park(MOST / 2);
    assert_eq!((lanes[1].gulp(), gulp(&lanes[1])), (MOST / 16, Poll::Ready(MOST / 16)));
    lanes[1].park(MOST / 2);
    assert_eq!((lanes[1].gulp(), gulp(&lanes[1])), (LEAST, Poll::Ready(LEAST)));
    lanes.iter().for_each(|lane| lane.park(0));
    let piece = lanes[0].piece(&vec![0; MOST]);
    assert_eq!((lanes[1].gulp(), gulp(&lanes[1])), (LEAST, Poll::Pending));
    drop(piece);
    assert_eq!(gulp(&lanes[1]), Poll::Ready(TURN), "it is its turn");
    lanes[1].pass();
    assert_eq!(gulp(&lanes[1]), Poll::Ready(MOST / 8));
    // However little is in a piece, it has its price.
    let pieces: Vec<_> = (0..MOST / 256).map(|_| lanes[0].piece(b"x")).collect();
    assert_eq!(room(&lanes[1]), None);
    drop(pieces);
}

#[test]
fn what_is_sent_has_moved() {
    let unsent = Rc::<Unsent>::default();
    let mut piece = Share::new(&unsent).piece(b"hello");
    assert_eq!((unsent.has_moved(), unsent.is_empty()), (false, false));
    piece.advance(2);
    assert_eq!((piece.chunk(), unsent.has_moved(), unsent.has_moved()), (&b"llo"[..], true, false));
    drop(piece);
    assert!(unsent.is_empty());
}
