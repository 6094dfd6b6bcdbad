//! Chains of nf_tables that change where packets go, asked by netlink: the command `nft` need not be there.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::libc::MSG_TRUNC;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::Reason;
use crate::error::Error;
use crate::netlink;

// Numbers of `linux/netlink.h` and `linux/netfilter/nf_tables.h`.
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NFNL_SUBSYS_NFTABLES: u16 = 10 << 8;
const NFT_MSG_GETCHAIN: u16 = 4;
const NFT_MSG_GETRULE: u16 = 7;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_USE: u16 = 6;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_NAT_TYPE: u16 = 1;
const NFT_NAT_DNAT: u32 = 1;
const NFTA_TARGET_NAME: u16 = 1;
const NF_INET_PRE_ROUTING: u32 = 0;

/// A netlink message begins so: length, type, flags, number, port.
const HEADER: usize = 16;
/// Each message of netfilter goes on so: family, version, resource.
const NETFILTER_HEADER: usize = 4;

/// Each chain once: what its rules do counts for more than what it is for.
pub(super) fn survey() -> anyhow::Result<Vec<Reason>> {
    let mut chains = BTreeMap::new();
    for message in dump(NFT_MSG_GETCHAIN).context("listing the chains of nf_tables")? {
        if let Some(chain) = translating_chain(&message) {
            chains.insert(chain, "translates addresses as packets come in");
        }
    }
    for message in dump(NFT_MSG_GETRULE).context("listing the rules of nf_tables")? {
        if let Some((chain, does)) = redirecting_rule(&message) {
            chains.insert(chain, does);
        }
    }
    Ok(chains.into_iter().map(|(chain, does)| Reason::Chain { chain, does }).collect())
}

/// The name of a chain with rules whose type is `nat` and which sees packets as they come in.
fn translating_chain(message: &[u8]) -> Option<String> {
    let attributes = message.get(NETFILTER_HEADER..)?;
    let is_nat = text(attribute(attributes, NFTA_CHAIN_TYPE)?) == "nat";
    let hook = number(attribute(attribute(attributes, NFTA_CHAIN_HOOK)?, NFTA_HOOK_HOOKNUM)?)?;
    let rules = number(attribute(attributes, NFTA_CHAIN_USE)?)?;
    let translates = is_nat && hook == NF_INET_PRE_ROUTING && rules > 0;
    translates.then(|| full_name(message, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME))?
}

/// The chain of a rule that redirects, and how.
fn redirecting_rule(message: &[u8]) -> Option<(String, &'static str)> {
    let expressions = attribute(message.get(NETFILTER_HEADER..)?, NFTA_RULE_EXPRESSIONS)?;
    let does = attributes(expressions).find_map(|(_, expression)| redirection(expression))?;
    Some((full_name(message, NFTA_RULE_TABLE, NFTA_RULE_CHAIN)?, does))
}

/// What an expression does, if it sends packets elsewhere. Targets of iptables come in an expression of that name.
fn redirection(expression: &[u8]) -> Option<&'static str> {
    const DNAT: &str = "redirects packets (dnat)";
    const REDIRECT: &str = "redirects packets to other ports (redirect)";
    const TPROXY: &str = "hands packets to a proxy (tproxy)";
    const ELSEWHERE: &str = "sends packets to another interface (fwd)";
    let data = |kind| attribute(attribute(expression, NFTA_EXPR_DATA)?, kind);
    match text(attribute(expression, NFTA_EXPR_NAME)?).as_str() {
        "redir" => Some(REDIRECT),
        "tproxy" => Some(TPROXY),
        "fwd" => Some(ELSEWHERE),
        "nat" if number(data(NFTA_NAT_TYPE)?)? == NFT_NAT_DNAT => Some(DNAT),
        "target" => match text(data(NFTA_TARGET_NAME)?).as_str() {
            "DNAT" | "NETMAP" => Some(DNAT),
            "REDIRECT" => Some(REDIRECT),
            "TPROXY" => Some(TPROXY),
            _ => None,
        },
        _ => None,
    }
}

/// Family, table and chain, as `nft list chain` wants them.
fn full_name(message: &[u8], table: u16, chain: u16) -> Option<String> {
    let family = match message.first()? {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "?",
    };
    let attributes = message.get(NETFILTER_HEADER..)?;
    Some(format!("{family} {} {}", text(attribute(attributes, table)?), text(attribute(attributes, chain)?)))
}

/// The longest answer that the kernel writes at once, where there is room for it. For each it goes through all objects from
/// the first one on: the less room, the longer take thousands of rules.
const LONGEST: usize = 32 << 10;

