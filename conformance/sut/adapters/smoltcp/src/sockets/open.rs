//! How a connection comes to be: socket, bind, listen, connect, accept.

use std::collections::VecDeque;
use std::net::IpAddr;

use serde_json::Value;

use super::{
    Bound, Call, Connection, Errno, Failure, Listener, Options, Outcome, Owner, Params, Role, Socket, Sockets,
};
use crate::protocol::{value, End, Members};
use crate::release::smoltcp::iface::SocketHandle;
use crate::release::smoltcp::socket::tcp::State;
use crate::release::smoltcp::wire::{IpEndpoint, IpListenEndpoint};
use crate::stack::Stack;

const EPHEMERAL: std::ops::RangeInclusive<u16> = 32768..=60999;
/// As many connections wait for accept at most, and one more, as on many systems; and as many are half open.
const LARGEST_BACKLOG: i64 = 128;
const MOST_HALF_OPEN: usize = 128;

pub fn endpoint(end: End) -> IpEndpoint {
    IpEndpoint { addr: end.address.into(), port: end.port }
}

pub fn end(endpoint: IpEndpoint) -> End {
    End { address: endpoint.addr.into(), port: endpoint.port }
}

fn named(end: End) -> Members {
    let Ok(Value::Object(members)) = serde_json::to_value(end) else { unreachable!("an end is an object") };
    members
}

impl Bound {
    fn overlaps(&self, other: &Bound) -> bool {
        let addresses = self.address.zip(other.address);
        self.port == other.port && addresses.is_none_or(|(one, two)| one == two)
    }

    fn listen_endpoint(self) -> IpListenEndpoint {
        IpListenEndpoint { addr: self.address.map(Into::into), port: self.port }
    }
}

impl Socket {
    pub(super) fn listens(&self) -> bool {
        matches!(self.role, Role::Listener(_))
    }

    fn wildcard(&self) -> IpAddr {
        if self.ipv6 {
            IpAddr::from([0; 16])
        } else {
            IpAddr::from([0; 4])
        }
    }
}

