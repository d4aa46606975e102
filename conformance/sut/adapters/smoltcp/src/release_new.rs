//! What the newer release of smoltcp has, and how it wants to be asked for it.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{json, Map, Value};
pub use smoltcp_new as smoltcp;

use smoltcp::phy;
use smoltcp::socket::tcp;

use crate::link::Frame;
use crate::settings::Settings;

pub const VERSION: &str = "0.14.0";

/// Beside those of every release.
pub const CAPABILITIES: &[&str] = &["timestamps"];

/// smoltcp asks a plain function for the time stamp, which knows nothing but this.
static TIMESTAMP_CLOCK: AtomicU32 = AtomicU32::new(0);

/// Beside those of every release.
pub fn settings() -> Map<String, Value> {
    let Value::Object(settings) = json!({
        "timestamps": ["on", "off"],
        "congestion_control": ["reno", "cubic"],
        "rto_min": [1_000_000_000],
    }) else {
        unreachable!()
    };
    settings
}

/// It is so many ms later than when the stack began, as the option of RFC 7323 has it.
pub fn set_timestamp_clock(ms: u32) {
    TIMESTAMP_CLOCK.store(ms, Ordering::Relaxed);
}

pub fn tune(socket: &mut tcp::Socket, settings: &Settings) {
    socket.set_congestion_control(if settings.congestion_control == "cubic" {
        tcp::CongestionControl::Cubic
    } else {
        tcp::CongestionControl::Reno
    });
    if settings.timestamps != "off" {
        socket.set_tsval_generator(Some(|| TIMESTAMP_CLOCK.load(Ordering::Relaxed)));
    }
}

impl phy::RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}
