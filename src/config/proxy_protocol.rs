//! `accept_proxy` of a `[[frontend]]` and `send_proxy` of a `[[pool]]`: who says who the client is.

use std::fmt;
use std::net::IpAddr;

use toml::de::DeValue;

use super::problem::Wrong;
use super::table::wrong_type;
use super::value;
use crate::pool::SendProxy;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of the first `prefix` bits of `address`; `None` when the address has other bits, or fewer.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (bits, width) = bits(address);
        let host = width.checked_sub(u32::from(prefix))?;
        (bits & !mask(host) == 0).then_some(Self { address, prefix })
    }

    /// Whether it has the address. An IPv4 address in IPv6 is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((ours, width), (theirs, other)) = (bits(self.address), bits(address.to_canonical()));
        width == other && (ours ^ theirs) & mask(width - u32::from(self.prefix)) == 0
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// All bits but the last `host`.
fn mask(host: u32) -> u128 {
    u128::MAX.checked_shl(host).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A list of networks, which may be empty.
pub(super) fn networks(value: &DeValue<'_>) -> Result<Vec<Network>, Wrong> {
    let items = value.as_array().ok_or_else(|| wrong_type("a list of networks", value))?;
    items.iter().map(|item| network(value::text(item.get_ref())?)).collect()
}

fn network(text: &str) -> Result<Network, Wrong> {
    let wrong = || {
        Wrong::new(format!("`{}` is no network", text.escape_debug()))
            .help("write it like \"10.0.0.0/8\" or \"2001:db8::/32\"; \"0.0.0.0/0\" is everyone with IPv4")
    };
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let (bits, width) = bits(address);
    let prefix = match prefix {
        Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
            prefix.parse::<u8>().ok().filter(|prefix| u32::from(*prefix) <= width).ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
        None if address.is_ipv4() => 32,
        None => 128,
    };
    Network::new(address, prefix).ok_or_else(|| {
        let first = bits & mask(width - u32::from(prefix));
        let first = match address {
            IpAddr::V4(_) => u32::try_from(first).map(|bits| IpAddr::V4(bits.into())).unwrap_or(address),
            IpAddr::V6(_) => IpAddr::V6(first.into()),
        };
        Wrong::new(format!("`{text}` has bits behind its first {prefix}"))
            .help(format!("write \"{first}/{prefix}\""))
    })
}

/// `"off"`, `"v1"` or `"v2"`.
pub(super) fn send_proxy(value: &DeValue<'_>) -> Result<Option<SendProxy>, Wrong> {
    Ok(match value::one_of(value, &["off", "v1", "v2"], &[])? {
        "v1" => Some(SendProxy::V1),
        "v2" => Some(SendProxy::V2),
        _ => None,
    })
}

/// As `send_proxy` is written.
pub(super) const fn show(version: Option<SendProxy>) -> &'static str {
    match version {
        None => "off",
        Some(SendProxy::V1) => "v1",
        Some(SendProxy::V2) => "v2",
    }
}