impl Sockets {
    pub(super) fn socket(&mut self, params: &Params) -> Outcome {
        let ipv6 = match params.domain.as_str() {
            "AF_INET" => false,
            "AF_INET6" => true,
            _ => return Err("EAFNOSUPPORT".into()),
        };
        let tcp = params.protocol == 0 || params.protocol == 6 || params.protocol == "IPPROTO_TCP";
        match params.r#type.as_str() {
            "SOCK_STREAM" if tcp => (),
            "SOCK_STREAM" if params.protocol == 17 || params.protocol == "IPPROTO_UDP" => {
                return Err("EPROTOTYPE".into())
            }
            "SOCK_DGRAM" if tcp && params.protocol != 0 => return Err("EPROTOTYPE".into()),
            "SOCK_STREAM" => return Err("EPROTONOSUPPORT".into()),
            _ => return Err("ESOCKTNOSUPPORT".into()),
        }
        Ok(value(self.open(Socket {
            ipv6,
            bound: None,
            options: Options::default(),
            role: Role::Unconnected,
            shut_read: false,
            opened: false,
        })))
    }

    fn open(&mut self, socket: Socket) -> u64 {
        self.last_handle += 1;
        self.table.insert(self.last_handle, socket);
        self.last_handle
    }

    pub(super) fn bind(&mut self, params: &Params, stack: &Stack) -> Outcome {
        let socket = self.get(params)?;
        let address = params.address.unwrap_or(socket.wildcard());
        if address.is_ipv6() != socket.ipv6 {
            return Err("EAFNOSUPPORT".into());
        }
        let own = stack.config.interface.addresses.iter().any(|own| own.address == address);
        if !own && !address.is_unspecified() {
            // There is one interface, and none for loopback.
            return Err(if address.is_loopback() { "ENOSYS" } else { "EADDRNOTAVAIL" }.into());
        }
        if socket.bound.is_some() || !matches!(socket.role, Role::Unconnected) {
            return Err("EINVAL".into());
        }
        let port = if params.port == 0 { self.ephemeral_port(stack)? } else { params.port };
        let bound = Bound { address: own.then_some(address), port };
        self.check_free(params, bound, stack)?;
        self.get_mut(params)?.bound = Some(bound);
        Ok(Members::new())
    }

    fn check_free(&self, params: &Params, bound: Bound, stack: &Stack) -> Result<(), Errno> {
        let socket = self.get(params)?;
        let mut others = self.table.iter().filter(|(handle, _)| **handle != params.socket).map(|(_, other)| other);
        let taken = others.any(|other| {
            let shared = socket.options.reuse_address && other.options.reuse_address && !other.listens();
            other.ipv6 == socket.ipv6 && !shared && other.bound.is_some_and(|its| its.overlaps(&bound))
        });
        let lingers = !socket.options.reuse_address && stack.in_use(bound.port);
        if taken || lingers {
            Err("EADDRINUSE")
        } else {
            Ok(())
        }
    }

    /// smoltcp leaves the choice of a port to its user.
    fn ephemeral_port(&mut self, stack: &Stack) -> Result<u16, Errno> {
        for _ in EPHEMERAL {
            // xorshift64
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let port = EPHEMERAL.start() + (self.random % EPHEMERAL.len() as u64) as u16;
            let bound = self.table.values().any(|socket| socket.bound.is_some_and(|its| its.port == port));
            if !bound && !stack.in_use(port) {
                return Ok(port);
            }
        }
        Err("EADDRNOTAVAIL")
    }

    pub(super) fn listen(&mut self, params: &Params, stack: &mut Stack) -> Outcome {
        let backlog = params.backlog.clamp(0, LARGEST_BACKLOG) as usize + 1;
        let socket = self.get_mut(params)?;
        match &mut socket.role {
            Role::Connection(_) => return Err("EINVAL".into()),
            Role::Listener(listener) => listener.backlog = backlog,
            Role::Unconnected => {
                let bound = match socket.bound {
                    Some(bound) => bound,
                    None => Bound { address: None, port: self.ephemeral_port(stack)? },
                };
                let ipv6 = self.get(params)?.ipv6;
                let mut others = self.table.values().filter(|other| other.listens() && other.ipv6 == ipv6);
                if others.any(|other| other.bound.is_some_and(|its| its.overlaps(&bound))) {
                    return Err("EADDRINUSE".into());
                }
                let socket = self.get_mut(params)?;
                socket.bound = Some(bound);
                socket.role = Role::Listener(Listener { backlog, pool: Vec::new(), completed: VecDeque::new() });
                let local = End { address: bound.address.unwrap_or(socket.wildcard()), port: bound.port };
                Self::announce(Some(local), None, State::Closed, State::Listen);
            }
        }
        self.refill(params.socket, stack);
        Ok(Members::new())
    }

    /// As many sockets of smoltcp listen as the backlog has room for.
    pub(super) fn refill(&mut self, socket: u64, stack: &mut Stack) {
        let Some(Socket { role: Role::Listener(listener), bound: Some(bound), options, .. }) =
            self.table.get_mut(&socket)
        else {
            return;
        };
        let (listening, half_open): (Vec<SocketHandle>, Vec<SocketHandle>) =
            listener.pool.iter().partition(|handle| stack.tcp(**handle).state() == State::Listen);
        let room = listener.backlog.saturating_sub(listener.completed.len());
        let wanted = if half_open.len() < MOST_HALF_OPEN { room } else { 0 };
        for handle in listening.iter().skip(wanted) {
            stack.tcp_mut(*handle).close();
            listener.pool.retain(|one| one != handle);
        }
        for _ in listening.len()..wanted {
            let handle = stack.add(options.receive_buffer(stack), options.send_buffer(stack));
            options.apply(stack, handle);
            stack.listen(handle, bound.listen_endpoint()).expect("a new socket may listen at a port that is not 0");
            listener.pool.push(handle);
            self.owners.insert(handle, Owner::Listener(socket));
        }
    }

    /// All that listen are made anew.
    pub(super) fn renew(&mut self, socket: u64, stack: &mut Stack) {
        if let Some(Socket { role: Role::Listener(listener), .. }) = self.table.get_mut(&socket) {
            let (listening, others) =
                listener.pool.iter().partition(|handle| stack.tcp(**handle).state() == State::Listen);
            listener.pool = others;
            let listening: Vec<SocketHandle> = listening;
            for handle in listening {
                stack.tcp_mut(handle).close();
            }
        }
        self.refill(socket, stack);
    }

    pub(super) fn connect(&mut self, call: &Call, stack: &mut Stack) -> Outcome {
        let params = &call.params;
        let Some(address) = params.address else { return self.disconnect(params, stack) };
        match self.get(params)?.role {
            Role::Listener(_) => Err("EISCONN".into()),
            Role::Unconnected => self.begin(params, address, stack),
            Role::Connection(Connection { handle, .. }) => match stack.tcp(handle).state() {
                State::SynSent | State::SynReceived if call.begun => Err(Failure::Wait("EINPROGRESS")),
                State::SynSent | State::SynReceived => Err(Failure::Wait("EALREADY")),
                State::Closed => match self.errors.remove(&handle) {
                    Some(error) => Err(error.into()),
                    None if self.get(params)?.opened => Err("EISCONN".into()),
                    None if call.begun => Err("ECONNABORTED".into()),
                    None => self.begin(params, address, stack),
                },
                _ if call.begun => Ok(Members::new()),
                _ => Err("EISCONN".into()),
            },
        }
    }

    fn begin(&mut self, params: &Params, address: IpAddr, stack: &mut Stack) -> Outcome {
        let socket = self.get(params)?;
        if address.is_ipv6() != socket.ipv6 {
            return Err("EAFNOSUPPORT".into());
        }
        if !stack.reaches(address) {
            return Err("ENETUNREACH".into());
        }
        let port = match socket.bound {
            Some(bound) => bound.port,
            None => self.ephemeral_port(stack)?,
        };
        let socket = self.get(params)?;
        let mut own = stack.config.interface.addresses.iter().map(|own| own.address);
        let own = socket.bound.and_then(|bound| bound.address).or_else(|| own.find(|own| own.is_ipv6() == socket.ipv6));
        let local = End { address: own.ok_or("ENETUNREACH")?, port };
        let remote = End { address, port: params.port };
        if stack.connection(endpoint(local), endpoint(remote)).is_some() {
            return Err("EADDRNOTAVAIL".into());
        }
        let handle = stack.add(socket.options.receive_buffer(stack), socket.options.send_buffer(stack));
        socket.options.apply(stack, handle);
        stack.connect(handle, endpoint(remote), endpoint(local)).map_err(|_| "ECONNREFUSED")?;
        self.owners.insert(handle, Owner::Application(params.socket));
        let socket = self.get_mut(params)?;
        socket.bound = Some(Bound { address: Some(local.address), port });
        socket.role = Role::Connection(Connection { handle, local, remote });
        Err(Failure::Wait("EINPROGRESS"))
    }

    /// connect with `AF_UNSPEC`.
    fn disconnect(&mut self, params: &Params, stack: &mut Stack) -> Outcome {
        self.stop_listening(params.socket, stack);
        if let Some(Connection { handle, .. }) = self.connection(params)? {
            if stack.tcp(handle).state() != State::TimeWait {
                stack.tcp_mut(handle).abort();
            }
            self.owners.insert(handle, Owner::Nobody);
        }
        let socket = self.get_mut(params)?;
        (socket.role, socket.shut_read, socket.opened) = (Role::Unconnected, false, false);
        Ok(Members::new())
    }

    pub(super) fn accept(&mut self, params: &Params, stack: &mut Stack) -> Outcome {
        let socket = self.get_mut(params)?;
        let Role::Listener(listener) = &mut socket.role else { return Err("EINVAL".into()) };
        let connection = listener.completed.pop_front().ok_or(Failure::Wait("EAGAIN"))?;
        let (ipv6, options) = (socket.ipv6, socket.options.clone());
        self.refill(params.socket, stack);
        if stack.tcp(connection.handle).state() == State::Closed {
            return Err("ECONNABORTED".into());
        }
        let bound = Some(Bound { address: Some(connection.local.address), port: connection.local.port });
        let role = Role::Connection(connection);
        let accepted = self.open(Socket { ipv6, bound, options, role, shut_read: false, opened: true });
        self.owners.insert(connection.handle, Owner::Application(accepted));
        let mut result = named(connection.remote);
        result.extend(value(accepted));
        Ok(result)
    }

    pub(super) fn getsockname(&self, params: &Params) -> Outcome {
        let socket = self.get(params)?;
        Ok(named(match (&socket.role, socket.bound) {
            (Role::Connection(connection), _) => connection.local,
            (_, Some(bound)) => End { address: bound.address.unwrap_or(socket.wildcard()), port: bound.port },
            _ => End { address: socket.wildcard(), port: 0 },
        }))
    }

    pub(super) fn getpeername(&self, params: &Params, stack: &Stack) -> Outcome {
        let connection = self.connection(params)?.ok_or("ENOTCONN")?;
        match stack.tcp(connection.handle).state() {
            State::Closed | State::SynSent => Err("ENOTCONN".into()),
            _ => Ok(named(connection.remote)),
        }
    }
}
