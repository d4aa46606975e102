//! Sockets as POSIX has them, made out of those of smoltcp: handles, a backlog, errors that wait to be fetched, calls that may have to wait.

mod data;
mod ends;
mod events;
mod open;
mod options;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use crate::protocol::{End, Members};
use crate::release::smoltcp::iface::SocketHandle;
use crate::stack::Stack;
pub use ends::Asked;
pub use events::Cause;
use options::Options;
pub use options::NAMES as OPTIONS;

pub const CALLS: &[&str] = &[
    "socket",
    "bind",
    "listen",
    "connect",
    "accept",
    "send",
    "recv",
    "shutdown",
    "close",
    "setsockopt",
    "getsockopt",
    "getsockname",
    "getpeername",
    "poll",
    "ioctl",
];
pub const FLAGS: &[&str] = &["MSG_PEEK", "MSG_DONTWAIT", "MSG_WAITALL", "MSG_TRUNC", "MSG_NOSIGNAL"];

/// An errno's name.
pub type Errno = &'static str;

/// Why a call has no result.
pub enum Failure {
    Errno(Errno),
    /// Not yet; who does not want to wait gets this errno.
    Wait(Errno),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::Errno(errno)
    }
}

pub type Outcome = Result<Members, Failure>;

/// A call, and how far it has come.
pub struct Call {
    pub id: u64,
    pub method: String,
    pub params: Params,
    /// It was tried before.
    pub begun: bool,
    /// Octets that a call which waits has sent so far.
    sent: usize,
    /// And received.
    received: Vec<u8>,
    /// Whose FIN a close waits for.
    lingering: Option<SocketHandle>,
    /// ns for which it may wait; None: for ever.
    pub patience: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Params {
    pub socket: u64,
    pub blocking: bool,
    domain: String,
    r#type: String,
    protocol: Value,
    address: Option<IpAddr>,
    port: u16,
    backlog: i64,
    data: String,
    flags: Vec<String>,
    size: usize,
    /// A name; anything else is none.
    how: Value,
    name: String,
    value: Value,
    request: String,
}

impl Call {
    pub fn new(id: u64, method: String, params: Params) -> Call {
        Call { id, method, params, begun: false, sent: 0, received: Vec::new(), lingering: None, patience: None }
    }

    pub fn blocks(&self) -> bool {
        self.params.blocking && !self.flag("MSG_DONTWAIT")
    }

    fn flag(&self, name: &str) -> bool {
        self.params.flags.iter().any(|flag| flag == name)
    }
}

/// Where a socket is bound.
#[derive(Clone, Copy)]
struct Bound {
    /// None: the wildcard.
    address: Option<IpAddr>,
    port: u16,
}

/// A connection that an application has, or may accept.
#[derive(Clone, Copy)]
struct Connection {
    handle: SocketHandle,
    local: End,
    remote: End,
}

struct Listener {
    backlog: usize,
    /// Sockets of smoltcp that listen, or whose handshakes are not done.
    pool: Vec<SocketHandle>,
    completed: VecDeque<Connection>,
}

enum Role {
    Unconnected,
    Listener(Listener),
    Connection(Connection),
}

struct Socket {
    ipv6: bool,
    bound: Option<Bound>,
    options: Options,
    role: Role,
    shut_read: bool,
    /// It has been connected, or tried to.
    opened: bool,
}

/// Whose a socket of smoltcp is.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Listener(u64),
    Application(u64),
    /// The application has closed it.
    Nobody,
}

pub struct Sockets {
    table: BTreeMap<u64, Socket>,
    owners: HashMap<SocketHandle, Owner>,
    errors: HashMap<SocketHandle, Errno>,
    last_handle: u64,
    /// From which ports are chosen.
    random: u64,
}

impl Sockets {
    pub fn new(seed: u64) -> Sockets {
        Sockets {
            table: BTreeMap::new(),
            owners: HashMap::new(),
            errors: HashMap::new(),
            last_handle: 2,
            random: seed | 1 << 63,
        }
    }

    /// Make a call, or make it again after it had to wait.
    pub fn attempt(&mut self, call: &mut Call, stack: &mut Stack) -> Outcome {
        let outcome = match call.method.as_str() {
            "socket" => self.socket(&call.params),
            "bind" => self.bind(&call.params, stack),
            "listen" => self.listen(&call.params, stack),
            "connect" => self.connect(call, stack),
            "accept" => self.accept(&call.params, stack),
            "send" => self.send(call, stack),
            "recv" => self.recv(call, stack),
            "shutdown" => self.shutdown(&call.params, stack),
            "close" => self.close(call, stack),
            "setsockopt" => self.setsockopt(&call.params, stack),
            "getsockopt" => self.getsockopt(&call.params, stack),
            "getsockname" => self.getsockname(&call.params),
            "getpeername" => self.getpeername(&call.params, stack),
            "poll" => self.poll(&call.params, stack),
            "ioctl" => self.ioctl(&call.params, stack),
            _ => Err(Failure::Errno("ENOSYS")),
        };
        call.begun = true;
        if let Some(socket) = self.table.get(&call.params.socket) {
            call.patience = match call.method.as_str() {
                "accept" | "recv" => socket.options.receive_timeout,
                "connect" | "send" => socket.options.send_timeout,
                _ => None,
            };
        }
        outcome
    }

    /// What a call returns that waited for too long.
    pub fn give_up(call: &mut Call) -> Outcome {
        match call.method.as_str() {
            "close" => Ok(Members::new()),
            "connect" => Err(Failure::Errno("EINPROGRESS")),
            "send" if call.sent > 0 => Ok(crate::protocol::value(call.sent)),
            "recv" if !call.received.is_empty() => Ok(data::received(call)),
            _ => Err(Failure::Errno("EAGAIN")),
        }
    }

    fn get(&self, params: &Params) -> Result<&Socket, Errno> {
        self.table.get(&params.socket).ok_or("EBADF")
    }

    fn get_mut(&mut self, params: &Params) -> Result<&mut Socket, Errno> {
        self.table.get_mut(&params.socket).ok_or("EBADF")
    }

    /// The connection of a socket that has or had one.
    fn connection(&self, params: &Params) -> Result<Option<Connection>, Errno> {
        Ok(match self.get(params)?.role {
            Role::Connection(connection) => Some(connection),
            _ => None,
        })
    }
}
