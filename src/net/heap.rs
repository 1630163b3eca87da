//! The memory allocator of the C library (malloc(3)).

use std::sync::Once;

/// Has small pieces that are freed joined with their neighbours at once, in the whole process and from now on.
///
/// By default glibc leaves them apart until someone asks for a KiB or more, which a thread with warm buffers may never do.
/// Tasks begin at pairs of cache lines, and what is cut off for that lay about: a tenth of the memory of an idle
/// connection.
pub fn join_pieces() {
    static JOINED: Once = Once::new();
    JOINED.call_once(|| {
        #[cfg(target_env = "gnu")]
        {
            // SAFETY: it takes two numbers and locks what it changes (mallopt(3)).
            #[expect(unsafe_code, reason = "no crate of ours has mallopt")]
            // It refuses unknown parameters only.
            let _ = unsafe { libc::mallopt(libc::M_MXFAST, 0) };
        }
    });
}
