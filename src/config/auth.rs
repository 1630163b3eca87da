//! `auth` of a `[[vrrp]]`: where the keys are, and what is asked of adverts.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use crate::vrrp::Centis;
use crate::vrrp::auth::{KeyId, Mode, Policy, Window};

use super::problem::{Problems, Wrong};
use super::table::Table;
use super::valid;
use super::value::{self, of_text};

/// An `auth` without a mistake in it; its window may depend on the advert interval.
pub(super) struct Auth {
    pub(super) key_file: Spanned<PathBuf>,
    pub(super) active: KeyId,
    /// `None` when it is not given.
    pub(super) mode: Option<Spanned<Mode>>,
    /// `None` when it is not given.
    pub(super) window: Option<Window>,
}

impl Auth {
    pub(super) fn mode(&self) -> Mode {
        self.mode.as_ref().map_or(Mode::default(), |mode| *mode.get_ref())
    }

    /// What it means for a router of this advert interval.
    pub(super) fn valid(self, interval: Centis) -> valid::Auth {
        let window = self.window.unwrap_or_else(|| Window::for_interval(interval.span()));
        let policy = Policy { active: self.active, mode: self.mode(), window };
        valid::Auth { key_file: self.key_file.into_inner(), policy }
    }
}

/// The table; `None` when something in it is wrong.
pub(super) fn auth(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Option<Auth> {
    let mut table = Table::open("auth", value, problems)?;
    let key_file = table.required("key_file", "key_file = \"/etc/vipd/keys\"", of_text(key_file));
    let active = table.required("active", "active = 1", active);
    let mode = table.optional("mode", mode);
    let window = table.optional("window", window);
    table.finish();
    Some(Auth {
        key_file: key_file?,
        active: active?.into_inner(),
        mode: mode?,
        window: window?.map(Spanned::into_inner),
    })
}

/// Adverts that are not signed are believed: right on the way to `enforce`, and nowhere to stay.
pub(super) fn lint(auth: &Auth, problems: &mut Problems<'_>) {
    let Some(mode) = auth.mode.as_ref().filter(|mode| mode.get_ref().believes_unsigned()) else { return };
    let (what, next) = match mode.get_ref() {
        Mode::ReceiveOnly => (
            "adverts go out unsigned and unsigned ones are believed",
            "\"permissive\" once every node has `auth`",
        ),
        Mode::Permissive | Mode::Enforce => (
            "unsigned adverts are believed",
            "\"enforce\" once every node signs: `vipd status` counts what is unsigned",
        ),
    };
    problems.warning(mode.span(), what).help(format!("write {next}"));
}

fn key_file(text: &str) -> Result<PathBuf, Wrong> {
    value::full_path(text).map_err(|wrong| wrong.help("write it from the root: \"/etc/vipd/keys\""))
}

fn active(value: &DeValue<'_>) -> Result<KeyId, Wrong> {
    let id = value::integer(value, 1..=255, "the id of a key")?;
    u8::try_from(id).ok().and_then(KeyId::new).ok_or_else(|| Wrong::new("the id of a key is 1 to 255"))
}

fn mode(value: &DeValue<'_>) -> Result<Mode, Wrong> {
    let modes = [Mode::Enforce, Mode::Permissive, Mode::ReceiveOnly];
    let word = value::one_of(value, &["enforce", "permissive", "receive-only"], &[])?;
    modes
        .into_iter()
        .find(|mode| mode.to_string() == word)
        .ok_or_else(|| Wrong::new(format!("`{word}` is not known here")))
}

fn window(value: &DeValue<'_>) -> Result<Window, Wrong> {
    let length = value::duration(value)?;
    let seconds = u16::try_from(length.as_secs()).ok().filter(|_| length.subsec_nanos() == 0);
    seconds.and_then(Window::new).ok_or_else(|| {
        Wrong::new("a window is 1s to 300s, in whole seconds").help("write \"5s\", or leave the key out")
    })
}
