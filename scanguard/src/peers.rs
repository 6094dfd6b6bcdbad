//! Who has a connection with this host, also an idle one: networks of peers are never banned.
//!
//! The programs see peers speak. What they cannot see is a connection that was there before them, or has been idle for
//! longer than they remember: those the kernel lists.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use scanguard_common::parse::network::IpProtocol;

use crate::maps::Maps;

/// Has the programs know of every connection that there is now, but for those with published ports.
pub(crate) fn refresh(maps: &mut Maps) -> anyhow::Result<()> {
    let mut is_public = HashMap::new();
    let mut peers = BTreeSet::new();
    for (port, peer) in connections()? {
        let is_public = match is_public.get(&port) {
            Some(known) => *known,
            None => *is_public.entry(port).or_insert(maps.port_rule(port)?.is_public(IpProtocol::TCP)),
        };
        if !is_public {
            peers.insert(peer);
        }
    }
    maps.know_peers(&peers)
}

/// The local port and the peer of every TCP connection.
fn connections() -> anyhow::Result<Vec<(u16, IpAddr)>> {
    let mut found = Vec::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        match read(path) {
            Ok(text) => found.extend(text.lines().skip(1).filter_map(connection)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // a host without this family
            Err(error) => return Err(error).with_context(|| format!("reading {path}")),
        }
    }
    Ok(found)
}

/// Reads one of these files in large pieces: to find where the next one begins, the kernel looks through its whole table.
fn read(path: &str) -> io::Result<String> {
    const ROOM: usize = 64 << 10;
    let mut text = String::with_capacity(ROOM);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// One line of /proc/net/tcp: a number, both ends, and the state, all in hexadecimal digits.
fn connection(line: &str) -> Option<(u16, IpAddr)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    if !HELD.contains(&state) {
        return None;
    }
    let (_, port) = local.split_once(':')?;
    let (address, _) = remote.split_once(':')?;
    Some((u16::from_str_radix(port, 16).ok()?, peer(address)?))
}

/// The states of a connection that both sides hold (`include/net/tcp_states.h`): established, begun by this side, or not
/// closed by both.
const HELD: [&str; 6] = ["01", "02", "04", "05", "08", "09"];

/// An address as words of the machine's byte order.
fn peer(digits: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(digits.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    if digits.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(8)?, word(16)?, word(24)?];
    let bytes: [u8; 16] = words.concat().try_into().ok()?;
    Some(Ipv6Addr::from(bytes).to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_found_and_a_listener_is_none() {
        for address in ["127.0.0.1", "::1"] {
            let listener = TcpListener::bind((address, 0)).expect("the loopback interface");
            let port = listener.local_addr().expect("it is bound").port();
            let of_ours = || {
                let all = connections().expect("the kernel lists them");
                all.into_iter()
                    .filter(|(local, _)| *local == port)
                    .map(|(_, peer)| peer.to_string())
                    .collect()
            };
            let none: Vec<String> = of_ours();
            assert!(none.is_empty(), "{none:?}");
            let _client = TcpStream::connect((address, port)).expect("somebody listens");
            let _server = listener.accept().expect("somebody connects");
            let one: Vec<String> = of_ours();
            assert_eq!(one, [address]);
        }
    }

    #[test]
    fn what_is_no_connection_is_passed_over() {
        let line = |state| format!("  3: 0100007F:0016 0200007F:C350 {state} 00000000:00000000 00:00000000");
        assert!(connection(&line("01")).is_some_and(|(port, _)| port == 22));
        for state in ["03", "06", "07", "0A", "0C"] {
            assert_eq!(connection(&line(state)), None);
        }
        assert_eq!(connection("  3: 0100007F"), None);
    }
}
