//! The corpus: a text file of requests with escapes.
//!
//! ```text
//! = RFC 9112 §2.2: the sentence that decides the cases below
//! name    GET / HTTP/1.1⏎Host: h⏎⏎
//! ```
//!
//! A name that ends with `~` is of a case that HAProxy does not treat alike in every run: it passes on what has arrived
//! before it has looked at the rest.
//!
//! `⏎` is CRLF; `\r \n \0 \t \s \\ \xHH` are single bytes; `\{HH*N}` is a byte N times. Everything else is itself.

/// All cases, in groups.
pub(crate) struct Corpus {
    pub(crate) groups: Vec<Group>,
}

/// Cases that the same rule decides.
pub(crate) struct Group {
    /// The section and what it says.
    pub(crate) rule: String,
    pub(crate) cases: Vec<Case>,
}

/// What one client sends, at once.
pub(crate) struct Case {
    pub(crate) name: String,
    /// HAProxy does not do the same with it each time.
    pub(crate) unsteady: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Corpus {
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.groups.iter().flat_map(|group| &group.cases)
    }
}

/// Reads the file; panics on a line that is not one.
pub(crate) fn parse(text: &str) -> Corpus {
    let mut groups: Vec<Group> = Vec::new();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        if let Some(rule) = line.strip_prefix("= ") {
            groups.push(Group { rule: rule.to_owned(), cases: Vec::new() });
            continue;
        }
        let (name, bytes) = line.split_once(char::is_whitespace).expect("a name, then bytes");
        let case = Case {
            name: name.trim_end_matches('~').to_owned(),
            unsteady: name.ends_with('~'),
            bytes: unescape(bytes.trim_start()),
        };
        groups.last_mut().expect("a rule before the first case").cases.push(case);
    }
    let corpus = Corpus { groups };
    let mut names: Vec<_> = corpus.cases().map(|case| &case.name).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "each name once");
    corpus
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '⏎']) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        rest = match rest.strip_prefix('⏎') {
            Some(behind) => {
                bytes.extend_from_slice(b"\r\n");
                behind
            }
            None => escape(&rest[1..], &mut bytes),
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Reads what is behind a backslash, and returns the rest.
fn escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    let hex = |digits: &str| u8::from_str_radix(digits, 16).expect("two hexadecimal digits");
    let (kind, rest) = text.split_at(1);
    match kind {
        "r" => bytes.push(b'\r'),
        "n" => bytes.push(b'\n'),
        "0" => bytes.push(0),
        "t" => bytes.push(b'\t'),
        "s" => bytes.push(b' '),
        "\\" => bytes.push(b'\\'),
        "x" => {
            bytes.push(hex(&rest[..2]));
            return &rest[2..];
        }
        "{" => {
            let (run, rest) = rest.split_once('}').expect("a closing brace");
            let (byte, count) = run.split_once('*').expect("byte*count");
            bytes.resize(bytes.len() + count.parse::<usize>().expect("a count"), hex(byte));
            return rest;
        }
        other => panic!("unknown escape \\{other}"),
    }
    rest
}
