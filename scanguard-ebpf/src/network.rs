//! Bans networks of which several sources are banned.

use scanguard_common::ban::Ban;
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::key::{Address, spread};
use scanguard_common::network::{Network, Networks, Peer, network, widen};
use scanguard_common::parse::Packet;
use scanguard_common::policy::PortRule;
use scanguard_common::schema::PEER_PLACES;
use scanguard_common::time::Seconds;

use crate::consequences::Case;
use crate::lookup::{hint_at, is_hinted_at, now};
use crate::maps;

/// Takes in that the source of a packet was banned: for how many seconds its network is too from now on, or 0.
///
/// Not by an `Option`, which takes two registers. It is told by the caller, when this frame on the BPF stack is gone.
#[inline(never)] // as in `main`
pub(crate) fn source_was_banned(case: &Case<'_>) -> u32 {
    let Some(rules) = maps::RULES.get(0) else { return 0 };
    let source = case.packet.sender();
    let Some(ban) = maps::BANNED.get_ptr(source.words()) else { return 0 };
    // SAFETY: a pointer from a map look-up is valid until the program ends. Every value is valid: it is copied.
    let ban = unsafe { ban.read() };
    let [.., t0, t1, t2, t3] = spread(source, maps::HASH_SEED.load()).to_le_bytes();
    let tag = u32::from_le_bytes([t0, t1, t2, t3]);
    widen(&mut Kept, source, (tag, ban), rules.judgement(), Seconds::of(case.at)).unwrap_or_default()
}

/// Whether the network of a source may be banned.
pub(crate) fn may_be_banned(source: Address) -> bool {
    let until = maps::NETS_UNTIL.get(0).copied().unwrap_or_default();
    until != 0 && is_hinted_at(network(source)) // 0 where none ever was
}

/// Whether new contacts of a source are refused because of its network.
#[inline(never)] // seldom called, and its key would take a part of the stack of those who are called often
pub(crate) fn is_banned(source: &Address) -> bool {
    if !may_be_banned(*source) {
        return false; // that needs no clock
    }
    let now = Seconds::of(now());
    if maps::NETS_UNTIL.get(0).is_none_or(|until| now.0 >= *until) {
        return false;
    }
    let network = network(*source);
    let bans = Kept.last_ban(network).is_some_and(|ban| ban.holds(now));
    bans && !Kept.has_peer(network, now) && maps::SPARED.get_ptr(source.words()).is_none()
}

/// Remembers whom a packet that leaves is for, unless it only accepts a connection, or comes from a published port.
#[inline(never)] // as above
pub(crate) fn speaks(packet: &Packet, at: Seconds) {
    let transport = &packet.transport;
    let accepts = transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK);
    let port = maps::PORT_RULES.get(u32::from(transport.ports.source.0)).copied();
    if accepts || port.is_some_and(|rule: PortRule| rule.is_public(transport.protocol)) {
        return;
    }
    if let Some(peer) = peer(network(packet.destination)) {
        // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the four bytes
        // at the same time: the same thing, or nearly.
        unsafe { peer.write(Peer::at(at)) };
    }
}

fn peer(network: Address) -> Option<*mut Peer> {
    let spread = spread(network, maps::HASH_SEED.load());
    maps::PEERS.get_ptr_mut(u32::try_from(spread % u64::from(PEER_PLACES)).unwrap_or_default())
}

/// What new records begin as: not on the stack, which has no room for them.
static QUIET: Network = Network::QUIET;

/// The maps in which networks are kept.
struct Kept;

impl Networks for Kept {
    #[expect(clippy::needless_borrows_for_generic_args, reason = "moved, it would lie on the stack before")]
    fn record(&mut self, network: Address) -> Option<&mut Network> {
        if maps::NETWORKS.get_ptr_mut(network.words()).is_none() {
            maps::NETWORKS.insert(network.words(), &QUIET, 0).ok()?;
        }
        let record = maps::NETWORKS.get_ptr_mut(network.words())?;
        // SAFETY: as in `source_was_banned`, and none of it is read twice to be relied upon.
        Some(unsafe { &mut *record })
    }

    fn has_peer(&mut self, network: Address, now: Seconds) -> bool {
        // SAFETY: as in `speaks`.
        peer(network).is_some_and(|peer| unsafe { peer.read() }.counts(now))
    }

    fn last_ban(&mut self, network: Address) -> Option<Ban> {
        let ban = maps::BANNED_NETS.get_ptr(network.words())?;
        // SAFETY: as in `source_was_banned`.
        Some(unsafe { ban.read() })
    }

    fn keep_ban(&mut self, network: Address, ban: Ban) -> bool {
        let is_kept = maps::BANNED_NETS.insert(network.words(), ban, 0).is_ok();
        hint_at(network);
        if let Some(until) = maps::NETS_UNTIL.get_ptr_mut(0).filter(|_| is_kept) {
            // SAFETY: a pointer from a map look-up is valid until the program ends. Two processors that write at the same
            // time write nearly the same second.
            unsafe { until.write(until.read().max(ban.until().0)) };
        }
        is_kept
    }
}
