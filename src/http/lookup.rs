//! What a request says that decides where it goes: its path, a field, a cookie.

use super::{Request, RequestFacts};

impl<'b> Request<'_, 'b> {
    /// The path of the target, without its query, byte by byte as it was sent: nothing is decoded, no `..` is
    /// followed, no slashes are merged. `*` for `OPTIONS *`.
    #[must_use]
    pub fn path(&self, facts: &RequestFacts<'b>) -> &'b str {
        let target = facts.path.unwrap_or(self.target);
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The path with its query.
    #[must_use]
    pub fn path_and_query(&self, facts: &RequestFacts<'b>) -> &'b str {
        facts.path.unwrap_or(self.target)
    }

    /// The value of a field, the first one of its name (names are case-insensitive, RFC 9110 §5.1).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The value of a cookie, the first one of its name (names are case-sensitive, RFC 6265 §5.4), as it was sent.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'b [u8]> {
        let fields = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("cookie"));
        let pairs = fields.flat_map(|header| header.value.split(|byte| *byte == b';'));
        pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
            let (known, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
            (known == name.as_bytes()).then(|| &value[1..])
        })
    }
}
