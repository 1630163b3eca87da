//! The maintenance pages that a config names, looked at on this machine. What is wrong with one is said at the place
//! where the config names it.

use std::ops::Range;
use std::path::PathBuf;

use crate::config::{Maintenance, Problem};
use crate::net::text_file;

use super::tls_files::unread;

/// What is wrong with the pages, as far as this user may see it.
pub(crate) fn problems(pages: &[(PathBuf, Range<usize>)]) -> Vec<Problem> {
    let problem = |(path, place): &(PathBuf, Range<usize>)| {
        text_file::read(path, Maintenance::LARGEST).err().map(|error| unread(&error, place))
    };
    pages.iter().filter_map(problem).collect()
}
