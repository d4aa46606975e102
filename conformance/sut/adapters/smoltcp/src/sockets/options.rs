//! Socket options: what smoltcp has of them, and what is the adapter's own.

use serde_json::{json, Value};

use super::data::unhex;
use super::{Failure, Members, Outcome, Params, Role, Sockets};
use crate::protocol::value;
use crate::release::smoltcp::iface::SocketHandle;
use crate::release::smoltcp::time::Duration;
use crate::stack::Stack;

pub const NAMES: &[&str] = &[
    "SO_ACCEPTCONN",
    "SO_ERROR",
    "SO_KEEPALIVE",
    "SO_LINGER",
    "SO_PROTOCOL",
    "SO_RCVBUF",
    "SO_RCVTIMEO",
    "SO_REUSEADDR",
    "SO_SNDBUF",
    "SO_SNDTIMEO",
    "SO_TYPE",
    "TCP_KEEPIDLE",
    "TCP_NODELAY",
    "TCP_USER_TIMEOUT",
    "IP_TTL",
    "IPV6_UNICAST_HOPS",
];

/// A socket of smoltcp has those that it was made with.
const BUFFERS: &[&str] = &["SO_RCVBUF", "SO_SNDBUF"];
const SOCK_STREAM: u64 = 1;
const IPPROTO_TCP: u64 = 6;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;
const LONGEST_IDLE_SECONDS: i64 = 32767;

#[derive(Clone, Default)]
pub struct Options {
    pub reuse_address: bool,
    /// On, and seconds.
    pub linger: (bool, u64),
    /// ns
    pub receive_timeout: Option<u64>,
    pub send_timeout: Option<u64>,
    no_delay: bool,
    keep_alive: bool,
    /// s; None: the setting.
    keep_idle: Option<u64>,
    /// ms; 0: none.
    user_timeout: u64,
    /// None: the setting.
    hop_limit: Option<u8>,
    /// Octets; None: the setting.
    receive_buffer: Option<usize>,
    send_buffer: Option<usize>,
}

/// An int, or its octets.
fn number(value: &Value) -> Result<i64, Failure> {
    let Value::String(digits) = value else { return Ok(value.as_i64().unwrap_or(0)) };
    let octets = unhex(digits)?;
    let int = octets.first_chunk().ok_or("EINVAL")?;
    Ok(i32::from_ne_bytes(*int).into())
}

impl Options {
    pub fn receive_buffer(&self, stack: &Stack) -> usize {
        self.receive_buffer.unwrap_or(stack.config.settings.receive_buffer())
    }

    pub fn send_buffer(&self, stack: &Stack) -> usize {
        self.send_buffer.unwrap_or(stack.config.settings.send_buffer())
    }

    /// To a socket of smoltcp that is new.
    pub fn apply(&self, stack: &mut Stack, handle: SocketHandle) {
        let (hop_limit, interval) = (self.hop_limit(stack), self.interval(stack));
        let socket = stack.tcp_mut(handle);
        socket.set_nagle_enabled(!self.no_delay);
        socket.set_hop_limit(Some(hop_limit));
        socket.set_timeout(self.timeout());
        socket.set_keep_alive(interval);
    }

    /// To one that is not: nothing is touched but what the option is about.
    fn apply_one(&self, name: &str, stack: &mut Stack, handle: SocketHandle) {
        let (hop_limit, interval) = (self.hop_limit(stack), self.interval(stack));
        let socket = stack.tcp_mut(handle);
        match name {
            "TCP_NODELAY" => socket.set_nagle_enabled(!self.no_delay),
            "IP_TTL" | "IPV6_UNICAST_HOPS" => socket.set_hop_limit(Some(hop_limit)),
            "TCP_USER_TIMEOUT" => socket.set_timeout(self.timeout()),
            "SO_KEEPALIVE" | "TCP_KEEPIDLE" => socket.set_keep_alive(interval),
            _ => (),
        }
    }

    fn hop_limit(&self, stack: &Stack) -> u8 {
        self.hop_limit.unwrap_or(stack.config.settings.ttl)
    }

    fn timeout(&self) -> Option<Duration> {
        (self.user_timeout > 0).then(|| Duration::from_millis(self.user_timeout))
    }

    fn idle_seconds(&self, stack: &Stack) -> u64 {
        self.keep_idle.unwrap_or(stack.config.settings.keepalive_time / NS_PER_S)
    }

