//! splice(2): bytes go from one socket to another through a pipe and are never copied into this process.
//!
//! A [`Pipe`] is filled from a socket and drained into another, never waiting. How a relay uses it:
//!
//! 1. take one from the core's [`Pipes`] when the source has something; `None` means copy instead;
//! 2. [`Pipe::fill`] it once. Only an empty pipe is filled, so that `WouldBlock` can only mean that the socket has
//!    nothing, never that the pipe is full;
//! 3. [`Pipe::drain`] it until it is empty. `WouldBlock` means that the sink is slow: keep the pipe, wait for the sink,
//!    and read nothing more meanwhile, which is the back-pressure;
//! 4. give it back. One with bytes in it is closed instead: they belong to a connection that is gone.
//!
//! The end of the source is a fill of 0, as with read(2). What may be moved is bounded by [`SIZE`], and so is the memory
//! of the kernel that a slow sink holds. It pays from some ten KiB on; below that, a copy is cheaper.
//!
//! The kernel raises SIGPIPE when a pipe is drained into a closed socket; Rust's runtime ignores it since the start of
//! the program, and the error is all that is left.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// Bytes that a pipe takes at most. Within the kernel's bound for one pipe without privileges (`pipe-max-size`, 1 MiB);
/// all pipes of a user together have one as well (`pipe-user-pages-soft`, 64 MiB).
pub const SIZE: usize = 256 * 1024;

/// One thread's pipes.
#[derive(Debug)]
pub struct Pipes {
    most: usize,
    free: RefCell<Vec<Pipe>>,
    /// Every pipe has a share in it, which counts them.
    open: Rc<()>,
}

/// A pipe and how much is in it.
#[derive(Debug)]
pub struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
    held: usize,
    _open: Rc<()>,
}

impl Pipes {
    /// None yet, and never more than `most` at a time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, free: RefCell::default(), open: Rc::default() }
    }

    /// An empty pipe; `None` when there are as many as there may be or the kernel allows no more, which is no error:
    /// bytes can always be copied.
    #[must_use]
    pub fn take(&self) -> Option<Pipe> {
        let free = self.free.borrow_mut().pop();
        free.or_else(|| if self.open() < self.most { self.make().ok() } else { None })
    }

    /// Takes a pipe back, or closes it when bytes are left in it.
    pub fn give(&self, pipe: Pipe) {
        if pipe.held == 0 {
            self.free.borrow_mut().push(pipe);
        }
    }

    /// How many there are, in use or free.
    #[must_use]
    pub fn open(&self) -> usize {
        Rc::strong_count(&self.open) - 1
    }

    fn make(&self) -> io::Result<Pipe> {
        let (to, from) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A user with too many pipes gets small ones; those are not worth it.
        fcntl_setpipe_size(&from, SIZE)?;
        Ok(Pipe { from, to, held: 0, _open: Rc::clone(&self.open) })
    }
}

impl Pipe {
    /// Moves up to `most` bytes that `socket` has into the pipe, which must be empty; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when the socket has nothing; else the socket is broken.
    pub fn fill(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        debug_assert!(self.held == 0, "only an empty pipe is filled");
        let moved = splice(socket, None, &self.from, None, most.min(SIZE), FLAGS)?;
        self.held = moved;
        Ok(moved)
    }

    /// Moves what the pipe has into `socket`, as much of it as goes.
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes nothing; else the socket is broken.
    pub fn drain(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let moved = splice(&self.to, None, socket, None, self.held, FLAGS)?;
        self.held -= moved;
        Ok(moved)
    }

    /// Bytes that were filled in and not drained yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Two ends of a connection; the second does not block.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (far, _) = listener.accept().expect("it has connected");
        far.set_nonblocking(true).expect("it is a socket");
        (near, far)
    }

    /// Fills once there is something.
    fn fill(pipe: &mut Pipe, socket: &TcpStream) -> usize {
        loop {
            match pipe.fill(socket, SIZE) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                filled => return filled.expect("the socket is well"),
            }
        }
    }

    #[test]
    fn bytes_go_through_and_the_end_is_seen() {
        let ((mut client, near), (mut server, far)) = (pair(), pair());
        let pipes = Pipes::new(1);
        let mut pipe = pipes.take().expect("the first");
        let nothing = pipe.fill(&near, SIZE).expect_err("nobody has said anything");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        client.write_all(b"hello").expect("it is open");
        assert_eq!((fill(&mut pipe, &near), pipe.held()), (5, 5));
        assert_eq!((pipe.drain(&far).expect("there is room"), pipe.held()), (5, 0));
        let mut said = [0; 5];
        server.read_exact(&mut said).expect("they have come");
        assert_eq!(&said, b"hello");
        drop(client);
        assert_eq!(fill(&mut pipe, &near), 0);
    }

    #[test]
    fn pipes_are_used_again_unless_bytes_are_left_in_them() {
        let (mut client, near) = pair();
        let pipes = Pipes::new(2);
        let (mut left, empty) = (pipes.take().expect("the first"), pipes.take().expect("the second"));
        assert!(pipes.take().is_none(), "two are all");
        client.write_all(b"hello").expect("it is open");
        fill(&mut left, &near);
        pipes.give(left);
        assert_eq!(pipes.open(), 1, "its bytes were meant for someone else");
        pipes.give(empty);
        assert_eq!((pipes.take().map(|pipe| pipe.held()), pipes.open()), (Some(0), 0));
    }
}
