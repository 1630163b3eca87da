//! HTTP/1.1 over byte slices: where a head ends, what it says, how its body is framed, and what is passed on.
//!
//! This room is pure: it never opens a socket, reads a clock or imports another room of ours. The data plane drives
//! it with whatever bytes have arrived; "incomplete" is an ordinary answer, never an error.
//!
//! Two programs that read one message differently can be played against each other (request smuggling), so this room
//! refuses what RFC 9112 merely discourages: bare CR or LF, folded lines, spaces before the colon, two lengths, any
//! transfer coding but one `chunked`. Heads of servers are held to the same rules as heads of clients, but for spaces
//! before the colon, which a proxy takes out.

mod chunked;
mod cookie;
mod date;
mod field;
mod framing;
mod head;
mod lookup;
mod malformed;
mod rewrite;
#[cfg(test)]
mod tests;
mod trailer;

pub use chunked::{Decoder, END, LAST_CHUNK, Part, frame};
pub use cookie::{hide_cookie, set_cookie};
pub use date::Date;
pub use framing::{Answering, Body, RequestFacts, ResponseFacts};
pub use head::{Lines, MAX_LINES, Request, Response, Scan, Version};
pub use malformed::Malformed;
pub use rewrite::{Delivery, Origin, Toward, request as rewrite_request, response as rewrite_response};
