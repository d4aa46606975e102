//! What `configure` says, and which of the neutral settings smoltcp has.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{json, Map, Value};

use crate::release;

/// README.md of smoltcp: jumbo frames are not supported.
const LARGEST_MTU: usize = 1500;
const SMALLEST_MTU: usize = 68;
/// `tcp::Socket::new` refuses a larger one.
const LARGEST_BUFFER: usize = 1 << 30;

#[derive(Clone, Deserialize)]
pub struct Configuration {
    pub clock: String,
    pub interface: Interface,
    #[serde(default)]
    pub settings: Settings,
}

#[derive(Clone, Deserialize)]
pub struct Interface {
    pub mac: String,
    pub mtu: usize,
    pub addresses: Vec<Address>,
    pub gateways: Vec<Gateway>,
}

#[derive(Clone, Deserialize)]
pub struct Address {
    pub address: IpAddr,
    pub prefix: u8,
}

#[derive(Clone, Deserialize)]
pub struct Gateway {
    pub address: IpAddr,
    pub mac: String,
    /// The net behind it: `198.18.0.0/15`.
    pub to: String,
}

#[derive(Clone, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub receive_buffer: usize,
    pub send_buffer: usize,
    pub ttl: u8,
    /// ns
    pub keepalive_time: u64,
    pub congestion_control: String,
    pub timestamps: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            receive_buffer: 131_072,
            send_buffer: 16_384,
            ttl: 64,
            keepalive_time: 2 * 3600 * 1_000_000_000,
            congestion_control: String::new(),
            timestamps: String::new(),
        }
    }
}

impl Settings {
    pub fn receive_buffer(&self) -> usize {
        self.receive_buffer.min(LARGEST_BUFFER)
    }

    pub fn send_buffer(&self) -> usize {
        self.send_buffer.min(LARGEST_BUFFER)
    }
}

/// The six octets of `02:00:00:00:00:01`.
pub fn mac(text: &str) -> Result<[u8; 6], String> {
    let octets: Option<Vec<u8>> = text.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets.and_then(|octets| octets.try_into().ok()).ok_or_else(|| format!("{text} is no MAC address"))
}

/// Those that smoltcp has. What it cannot be told otherwise stands there with the one value that describes it.
pub fn known() -> Map<String, Value> {
    let mtus: Vec<usize> = (SMALLEST_MTU..=LARGEST_MTU).rev().collect();
    let Value::Object(mut settings) = json!({
        "mtu": mtus,
        "receive_buffer": "any",
        "send_buffer": "any",
        "ttl": "any",
        "keepalive_time": "any",
        "window_scaling": ["on"],
        "dsack": ["off"],
        "ecn": ["off"],
        "fast_open": ["off"],
        "syn_cookies": ["off"],
        "tlp": ["off"],
        "rack": ["off"],
        "mtu_probing": ["off"],
        "autocork": ["off"],
        "source_route": ["off"],
        "tw_reuse": ["off"],
        "rfc1337": ["off"],
        "icmp_ratelimit": ["off"],
        "invalid_ratelimit": [1_000_000_000],
    }) else {
        unreachable!()
    };
    settings.extend(release::settings());
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_of_a_mac_address() {
        assert_eq!(mac("02:00:00:00:00:ff"), Ok([2, 0, 0, 0, 0, 255]));
        assert!(mac("02:00:00:00:00").is_err());
        assert!(mac("02:00:00:00:00:1ff").is_err());
    }
}
