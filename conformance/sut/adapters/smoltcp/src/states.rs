//! smoltcp tells nobody that a state has changed: each socket is looked at before and after.

use crate::release::smoltcp::iface::{SocketHandle, SocketSet};
use crate::release::smoltcp::socket::tcp::{Socket, State};
use crate::release::smoltcp::wire::IpEndpoint;

/// The two ends of a connection.
pub type Ends = (IpEndpoint, IpEndpoint);

/// What was last seen of a socket.
#[derive(Clone, Copy)]
struct Seen {
    handle: SocketHandle,
    state: State,
    ends: Option<Ends>,
}

/// A socket's state has changed.
pub struct Change {
    pub handle: SocketHandle,
    pub old: State,
    pub new: State,
    /// Those that it has now, else those that it had.
    pub ends: Option<Ends>,
}

/// All sockets, in the order in which they were made.
#[derive(Default)]
pub struct Watch {
    seen: Vec<Seen>,
}

impl Watch {
    pub fn add(&mut self, handle: SocketHandle) {
        self.seen.push(Seen { handle, state: State::Closed, ends: None });
    }

    pub fn handles(&self) -> impl Iterator<Item = SocketHandle> + '_ {
        self.seen.iter().map(|seen| seen.handle)
    }

    pub fn changes(&mut self, sockets: &SocketSet<'static>) -> Vec<Change> {
        let mut changes = Vec::new();
        for seen in &mut self.seen {
            let socket: &Socket = sockets.get(seen.handle);
            let (old, new) = (seen.state, socket.state());
            let ends = socket.local_endpoint().zip(socket.remote_endpoint());
            if old != new {
                changes.push(Change { handle: seen.handle, old, new, ends: ends.or(seen.ends) });
            }
            *seen = Seen { state: new, ends, ..*seen };
        }
        changes
    }
}