    /// smoltcp has one time, after which the first keep-alive goes, and each further one.
    fn interval(&self, stack: &Stack) -> Option<Duration> {
        self.keep_alive.then(|| match self.keep_idle {
            Some(seconds) => Duration::from_secs(seconds),
            None => Duration::from_micros(stack.config.settings.keepalive_time / 1000),
        })
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Failure> {
        let number = number(value)?;
        let timeout = (number > 0).then(|| number as u64 * NS_PER_MS);
        match name {
            "SO_REUSEADDR" => self.reuse_address = number != 0,
            "SO_KEEPALIVE" => self.keep_alive = number != 0,
            "SO_LINGER" => self.linger = (value[0] != 0, value[1].as_u64().unwrap_or(0)),
            "SO_RCVTIMEO" => self.receive_timeout = timeout,
            "SO_SNDTIMEO" => self.send_timeout = timeout,
            "SO_RCVBUF" => self.receive_buffer = Some(number.max(1) as usize),
            "SO_SNDBUF" => self.send_buffer = Some(number.max(1) as usize),
            "TCP_NODELAY" => self.no_delay = number != 0,
            "TCP_KEEPIDLE" if (1..=LONGEST_IDLE_SECONDS).contains(&number) => self.keep_idle = Some(number as u64),
            "TCP_USER_TIMEOUT" if number >= 0 => self.user_timeout = number as u64,
            "IP_TTL" | "IPV6_UNICAST_HOPS" if number == -1 => self.hop_limit = None,
            "IP_TTL" | "IPV6_UNICAST_HOPS" if (1..=255).contains(&number) => self.hop_limit = Some(number as u8),
            "TCP_KEEPIDLE" | "TCP_USER_TIMEOUT" | "IP_TTL" | "IPV6_UNICAST_HOPS" => return Err("EINVAL".into()),
            _ => return Err("ENOPROTOOPT".into()),
        }
        Ok(())
    }

    fn get(&self, name: &str, stack: &Stack) -> Result<Value, Failure> {
        Ok(match name {
            "SO_REUSEADDR" => u64::from(self.reuse_address).into(),
            "SO_KEEPALIVE" => u64::from(self.keep_alive).into(),
            "SO_LINGER" => json!([u64::from(self.linger.0), self.linger.1]),
            "SO_RCVTIMEO" => (self.receive_timeout.unwrap_or(0) / NS_PER_MS).into(),
            "SO_SNDTIMEO" => (self.send_timeout.unwrap_or(0) / NS_PER_MS).into(),
            "SO_RCVBUF" => self.receive_buffer(stack).into(),
            "SO_SNDBUF" => self.send_buffer(stack).into(),
            "SO_TYPE" => SOCK_STREAM.into(),
            "SO_PROTOCOL" => IPPROTO_TCP.into(),
            "TCP_NODELAY" => u64::from(self.no_delay).into(),
            "TCP_KEEPIDLE" => self.idle_seconds(stack).into(),
            "TCP_USER_TIMEOUT" => self.user_timeout.into(),
            "IP_TTL" | "IPV6_UNICAST_HOPS" => self.hop_limit(stack).into(),
            _ => return Err("ENOPROTOOPT".into()),
        })
    }
}

impl Sockets {
    pub(super) fn setsockopt(&mut self, params: &Params, stack: &mut Stack) -> Outcome {
        let socket = self.get_mut(params)?;
        socket.options.set(&params.name, &params.value)?;
        match &socket.role {
            Role::Unconnected => (),
            Role::Connection(_) if BUFFERS.contains(&params.name.as_str()) => return Err("ENOSYS".into()),
            Role::Connection(connection) => socket.options.apply_one(&params.name, stack, connection.handle),
            Role::Listener(_) if BUFFERS.contains(&params.name.as_str()) => self.renew(params.socket, stack),
            Role::Listener(listener) => {
                for handle in &listener.pool {
                    socket.options.apply_one(&params.name, stack, *handle);
                }
            }
        }
        Ok(Members::new())
    }

    pub(super) fn getsockopt(&mut self, params: &Params, stack: &Stack) -> Outcome {
        let socket = self.get(params)?;
        Ok(value(match (params.name.as_str(), &socket.role) {
            ("SO_ERROR", Role::Connection(connection)) => {
                let handle = connection.handle;
                self.take_error(handle).map_or(0.into(), Value::from)
            }
            ("SO_ERROR", _) => 0.into(),
            ("SO_ACCEPTCONN", role) => u64::from(matches!(role, Role::Listener(_))).into(),
            (name, _) => socket.options.get(name, stack)?,
        }))
    }
}
