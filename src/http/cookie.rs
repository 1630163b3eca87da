//! A cookie of our own: set on the way to the client, taken out on the way to the server.

/// Takes the cookie `name` out of every Cookie field of a request's head, in place; a field that is empty then goes as
/// a whole. Everything else stays byte by byte.
pub fn hide_cookie(head: &mut Vec<u8>, name: &str) {
    let (mut read, mut write) = (0, 0);
    while read < head.len() {
        let end = memchr::memchr(b'\n', &head[read..]).map_or(head.len(), |at| read + at + 1);
        if is_cookie(&head[read..end]) {
            write = keep_others(head, read..end, write, name);
        } else {
            head.copy_within(read..end, write);
            write += end - read;
        }
        read = end;
    }
    head.truncate(write);
}

const FIELD: &[u8] = b"cookie:";

fn is_cookie(line: &[u8]) -> bool {
    line.get(..FIELD.len()).is_some_and(|name| name.eq_ignore_ascii_case(FIELD))
}

/// Moves a Cookie line without the cookie to `write`; says where it ends. It never grows, so that what has not been
/// read is not written over.
fn keep_others(head: &mut [u8], line: std::ops::Range<usize>, write: usize, name: &str) -> usize {
    let end = line.end - head[line.clone()].iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
    let mut to = write + FIELD.len();
    head.copy_within(line.start..line.start + FIELD.len(), write);
    let (mut at, mut is_first, mut is_empty) = (line.start + FIELD.len(), true, true);
    while at <= end {
        let next = memchr::memchr(b';', &head[at..end]).map_or(end, |found| at + found);
        if !is_pair(&head[at..next], name) {
            is_empty &= head[at..next].trim_ascii().is_empty();
            if !is_first {
                head[to] = b';';
                to += 1;
            }
            is_first = false;
            head.copy_within(at..next, to);
            to += next - at;
        }
        at = next + 1;
    }
    if is_empty {
        return write;
    }
    head.copy_within(end..line.end, to);
    to + line.end - end
}

/// Adds a cookie to the head of a response, which ends with its empty line: for the whole site and until the browser
/// closes, out of reach of scripts. A response that sets one is for one client: `Cache-Control: private` keeps shared
/// caches from giving it to another (HAProxy's `nocache`). `secure`: the client came by TLS.
pub fn set_cookie(head: &mut Vec<u8>, name: &str, value: &[u8], secure: bool) {
    debug_assert!(head.ends_with(b"\r\n\r\n"), "a whole head");
    head.truncate(head.len() - 2);
    let secure: &[u8] = if secure { b"; Secure" } else { b"" };
    let parts = [b"Set-Cookie: ", name.as_bytes(), b"=", value, b"; Path=/; HttpOnly", secure];
    parts.iter().for_each(|part| head.extend_from_slice(part));
    head.extend_from_slice(b"\r\nCache-Control: private\r\n\r\n");
}

fn is_pair(pair: &[u8], name: &str) -> bool {
    let value = pair.trim_ascii().strip_prefix(name.as_bytes());
    value.is_some_and(|rest| rest.first() == Some(&b'='))
}

#[cfg(test)]
mod tests;
