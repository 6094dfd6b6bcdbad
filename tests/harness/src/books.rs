//! Where evidence is kept, in the slow, obvious way.

use std::collections::{HashMap, HashSet};

use scanguard_common::ban::Ban;
use scanguard_common::evidence::{Contact, Entry, Knock, Source, Tables, Trail, Verdict, witness};
use scanguard_common::key::{Address, spread, spread_port};
use scanguard_common::mark::Reason;
use scanguard_common::parse::Packet;
use scanguard_common::policy::Judgement;
use scanguard_common::schema::DOOR_PLACES;
use scanguard_common::time::Seconds;

/// The tables of the engine as plain maps that nobody is ever pushed out of, but from the door, and the rules by which
/// it judges.
#[derive(Debug, Clone)]
pub struct Books {
    rules: Judgement,
    seed: u64,
    most_bans: usize,
    sources: HashMap<Address, Source>,
    trails: HashMap<Address, Trail>,
    door: HashMap<u64, Knock>,
    bans: HashMap<Address, Ban>,
    spared: HashSet<Address>,
}

impl Books {
    /// Nobody is known yet. `seed` is that of all hashes.
    pub fn new(rules: Judgement, seed: u64) -> Books {
        Books {
            rules,
            seed,
            most_bans: usize::MAX,
            sources: HashMap::new(),
            trails: HashMap::new(),
            door: HashMap::new(),
            bans: HashMap::new(),
            spared: HashSet::new(),
        }
    }

    /// The same, but never bans this source.
    #[must_use]
    pub fn sparing(mut self, source: Address) -> Books {
        self.spared.insert(source);
        self
    }

    /// The same, with room for so many bans only.
    #[must_use]
    pub fn with_room_for_bans(mut self, most: usize) -> Books {
        self.most_bans = most;
        self
    }

    /// Takes in a contact.
    pub fn witness(&mut self, contact: &Contact) -> Verdict {
        let rules = self.rules;
        witness(self, contact, &rules)
    }

    /// Takes in what the reason for which a packet passes or is dropped says of its source; `None` where it says nothing.
    pub fn judge(&mut self, packet: &Packet, reason: &Reason, now: Seconds) -> Option<Verdict> {
        let kind = reason.kind()?;
        let port = packet.transport.ports.destination.0;
        let spread = spread_port(packet.destination, packet.transport.protocol.0, port, self.seed);
        let [k0, k1, k2, k3, ..] = spread.to_le_bytes();
        let key = u32::from_le_bytes([k0, k1, k2, k3]);
        Some(self.witness(&Contact::new(packet, kind, reason, key, now)))
    }

    /// What is known of a source.
    pub fn known(&self, source: Address) -> Option<&Source> {
        self.sources.get(&source)
    }

    /// What moved a source's score.
    pub fn trail(&self, source: Address) -> Vec<Entry> {
        self.trails.get(&source).map(|trail| trail.entries().copied().collect()).unwrap_or_default()
    }

    /// The last ban of a source.
    pub fn ban(&self, source: Address) -> Option<Ban> {
        self.bans.get(&source).copied()
    }

    /// All sources under observation.
    pub fn sources(&self) -> impl Iterator<Item = (&Address, &Source)> {
        self.sources.iter()
    }

    /// All bans.
    pub fn bans(&self) -> impl Iterator<Item = (&Address, &Ban)> {
        self.bans.iter()
    }

    /// Writes a record as another processor would, past the engine.
    pub fn overwrite(&mut self, source: Address, record: Source) {
        self.sources.insert(source, record);
    }
}

impl Tables for Books {
    fn spread(&self, source: Address) -> u64 {
        spread(source, self.seed)
    }

    fn source(&mut self, source: Address) -> Option<&mut Source> {
        self.sources.get_mut(&source)
    }

    fn admit(&mut self, source: Address) -> Option<&mut Source> {
        Some(self.sources.entry(source).insert_entry(Source::UNKNOWN).into_mut())
    }

    fn door(&mut self, spread: u64) -> Option<&mut Knock> {
        Some(self.door.entry(spread % u64::from(DOOR_PLACES)).or_default())
    }

    fn write(&mut self, source: Address, entry: Entry) {
        self.trails.entry(source).or_default().write(entry);
    }

    fn spares(&mut self, source: Address) -> bool {
        self.spared.contains(&source)
    }

    fn last_ban(&mut self, source: Address) -> Option<Ban> {
        self.ban(source)
    }

    fn keep_ban(&mut self, source: Address, ban: Ban) -> bool {
        let has_room = self.bans.len() < self.most_bans || self.bans.contains_key(&source);
        if has_room {
            self.bans.insert(source, ban);
        }
        has_room
    }
}
