//! What sources did, and who would have been banned for it: the evidence engine over tables in memory.
//!
//! They are as large as the program's, and forget in the same way. Of trails only the end is kept, which is all that is
//! told.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use scanguard_common::ban::Ban;
use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::signature::Label;
use scanguard_common::evidence::{
    Contact, Entry, Kind, Knock, Source, Tables, Verdict, Weights, is_turned_away, witness,
};
use scanguard_common::incident::{Attempt, Target, Targets, attempt};
use scanguard_common::key::{Address, spread};
use scanguard_common::mark::Reason;
use scanguard_common::network::{Network, Networks, Peer, network, widen};
use scanguard_common::parse::Packet;
use scanguard_common::policy::Judgement;
use scanguard_common::schema::{
    DOOR_PLACES, MAX_BANS, MAX_INCIDENTS, MAX_NETWORK_BANS, MAX_NETWORKS, MAX_SOURCES, MAX_TARGETS,
    PEER_PLACES,
};
use scanguard_common::time::{Nanos, Seconds};

use super::lately::Lately;
use super::local::Local;
use crate::prefix::address;

/// The seed of all hashes. Always the same, so that a capture is judged alike whenever it is replayed.
pub(super) const SEED: u64 = 0x243f_6a88_85a3_08d3;

/// Bans, with room from the beginning for as many as there may be.
type Bans = HashMap<Address, Ban, RandomState>;

/// The evidence of a capture.
pub(super) struct Ledger {
    tables: InMemory,
    networks: NetworksInMemory,
    judgement: Judgement,
}

/// One ban, and what it was for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Banned {
    /// Who, as sources are known: over IPv6 its /64.
    pub(crate) source: Address,
    /// When.
    pub(crate) at: Nanos,
    /// For how long, in seconds.
    pub(crate) seconds: u32,
    /// How the last contact ended.
    pub(crate) kind: Kind,
    /// Why its packet was dropped or passed.
    pub(crate) cause: Cause,
    /// The mark of its tool.
    pub(crate) mark: Label,
    /// How many first contacts were counted: all, those that failed, those that were answered.
    pub(crate) contacts: [u16; 3],
    /// The score that was reached, in units of [`Weights::UNIT`].
    pub(crate) score: u32,
}

/// What came of a contact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came {
    /// Nothing that is told.
    Nothing,
    /// Its source is banned from now on.
    Banned(Banned),
    /// It should be, but there is no room for another ban.
    Full,
}

impl Ledger {
    /// An empty one. The addresses are those that are never banned.
    pub(super) fn new(judgement: Judgement, spared: [Local; 2]) -> Ledger {
        let tables = InMemory {
            sources: Lately::new(MAX_SOURCES),
            door: vec![Knock::default(); DOOR_PLACES as usize],
            bans: room_for(MAX_BANS),
            spared,
            written: None,
            targets: Lately::new(MAX_TARGETS),
            past: VecDeque::new(),
        };
        let networks = NetworksInMemory {
            records: Lately::new(MAX_NETWORKS),
            bans: room_for(MAX_NETWORK_BANS),
            peers: vec![Peer::default(); PEER_PLACES as usize],
        };
        Ledger { tables, networks, judgement }
    }

    /// Why new contacts of a source are refused, if so.
    pub(super) fn refuses(&self, source: Address, now: Nanos) -> Option<Cause> {
        let now = Seconds::of(now);
        let holds = |ban: Option<&Ban>| ban.is_some_and(|ban| ban.holds(now));
        if holds(self.tables.bans.get(&source)) {
            return Some(Cause::Banned);
        }
        let network = network(source);
        let bans = holds(self.networks.bans.get(&network)) && !self.networks.is_peer(network, now);
        (bans && !self.tables.spared.iter().any(|spared| spared.contains(source)))
            .then_some(Cause::BannedNetwork)
    }

    /// Whoever this side speaks to is a peer from now on.
    pub(super) fn speak_to(&mut self, peer: Address, now: Nanos) {
        if let Some(place) = self.networks.peers.get_mut(place_of_peer(network(peer))) {
            *place = Peer::at(Seconds::of(now));
        }
    }

    /// Whether a packet that is dropped for this cause is one too many of a crowd.
    pub(super) fn turns_away(&mut self, packet: &Packet, cause: Cause, at: Nanos) -> bool {
        let kind = Kind::of(cause).filter(|_| cause.action() == Action::Drop);
        kind.is_some_and(|kind| {
            let Contact { source, trial, .. } = contact(packet, kind, Reason::of(cause), at);
            is_turned_away(&mut self.tables, source, &trial, &self.judgement)
        })
    }

    /// Holds a packet that came in, or would have, against its source, or for it.
    pub(super) fn hold(&mut self, packet: &Packet, kind: Kind, reason: &Reason, at: Nanos) -> Came {
        let contact = contact(packet, kind, *reason, at);
        self.tables.written = None;
        let verdict = witness(&mut self.tables, &contact, &self.judgement);
        if kind.is_held_against() {
            let is_ban = matches!(verdict, Verdict::Banned(_));
            attempt(&mut self.tables, &Attempt::new(packet, is_ban, Seconds::of(at)), SEED);
            if is_ban {
                self.widen(contact.source, Seconds::of(at));
            }
        }
        match verdict {
            Verdict::Waiting | Verdict::Noted | Verdict::Displaced | Verdict::TurnedAway => Came::Nothing,
            Verdict::Full => Came::Full,
            Verdict::Banned(seconds) => {
                let source = contact.source;
                // Who is banned for one contact has no record.
                let record = self.tables.sources.get(&source);
                let contacts = record.map_or([1, 1, 0], Source::contacts);
                let mark = record.map_or(reason.mark, Source::label);
                let entry = self.tables.written;
                let score = entry.map_or(Weights::against(kind), |entry| entry.scores()[1]);
                let kind = entry.map_or(kind, |entry| entry.kind());
                let cause = reason.cause;
                Came::Banned(Banned { source, at, seconds, kind, cause, mark, contacts, score })
            }
        }
    }
}

