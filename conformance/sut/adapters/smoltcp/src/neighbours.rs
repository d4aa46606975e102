//! smoltcp has no permanent neighbour entries: what it learns it forgets after a minute, and a segment to a neighbour that it does not
//! know goes nowhere. So the adapter tells it of the gateways, in the words of ARP and of neighbour discovery, before it forgets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::settings::{mac, Interface};

/// smoltcp forgets after 60 s.
pub const REFRESH_SECONDS: u64 = 30;

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Ethernet and IPv4, of 6 and 4 octets; a reply.
const ARP_REPLY: [u8; 8] = [0, 1, 0x08, 0, 6, 4, 0, 2];
const ICMPV6: u8 = 58;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const SOLICITED_AND_OVERRIDE: u8 = 0x60;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
const HOP_LIMIT: u8 = 255;

/// A frame for each gateway that says where it is.
pub fn announcements(interface: &Interface) -> Result<Vec<Vec<u8>>, String> {
    let own_mac = mac(&interface.mac)?;
    let mut frames = Vec::new();
    for gateway in &interface.gateways {
        let from = mac(&gateway.mac)?;
        let own =
            interface.addresses.iter().map(|own| own.address).find(|own| own.is_ipv4() == gateway.address.is_ipv4());
        match (gateway.address, own) {
            (IpAddr::V4(address), Some(IpAddr::V4(own))) => frames.push(arp_reply(from, address, own_mac, own)),
            (IpAddr::V6(address), Some(IpAddr::V6(own))) => frames.push(advertisement(from, address, own_mac, own)),
            _ => (),
        }
    }
    Ok(frames)
}

fn arp_reply(from: [u8; 6], address: Ipv4Addr, own_mac: [u8; 6], own: Ipv4Addr) -> Vec<u8> {
    [&own_mac[..], &from, &ETHERTYPE_ARP, &ARP_REPLY, &from, &address.octets(), &own_mac, &own.octets()].concat()
}

fn advertisement(from: [u8; 6], address: Ipv6Addr, own_mac: [u8; 6], own: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![NEIGHBOR_ADVERTISEMENT, 0, 0, 0, SOLICITED_AND_OVERRIDE, 0, 0, 0];
    message.extend(address.octets());
    message.extend([TARGET_LINK_LAYER_ADDRESS, 1]);
    message.extend(from);
    let length = (message.len() as u16).to_be_bytes();
    let pseudo = [&address.octets()[..], &own.octets(), &[0, 0], &length, &[0, 0, 0, ICMPV6], &message].concat();
    message[2..4].copy_from_slice(&checksum(&pseudo));
    let header = [&[0x60, 0, 0, 0][..], &length, &[ICMPV6, HOP_LIMIT], &address.octets(), &own.octets()].concat();
    [&own_mac[..], &from, &ETHERTYPE_IPV6, &header, &message].concat()
}

/// RFC 1071, of an even number of octets.
fn checksum(octets: &[u8]) -> [u8; 2] {
    let mut sum: u32 = octets.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_example_in_rfc_1071() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), [0x22, 0x0d]);
    }
}
