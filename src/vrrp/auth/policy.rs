//! What a virtual router asks of adverts: how strict it is, with which key it signs, how fresh an advert must be.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::KeyId;
use crate::vrrp::Span;

/// How strict a router is. A group goes from one to the next node by node, so that no step loses an advert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Signs nothing, believes unsigned adverts, verifies signed ones: the first step, on every node.
    ReceiveOnly,
    /// Signs, still believes unsigned adverts, verifies signed ones: the second step.
    Permissive,
    /// Signs, and believes nothing that is not signed.
    #[default]
    Enforce,
}

impl Mode {
    /// Whether adverts go out with a trailer.
    pub const fn signs(self) -> bool {
        match self {
            Self::ReceiveOnly => false,
            Self::Permissive | Self::Enforce => true,
        }
    }

    /// Whether an advert without a trailer is believed. A trailer that is wrong never is.
    pub const fn believes_unsigned(self) -> bool {
        match self {
            Self::ReceiveOnly | Self::Permissive => true,
            Self::Enforce => false,
        }
    }
}

impl fmt::Display for Mode {
    /// As the config writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReceiveOnly => "receive-only",
            Self::Permissive => "permissive",
            Self::Enforce => "enforce",
        })
    }
}

/// How far a sender's clock may be from ours, either way: 1..=300 whole seconds, as in keepalived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(u16);

impl Window {
    /// The narrowest window.
    pub const MIN: Self = Self(1);
    /// The widest window.
    pub const MAX: Self = Self(300);
    /// The least that a window is when nobody says how wide it is.
    const USUAL: Self = Self(5);

    /// `seconds` as a window; `None` outside 1..=300.
    pub const fn new(seconds: u16) -> Option<Self> {
        if seconds >= Self::MIN.0 && seconds <= Self::MAX.0 { Some(Self(seconds)) } else { None }
    }

    /// keepalived's default: three adverts, at least five seconds.
    pub fn for_interval(interval: Span) -> Self {
        let seconds = interval.times(3).as_micros() / 1_000_000;
        let seconds = u16::try_from(seconds).unwrap_or(u16::MAX);
        Self(seconds).clamp(Self::USUAL, Self::MAX)
    }

    /// The number of seconds.
    pub const fn seconds(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Window {
    /// `5s`, as the config writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// What a router asks of adverts; the keys themselves are elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The key that adverts are signed with. Every key of the file is accepted.
    pub active: KeyId,
    /// How strict the router is.
    pub mode: Mode,
    /// How fresh an advert must be.
    pub window: Window,
}