impl Ledger {
    /// Bans the network of a source that was banned just now, if that is enough.
    fn widen(&mut self, source: Address, now: Seconds) {
        if let Some(ban) = self.tables.bans.get(&source) {
            let [.., t0, t1, t2, t3] = spread(source, SEED).to_le_bytes();
            let tag = u32::from_le_bytes([t0, t1, t2, t3]);
            widen(&mut self.networks, source, (tag, *ban), &self.judgement, now);
        }
    }

    /// Every window in which a shared scan was recognised, with the destination.
    pub(super) fn incidents(&self) -> Vec<(IpAddr, Target)> {
        let present = self.tables.targets.iter();
        let past = self.tables.past.iter().map(|(destination, target)| (destination, target));
        let all = present.chain(past).filter(|(_, target)| target.is_incident());
        all.map(|(destination, target)| (address(destination.bytes()), *target)).collect()
    }
}

fn contact(packet: &Packet, kind: Kind, reason: Reason, at: Nanos) -> Contact {
    Contact::new(packet, kind, reason, Seconds::of(at), SEED)
}

fn room_for(bans: u32) -> Bans {
    HashMap::with_capacity_and_hasher(bans as usize, RandomState::default())
}

struct InMemory {
    sources: Lately<Address, Source>,
    door: Vec<Knock>,
    /// Nobody is pushed out.
    bans: Bans,
    spared: [Local; 2],
    /// What moved a score last.
    written: Option<Entry>,
    targets: Lately<Address, Target>,
    /// Past windows in which shared scans were recognised: the latest.
    past: VecDeque<(Address, Target)>,
}

impl Tables for InMemory {
    fn spread(&self, source: Address) -> u64 {
        spread(source, SEED)
    }

    fn source(&mut self, source: Address) -> Option<&mut Source> {
        self.sources.touch(&source)
    }

    fn admit(&mut self, source: Address) -> Option<&mut Source> {
        self.sources.put(source, Source::UNKNOWN)
    }

    fn door(&mut self, spread: u64) -> Option<&mut Knock> {
        let place = usize::try_from(spread % u64::from(DOOR_PLACES)).ok()?;
        self.door.get_mut(place)
    }

    fn write(&mut self, _source: Address, entry: Entry) {
        self.written = Some(entry);
    }

    fn spares(&mut self, source: Address) -> bool {
        source.is_link_local() || self.spared.iter().any(|spared| spared.contains(source))
    }

    fn last_ban(&mut self, source: Address) -> Option<Ban> {
        self.bans.get(&source).copied()
    }

    fn keep_ban(&mut self, source: Address, ban: Ban) -> bool {
        let has_room = self.bans.len() < MAX_BANS as usize || self.bans.contains_key(&source);
        if has_room {
            self.bans.insert(source, ban);
        }
        has_room
    }
}

impl Targets for InMemory {
    fn failures(&mut self, source: Address) -> u16 {
        self.sources.get(&source).map_or(0, Source::failures)
    }

    fn target(&mut self, destination: Address) -> Option<&mut Target> {
        self.targets.touch(&destination)
    }

    fn renew(&mut self, destination: Address) -> Option<&mut Target> {
        self.targets.put(destination, Target::EMPTY)
    }

    fn archive(&mut self, destination: Address) {
        let Some(target) = self.targets.get(&destination) else { return };
        if self.past.len() == MAX_INCIDENTS as usize {
            self.past.pop_front();
        }
        self.past.push_back((destination, *target));
    }
}

/// What is known of networks.
struct NetworksInMemory {
    records: Lately<Address, Network>,
    bans: Bans,
    peers: Vec<Peer>,
}

impl NetworksInMemory {
    fn is_peer(&self, network: Address, now: Seconds) -> bool {
        self.peers.get(place_of_peer(network)).is_some_and(|peer| peer.counts(now))
    }
}

fn place_of_peer(network: Address) -> usize {
    usize::try_from(spread(network, SEED) % u64::from(PEER_PLACES)).unwrap_or_default()
}

impl Networks for NetworksInMemory {
    fn record(&mut self, network: Address) -> Option<&mut Network> {
        Some(self.records.touch_or(network, || Network::QUIET))
    }

    fn has_peer(&mut self, network: Address, now: Seconds) -> bool {
        self.is_peer(network, now)
    }

    fn last_ban(&mut self, network: Address) -> Option<Ban> {
        self.bans.get(&network).copied()
    }

    fn keep_ban(&mut self, network: Address, ban: Ban) -> bool {
        let has_room = self.bans.len() < MAX_NETWORK_BANS as usize || self.bans.contains_key(&network);
        if has_room {
            self.bans.insert(network, ban);
        }
        has_room
    }
}
