//! How a connection ends, and what a state is asked by: shutdown, close, `state`.

use serde::Deserialize;

use super::open::endpoint;
use super::{Call, Connection, Failure, Outcome, Owner, Params, Role, Sockets};
use crate::protocol::{End, Members};
use crate::release::smoltcp::socket::tcp::{self, State};
use crate::stack::Stack;

/// The parameters of `state`.
#[derive(Deserialize)]
pub struct Asked {
    socket: Option<u64>,
    local: Option<End>,
    remote: Option<End>,
}

const NS_PER_S: u64 = 1_000_000_000;

/// Is all acknowledged, the FIN as well?
fn linger(connection: &tcp::Socket) -> Outcome {
    match connection.state() {
        State::FinWait2 | State::TimeWait | State::Closed => Ok(Members::new()),
        _ => Err(Failure::Wait("EAGAIN")),
    }
}

impl Sockets {
    pub(super) fn shutdown(&mut self, params: &Params, stack: &mut Stack) -> Outcome {
        let (read, write) = match params.how.as_str().unwrap_or_default() {
            "SHUT_RD" => (true, false),
            "SHUT_WR" => (false, true),
            "SHUT_RDWR" => (true, true),
            _ => return Err("EINVAL".into()),
        };
        let socket = self.get_mut(params)?;
        match socket.role {
            Role::Unconnected => return Err("ENOTCONN".into()),
            Role::Listener(_) if read => self.stop_listening(params.socket, stack),
            Role::Listener(_) => (),
            Role::Connection(Connection { handle, .. }) => {
                if stack.tcp(handle).state() == State::Closed {
                    return Err("ENOTCONN".into());
                }
                socket.shut_read |= read;
                if write {
                    stack.tcp_mut(handle).close();
                }
            }
        }
        Ok(Members::new())
    }

    /// Who closes with data unread, or after `SO_LINGER` with no time, aborts. smoltcp itself has a half-close, as shutdown does it, and an abort.
    pub(super) fn close(&mut self, call: &mut Call, stack: &mut Stack) -> Outcome {
        if let Some(handle) = call.lingering {
            return linger(stack.tcp(handle));
        }
        let params = &call.params;
        self.get(params)?;
        self.stop_listening(params.socket, stack);
        let socket = self.table.remove(&params.socket).ok_or("EBADF")?;
        if let Role::Connection(Connection { handle, .. }) = socket.role {
            self.owners.insert(handle, Owner::Nobody);
            self.errors.remove(&handle);
            let connection = stack.tcp_mut(handle);
            if socket.options.linger == (true, 0) || connection.recv_queue() > 0 {
                connection.abort();
            } else {
                connection.close();
            }
            if let (true, (true, seconds @ 1..)) = (call.blocks(), socket.options.linger) {
                (call.lingering, call.patience) = (Some(handle), Some(seconds * NS_PER_S));
                return linger(stack.tcp(handle));
            }
        }
        Ok(Members::new())
    }

    /// The listener goes, and with it what nobody has accepted.
    pub(super) fn stop_listening(&mut self, socket: u64, stack: &mut Stack) {
        let Some(listener) = self.table.get_mut(&socket).filter(|socket| socket.listens()) else { return };
        let Role::Listener(mut was) = std::mem::replace(&mut listener.role, Role::Unconnected) else { unreachable!() };
        let waiting = was.completed.drain(..).map(|connection| connection.handle);
        for handle in was.pool.drain(..).chain(waiting) {
            self.owners.insert(handle, Owner::Nobody);
            stack.tcp_mut(handle).abort();
        }
    }

    /// Data that nobody will read comes for connections that were closed: they are aborted, so that the peer hears of it.
    pub fn refuse_late_data(&mut self, stack: &mut Stack) {
        for (handle, owner) in &self.owners {
            let socket = stack.tcp(*handle);
            if *owner == Owner::Nobody && socket.recv_queue() > 0 && socket.state() != State::Closed {
                stack.tcp_mut(*handle).abort();
            }
        }
    }

    pub fn state(&self, asked: &Asked, stack: &Stack) -> State {
        if let Some(socket) = asked.socket.and_then(|socket| self.table.get(&socket)) {
            match socket.role {
                Role::Listener(_) => return State::Listen,
                Role::Connection(Connection { handle, .. }) if stack.tcp(handle).state() != State::Closed => {
                    return stack.tcp(handle).state();
                }
                _ => (),
            }
        }
        let between = asked.local.zip(asked.remote);
        if let Some(connection) =
            between.and_then(|(local, remote)| stack.connection(endpoint(local), endpoint(remote)))
        {
            return connection.state();
        }
        if asked.socket.is_none() && asked.local.is_some_and(|local| self.listens_at(local)) {
            return State::Listen;
        }
        State::Closed
    }

    fn listens_at(&self, local: End) -> bool {
        self.table.values().any(|socket| {
            let here = socket
                .bound
                .is_some_and(|its| its.port == local.port && its.address.is_none_or(|own| own == local.address));
            here && matches!(socket.role, Role::Listener(_))
        })
    }
}