/// All objects of one sort: each as it stands behind the header of netlink. None where there is no nf_tables.
fn dump(sort: u16) -> anyhow::Result<Vec<Vec<u8>>> {
    let socket = match netlink::socket(NETLINK_NETFILTER) {
        Ok(socket) => socket,
        Err(error) if error.raw_os_error() == Some(Errno::EPROTONOSUPPORT as i32) => return Ok(Vec::new()),
        Err(error) => return Err(error).context("opening a netlink socket"),
    };
    socket.send(&request(sort), 0).context("asking by netlink")?;
    let mut objects = Vec::new();
    let mut answer = Vec::with_capacity(LONGEST);
    loop {
        answer.clear();
        let length = socket.recv(&mut answer, MSG_TRUNC).context("reading from netlink")?;
        ensure!(length <= LONGEST, "the kernel answers by netlink with {length} bytes at once");
        for (kind, body) in messages(&answer) {
            match kind {
                NLMSG_DONE => return Ok(objects),
                NLMSG_ERROR => return refused(body).map(|()| Vec::new()),
                _ => objects.push(body.to_vec()),
            }
        }
    }
}

fn request(sort: u16) -> Vec<u8> {
    let length = u32::try_from(HEADER + NETFILTER_HEADER).unwrap_or_default();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend((NFNL_SUBSYS_NFTABLES | sort).to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes.resize(HEADER + NETFILTER_HEADER, 0); // the first message, from whatever port, about every family
    bytes
}

/// The messages of one datagram: type, and what follows the header.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
        let body = datagram.get(HEADER..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// A kernel without nf_tables does not know the message.
fn refused(body: &[u8]) -> anyhow::Result<()> {
    let code = body.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    let error = Errno::from_raw(-code);
    if error == Errno::EPERM {
        return Err(Error::NotPermitted { what: "asking nf_tables for its rules" }.into());
    }
    if [Errno::EINVAL, Errno::EOPNOTSUPP, Errno::ENOENT].contains(&error) {
        Ok(())
    } else {
        Err(error.into())
    }
}

/// The value of the first attribute of this kind.
fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// Attributes one behind the other: kind and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const LENGTH_AND_KIND: usize = 4;
    /// The two highest bits tell of the value's form.
    const KIND: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
        let value = bytes.get(LENGTH_AND_KIND..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & KIND, value))
    })
}

/// Numbers of netfilter are in network order.
fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*value.first_chunk()?))
}

fn text(value: &[u8]) -> String {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attribute with its length and its padding.
    fn written(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn nested(kind: u16, parts: &[Vec<u8>]) -> Vec<u8> {
        written(0x8000 | kind, &parts.concat())
    }

    /// A rule of `ip t c` with one expression.
    fn rule(name: &[u8], data: &[u8]) -> Vec<u8> {
        let expression = [written(NFTA_EXPR_NAME, name), nested(NFTA_EXPR_DATA, &[data.to_vec()])];
        let expressions = nested(NFTA_RULE_EXPRESSIONS, &[nested(1, &expression)]);
        [vec![2, 0, 0, 0], written(NFTA_RULE_TABLE, b"t\0"), written(NFTA_RULE_CHAIN, b"c\0"), expressions]
            .concat()
    }

    #[test]
    fn source_addresses_may_be_translated_and_destinations_redirect() {
        let nat = |way: u32| redirecting_rule(&rule(b"nat\0", &written(NFTA_NAT_TYPE, &way.to_be_bytes())));
        assert_eq!(nat(0), None);
        assert_eq!(nat(NFT_NAT_DNAT), Some(("ip t c".to_owned(), "redirects packets (dnat)")));
        assert_eq!(redirecting_rule(&rule(b"masq\0", &[])), None);
        let target = |name| redirecting_rule(&rule(b"target\0", &written(NFTA_TARGET_NAME, name)));
        assert!(target(b"DNAT\0").is_some() && target(b"SNAT\0").is_none());
    }

    #[test]
    fn messages_that_are_cut_or_garbled_are_read_within_their_bounds() {
        let whole = rule(b"nat\0", &written(NFTA_NAT_TYPE, &NFT_NAT_DNAT.to_be_bytes()));
        for length in 0..whole.len() {
            let cut = whole.get(..length).expect("it is longer");
            assert_eq!(redirecting_rule(cut), None, "cut at {length}");
            assert_eq!(translating_chain(cut), None, "cut at {length}");
            for byte in [0, 1, 3, 0xff] {
                let mut garbled = whole.clone();
                *garbled.get_mut(length).expect("it is longer") = byte;
                let _ = (redirecting_rule(&garbled), translating_chain(&garbled), messages(&garbled).count());
            }
        }
    }
}
