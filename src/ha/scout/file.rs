//! Looks at a file that an operator may put somewhere: absent, there, or with an integer in it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::track::{Finding, Standing};
use super::{News, every};

/// More than any integer and its line end.
const LONGEST: u64 = 64;

pub(super) async fn watch(path: PathBuf, interval: Duration, news: News) {
    every(interval, || look(&path, &news)).await;
}

/// A file system may take its time, so a thread for blocking work looks.
async fn look(path: &Path, news: &News) {
    let path = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || finding(read(&path)));
    if let Ok(finding) = looked.await {
        news.send(finding).await;
    }
}

/// Without waiting for someone at the other end, should it be a pipe.
fn read(path: &Path) -> io::Result<String> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// A file that is there is a switch that was thrown, unless it holds a number.
pub(super) fn finding(read: io::Result<String>) -> Finding {
    let failing = |why: String| Finding::Fact { standing: Standing::Failing, why };
    match read {
        Ok(text) if text.trim().is_empty() => failing("it is there".to_owned()),
        Ok(text) => match text.trim().parse::<i16>() {
            Ok(number @ -254..=254) => {
                Finding::Fact { standing: Standing::Adjusting(number), why: format!("it holds {number}") }
            }
            Ok(_) | Err(_) => failing("what it holds is no integer from -254 to 254".to_owned()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Finding::Fact { standing: Standing::Passing, why: "it is absent".to_owned() }
        }
        Err(error) => failing(format!("it cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_there_or_a_number() {
        let fact = |read: io::Result<&str>| match finding(read.map(str::to_owned)) {
            Finding::Fact { standing, .. } => standing,
            Finding::Attempt { .. } => panic!("a file is not tried, it is there or not"),
        };
        assert_eq!(fact(Err(ErrorKind::NotFound.into())), Standing::Passing);
        assert_eq!(fact(Ok("")), Standing::Failing);
        assert_eq!(fact(Ok(" \n")), Standing::Failing);
        assert_eq!(fact(Ok("-120\n")), Standing::Adjusting(-120));
        assert_eq!(fact(Ok("+7")), Standing::Adjusting(7));
        assert_eq!(fact(Ok("0")), Standing::Adjusting(0));
        for odd in ["off", "255", "99999999999", "1 2", "\u{1F4A9}"] {
            assert_eq!(fact(Ok(odd)), Standing::Failing, "{odd}");
        }
        assert_eq!(fact(Err(ErrorKind::PermissionDenied.into())), Standing::Failing);
    }
}
