//! One instance of smoltcp: an interface, its sockets, and what time it is for them.

use std::net::IpAddr;
use std::rc::Rc;

use crate::link::{Link, Port};
use crate::neighbours::{announcements, REFRESH_SECONDS};
use crate::release::smoltcp::iface::{Config, Interface, Route, SocketHandle, SocketSet};
use crate::release::smoltcp::socket::tcp::{ConnectError, ListenError, Socket, SocketBuffer};
use crate::release::smoltcp::time::Instant;
use crate::release::smoltcp::wire::{EthernetAddress, IpCidr, IpEndpoint, IpListenEndpoint};
use crate::release::{self};
use crate::settings::{mac, Configuration};
use crate::states::{Change, Watch};

const NS_PER_US: u64 = 1000;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;
/// smoltcp may want to be polled at once, again and again, with nothing to do: then it is asked again after this time.
const PATIENCE: u64 = NS_PER_MS;
/// Polls without an end are a mistake of somebody's.
const MOST_POLLS: usize = 10_000;

pub struct Stack {
    pub config: Rc<Configuration>,
    link: Rc<Link>,
    interface: Interface,
    sockets: SocketSet<'static>,
    watch: Watch,
    now: u64,
    timestamp_offset: u32,
    announcements: Vec<Vec<u8>>,
    announce_at: u64,
}

impl Stack {
    pub fn new(config: Rc<Configuration>, link: Rc<Link>, seed: u64) -> Result<Stack, String> {
        let own_mac = mac(&config.interface.mac)?;
        let mut chosen = Config::new(EthernetAddress(own_mac).into());
        chosen.random_seed = seed;
        let mut port = Port { link: &link, mtu: config.interface.mtu, incoming: None, closed: false };
        let mut interface = Interface::new(chosen, &mut port, Instant::from_millis(0));
        interface.update_ip_addrs(|list| {
            for own in &config.interface.addresses {
                list.push(IpCidr::new(own.address.into(), own.prefix)).expect("room for the addresses");
            }
        });
        for gateway in &config.interface.gateways {
            let (cidr, via_router) = (net(&gateway.to)?, gateway.address.into());
            let route = Route { cidr, via_router, preferred_until: None, expires_at: None };
            interface.routes_mut().update(|routes| routes.push(route).expect("room for the routes"));
        }
        let mut stack = Stack {
            announcements: announcements(&config.interface)?,
            config,
            link,
            interface,
            sockets: SocketSet::new(vec![]),
            watch: Watch::default(),
            now: 0,
            timestamp_offset: (seed ^ (seed >> 32)) as u32,
            announce_at: 0,
        };
        stack.set_time(0);
        Ok(stack)
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    /// It is so many ns now. What is due happens at the next poll.
    pub fn set_time(&mut self, now: u64) {
        self.now = self.now.max(now);
        release::set_timestamp_clock(self.timestamp_offset.wrapping_add((self.now / NS_PER_MS) as u32));
        if self.now >= self.announce_at {
            self.announce_at = self.now + REFRESH_SECONDS * NS_PER_S;
            for frame in self.announcements.clone() {
                self.poll_once(Some(frame), true);
            }
        }
    }

    /// Timers, and what the sockets have to send, until nothing is left.
    pub fn poll(&mut self) {
        for _ in 0..MOST_POLLS {
            let sent = self.link.sent();
            self.poll_once(None, false);
            if self.link.sent() == sent {
                return;
            }
        }
        panic!("smoltcp sends without an end");
    }

    /// A frame came.
    pub fn receive(&mut self, frame: Vec<u8>) {
        self.poll_once(Some(frame), false);
        self.poll();
    }

    fn poll_once(&mut self, incoming: Option<Vec<u8>>, closed: bool) {
        let mut port = Port { link: &self.link, mtu: self.config.interface.mtu, incoming, closed };
        self.interface.poll(instant(self.now), &mut port, &mut self.sockets);
    }

    /// When smoltcp wants to be polled, in ns.
    pub fn next(&mut self) -> Option<u64> {
        let due = self.interface.poll_at(instant(self.now), &self.sockets)?;
        let due = due.total_micros() as u64 * NS_PER_US;
        Some(if due > self.now { due } else { self.now + PATIENCE })
    }

    /// What the sockets' states have become since the last time.
    pub fn changes(&mut self) -> Vec<Change> {
        self.watch.changes(&self.sockets)
    }

    /// A new socket. It stays in the set when it is closed, so that older connections come before younger listeners in it: smoltcp gives a segment
    /// to the first socket that takes it.
    pub fn add(&mut self, receive_buffer: usize, send_buffer: usize) -> SocketHandle {
        let mut socket =
            Socket::new(SocketBuffer::new(vec![0; receive_buffer]), SocketBuffer::new(vec![0; send_buffer]));
        release::tune(&mut socket, &self.config.settings);
        let handle = self.sockets.add(socket);
        self.watch.add(handle);
        handle
    }

    pub fn tcp(&self, handle: SocketHandle) -> &Socket<'static> {
        self.sockets.get(handle)
    }

    pub fn tcp_mut(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub fn listen(&mut self, handle: SocketHandle, local: IpListenEndpoint) -> Result<(), ListenError> {
        self.tcp_mut(handle).listen(local)
    }

    pub fn connect(&mut self, handle: SocketHandle, remote: IpEndpoint, local: IpEndpoint) -> Result<(), ConnectError> {
        let socket = self.sockets.get_mut::<Socket>(handle);
        socket.connect(self.interface.context(), remote, local)
    }

    /// The connection between two ends, the youngest if there were several.
    pub fn connection(&self, local: IpEndpoint, remote: IpEndpoint) -> Option<&Socket<'static>> {
        let ends = (Some(local), Some(remote));
        let sockets = self.watch.handles().map(|handle| self.tcp(handle));
        sockets.filter(|socket| (socket.local_endpoint(), socket.remote_endpoint()) == ends).last()
    }

    /// Is there a way to this address? smoltcp says so to nobody.
    pub fn reaches(&self, address: IpAddr) -> bool {
        let mut own = self.config.interface.addresses.iter().map(|own| IpCidr::new(own.address.into(), own.prefix));
        let mut behind = self.config.interface.gateways.iter().filter_map(|gateway| net(&gateway.to).ok());
        own.any(|net| net.contains_addr(&address.into())) || behind.any(|net| net.contains_addr(&address.into()))
    }

    /// Does a connection have this end?
    pub fn in_use(&self, port: u16) -> bool {
        self.watch.handles().any(|handle| self.tcp(handle).local_endpoint().is_some_and(|end| end.port == port))
    }
}

fn net(text: &str) -> Result<IpCidr, String> {
    text.parse().map_err(|()| format!("{text} is no net"))
}

fn instant(ns: u64) -> Instant {
    Instant::from_micros((ns / NS_PER_US) as i64)
}
