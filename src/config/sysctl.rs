//! `sysctl` of a `[[vrrp]]`: what becomes of kernel settings that are in the way.

use std::fmt;

use toml::de::DeValue;

use super::problem::Wrong;
use super::value;

/// What to do about kernel settings that are in the way of a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sysctl {
    /// Say so, and what to write.
    #[default]
    Advise,
    /// Change them.
    Set,
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advise => "advise",
            Self::Set => "set",
        })
    }
}

pub(super) fn read(value: &DeValue<'_>) -> Result<Sysctl, Wrong> {
    let set = value::one_of(value, &["advise", "set"], &[])? == "set";
    Ok(if set { Sysctl::Set } else { Sysctl::Advise })
}
