//! The link: a datagram socket that the tester hands over, a datagram a frame; and what smoltcp sees of it.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use crate::release::smoltcp::phy::{Device, DeviceCapabilities, Medium, TxToken};
use crate::release::smoltcp::time::Instant;

const LONGEST_FRAME: usize = 1 << 16;
const ETHERNET_HEADER: usize = 14;
/// How often, and how far apart, a frame is tried that the tester has no room for yet.
const TRIES: u32 = 5000;
const PAUSE: Duration = Duration::from_millis(1);

pub struct Link {
    socket: UnixDatagram,
    sent: Cell<u64>,
}

impl Link {
    /// What `CONFORMANCE_LINK` names: `fd:3`.
    pub fn open(name: &str) -> io::Result<Link> {
        let number = name.strip_prefix("fd:").and_then(|digits| digits.parse().ok());
        let fd =
            number.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, format!("no link of this kind: {name}")))?;
        // SAFETY: the tester says that this descriptor is open and ours.
        let socket = unsafe { UnixDatagram::from_raw_fd(fd) };
        socket.set_nonblocking(true)?;
        Ok(Link { socket, sent: Cell::new(0) })
    }

    /// A frame that is there.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; LONGEST_FRAME];
        let length = self.socket.recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }

    /// Frames sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    fn send(&self, frame: &[u8]) {
        self.sent.set(self.sent.get() + 1);
        for _ in 0..TRIES {
            match self.socket.send(frame) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => panic!("the link is gone: {error}"),
                Ok(_) => return,
            }
        }
        panic!("the tester takes no frames from the link");
    }
}

/// A frame that came.
pub struct Frame(pub Vec<u8>);

/// What one poll of smoltcp may take from the link, and whether it may put anything on it.
pub struct Port<'a> {
    pub link: &'a Link,
    pub mtu: usize,
    pub incoming: Option<Vec<u8>>,
    /// Nothing goes out: smoltcp takes the device for busy, and tries again later.
    pub closed: bool,
}

/// Room for one frame.
pub struct Slot<'a> {
    link: &'a Link,
    closed: bool,
}

impl Device for Port<'_> {
    type RxToken<'t>
        = Frame
    where
        Self: 't;
    type TxToken<'t>
        = Slot<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Slot<'_>)> {
        let frame = self.incoming.take()?;
        Some((Frame(frame), Slot { link: self.link, closed: self.closed }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Slot<'_>> {
        (!self.closed).then_some(Slot { link: self.link, closed: false })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + ETHERNET_HEADER;
        capabilities
    }
}

impl TxToken for Slot<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        if !self.closed {
            self.link.send(&frame);
        }
        result
    }
}
