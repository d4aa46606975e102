//! What becomes of a change of a state: the tester is told, errors wait for the application, connections for accept.

use serde_json::json;

use super::open::end;
use super::{Connection, Errno, Owner, Role, Socket, Sockets};
use crate::protocol::{notify, End};
use crate::release::smoltcp::iface::SocketHandle;
use crate::release::smoltcp::socket::tcp::State;
use crate::stack::Stack;
use crate::states::Change;

/// What made smoltcp do something.
#[derive(Clone, Copy, PartialEq)]
pub enum Cause {
    Frame,
    Timer,
    Call,
}

/// smoltcp does not say why a connection is closed; what it was and what came before do.
fn error(old: State, cause: Cause) -> Option<Errno> {
    match (old, cause) {
        (State::Listen | State::TimeWait, _) | (State::LastAck | State::Closing, Cause::Frame) | (_, Cause::Call) => {
            None
        }
        (State::SynSent | State::SynReceived, Cause::Frame) => Some("ECONNREFUSED"),
        (_, Cause::Frame) => Some("ECONNRESET"),
        (_, Cause::Timer) => Some("ETIMEDOUT"),
    }
}

impl Sockets {
    pub fn changed(&mut self, change: &Change, cause: Cause, stack: &mut Stack) {
        let owner = self.owners.get(&change.handle).copied().unwrap_or(Owner::Nobody);
        Self::tell(change);
        if change.new == State::Closed && owner != Owner::Nobody {
            if let Some(error) = error(change.old, cause) {
                self.errors.insert(change.handle, error);
            }
        }
        match owner {
            Owner::Listener(socket) => self.arrived(socket, change, stack),
            Owner::Application(socket) => {
                if let (Some(socket), State::Established | State::CloseWait) = (self.table.get_mut(&socket), change.new)
                {
                    socket.opened = true;
                }
            }
            Owner::Nobody => (),
        }
    }

    /// A socket of a listener's pool: is its handshake done, has it failed?
    fn arrived(&mut self, socket: u64, change: &Change, stack: &mut Stack) {
        let Some(Socket { role: Role::Listener(listener), .. }) = self.table.get_mut(&socket) else { return };
        let done = !matches!(change.new, State::Listen | State::SynReceived | State::Closed);
        if let (true, true, Some((local, remote))) = (done, listener.pool.contains(&change.handle), change.ends) {
            listener.completed.push_back(Connection { handle: change.handle, local: end(local), remote: end(remote) });
        }
        if done || change.new == State::Closed {
            listener.pool.retain(|one| *one != change.handle);
        }
        self.refill(socket, stack);
    }

    /// A socket of the pool that begins or ceases to listen is the adapter's own business; one that listens again has lost its connection.
    fn tell(change: &Change) {
        let (local, remote) = match change.ends {
            Some((local, remote)) => (Some(end(local)), Some(end(remote))),
            None => return,
        };
        let new = if change.new == State::Listen { State::Closed } else { change.new };
        if change.old != new {
            Self::announce(local, remote, change.old, new);
        }
    }

    pub(super) fn announce(local: Option<End>, remote: Option<End>, old: State, new: State) {
        let params = json!({ "local": local, "remote": remote, "old": old.to_string(), "new": new.to_string() });
        notify("stateChanged", &params);
    }

    /// The error that waits for the application.
    pub(super) fn take_error(&mut self, handle: SocketHandle) -> Option<Errno> {
        self.errors.remove(&handle)
    }
}
