//! What the older release of smoltcp has, and how it wants to be asked for it.

use serde_json::{json, Map, Value};
pub use smoltcp_old as smoltcp;

use smoltcp::phy;
use smoltcp::socket::tcp;

use crate::link::Frame;
use crate::settings::Settings;

pub const VERSION: &str = "0.11.0";

/// Beside those of every release.
pub const CAPABILITIES: &[&str] = &[];

/// Beside those of every release. It has no congestion control, so that there is no word for the one it has.
pub fn settings() -> Map<String, Value> {
    let Value::Object(settings) = json!({ "timestamps": ["off"], "rto_min": [10_000_000] }) else { unreachable!() };
    settings
}

/// It has no timestamps.
pub fn set_timestamp_clock(_ms: u32) {}

/// It has nothing to choose.
pub fn tune(_socket: &mut tcp::Socket, _settings: &Settings) {}

impl phy::RxToken for Frame {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}
