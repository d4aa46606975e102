//! What an open connection is for: send, recv, poll, ioctl.

use super::{Call, Errno, Failure, Outcome, Params, Role, Sockets};
use crate::protocol::{value, Members};
use crate::release::smoltcp::iface::SocketHandle;
use crate::release::smoltcp::socket::tcp::{Socket, State};
use crate::stack::Stack;

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

pub fn unhex(digits: &str) -> Result<Vec<u8>, Errno> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()
        .ok_or("EINVAL")
}

/// The result of a recv that has what it wanted.
pub fn received(call: &Call) -> Members {
    if call.flag("MSG_TRUNC") {
        value(call.received.len())
    } else {
        value(hex(&call.received))
    }
}

/// Nothing more will come from the peer: its FIN was there, or the connection is gone.
fn at_end(socket: &Socket) -> bool {
    socket.recv_queue() == 0
        && matches!(
            socket.state(),
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait | State::Closed
        )
}

/// Why there is no connection: who waits on one has lost it.
fn absent(call: &Call) -> Errno {
    if call.begun {
        "ECONNABORTED"
    } else {
        "ENOTCONN"
    }
}

fn opening(socket: &Socket) -> bool {
    matches!(socket.state(), State::SynSent | State::SynReceived)
}

impl Sockets {
    pub(super) fn send(&mut self, call: &mut Call, stack: &mut Stack) -> Outcome {
        let data = unhex(&call.params.data)?;
        let connection = self.connection(&call.params)?.ok_or(absent(call))?;
        if let Some(error) = self.errors.remove(&connection.handle) {
            return if call.sent > 0 { Ok(value(call.sent)) } else { Err(error.into()) };
        }
        let socket = stack.tcp_mut(connection.handle);
        if opening(socket) {
            return Err(Failure::Wait("EAGAIN"));
        }
        let Ok(taken) = socket.send_slice(&data[call.sent..]) else {
            return if call.sent > 0 { Ok(value(call.sent)) } else { Err("EPIPE".into()) };
        };
        call.sent += taken;
        if call.sent == data.len() || (call.sent > 0 && !call.blocks()) {
            Ok(value(call.sent))
        } else {
            Err(Failure::Wait("EAGAIN"))
        }
    }

    pub(super) fn recv(&mut self, call: &mut Call, stack: &mut Stack) -> Outcome {
        let connection = self.connection(&call.params)?.ok_or(absent(call))?;
        let socket = stack.tcp_mut(connection.handle);
        let mut buffer = vec![0; (call.params.size - call.received.len()).min(socket.recv_queue())];
        if call.flag("MSG_PEEK") {
            call.received.clear();
            buffer.resize(call.params.size.min(socket.recv_queue()), 0);
            let _ = socket.peek_slice(&mut buffer);
        } else if !buffer.is_empty() {
            let taken = socket.recv_slice(&mut buffer).unwrap_or(0);
            buffer.truncate(taken);
        }
        call.received.extend(buffer);
        let whole = call.flag("MSG_WAITALL") && call.blocks();
        if call.received.len() == call.params.size || (!call.received.is_empty() && !whole) {
            return Ok(received(call));
        }
        let over = at_end(socket) || self.get(&call.params)?.shut_read;
        if !call.received.is_empty() && over {
            return Ok(received(call));
        }
        match self.errors.remove(&connection.handle) {
            Some(error) => Err(error.into()),
            None if over => Ok(received(call)),
            None => Err(Failure::Wait("EAGAIN")),
        }
    }

    pub(super) fn poll(&self, params: &Params, stack: &Stack) -> Outcome {
        let socket = self.get(params)?;
        Ok(value(match &socket.role {
            Role::Unconnected => vec!["POLLOUT", "POLLHUP"],
            Role::Listener(listener) if listener.completed.is_empty() => vec![],
            Role::Listener(_) => vec!["POLLIN"],
            Role::Connection(connection) => self.events(connection.handle, socket.shut_read, stack),
        }))
    }

    fn events(&self, handle: SocketHandle, shut_read: bool, stack: &Stack) -> Vec<&'static str> {
        let socket = stack.tcp(handle);
        let closed = socket.state() == State::Closed;
        let no_more_in = !opening(socket)
            && (shut_read || !matches!(socket.state(), State::Established | State::FinWait1 | State::FinWait2));
        let no_more_out = !opening(socket) && !socket.may_send();
        let conditions = [
            ("POLLIN", socket.recv_queue() > 0 || no_more_in),
            ("POLLOUT", socket.can_send() || no_more_out),
            ("POLLERR", self.errors.contains_key(&handle)),
            ("POLLHUP", closed || (no_more_in && no_more_out)),
            ("POLLRDHUP", no_more_in),
        ];
        conditions.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
    }

    pub(super) fn ioctl(&self, params: &Params, stack: &Stack) -> Outcome {
        let socket = match &self.get(params)?.role {
            Role::Connection(connection) => stack.tcp(connection.handle),
            Role::Listener(_) => return Err("EINVAL".into()),
            Role::Unconnected => return Ok(value(0)),
        };
        match params.request.as_str() {
            "FIONREAD" | "SIOCINQ" => Ok(value(socket.recv_queue())),
            "SIOCOUTQ" => Ok(value(socket.send_queue())),
            _ => Err("ENOSYS".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_as_digits_and_back() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
        assert_eq!(unhex("001fff"), Ok(vec![0, 0x1f, 0xff]));
        assert_eq!(unhex("0"), Err("EINVAL"));
        assert_eq!(unhex("xy"), Err("EINVAL"));
    }
}
