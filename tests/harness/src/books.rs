//! Where evidence is kept, in the slow, obvious way.

use std::collections::{HashMap, HashSet};

use scanguard_common::ban::Ban;
use scanguard_common::cause::{Action, Cause};
use scanguard_common::evidence::{
    Contact, Entry, Kind, Knock, Source, Tables, Trail, Verdict, is_turned_away, witness,
};
use scanguard_common::incident::{Attempt, Past, Target, Targets, attempt};
use scanguard_common::key::{Address, spread};
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
    targets: HashMap<Address, Target>,
    incidents: HashMap<Past, Target>,
    told: u32,
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
            targets: HashMap::new(),
            incidents: HashMap::new(),
            told: 0,
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

    /// Whether a packet that is dropped for this cause is one too many of a crowd.
    pub fn turns_away(&mut self, packet: &Packet, cause: Cause, now: Seconds) -> bool {
        let Some(kind) = Kind::of(cause).filter(|_| cause.action() == Action::Drop) else { return false };
        let Contact { source, trial, .. } = self.contact(packet, kind, Reason::of(cause), now);
        let rules = self.rules;
        is_turned_away(self, source, &trial, &rules)
    }

    fn contact(&self, packet: &Packet, kind: Kind, reason: Reason, now: Seconds) -> Contact {
        Contact::new(packet, kind, reason, now, self.seed)
    }

    /// Takes in what the reason for which a packet passes or is dropped says of its source; `None` where it says nothing.
    pub fn judge(&mut self, packet: &Packet, reason: &Reason, now: Seconds) -> Option<Verdict> {
        let kind = reason.kind()?;
        if self.turns_away(packet, reason.cause, now) {
            return Some(Verdict::TurnedAway);
        }
        let verdict = self.witness(&self.contact(packet, kind, *reason, now));
        if kind.is_held_against() {
            self.attempt(&Attempt::new(packet, matches!(verdict, Verdict::Banned(_)), now));
        }
        Some(verdict)
    }

    /// Takes in a contact that failed: how many sources there are at the least, where it has made an incident.
    pub fn attempt(&mut self, failed: &Attempt) -> Option<u32> {
        let seed = self.seed;
        let sources = attempt(self, failed, seed);
        self.told += u32::from(sources.is_some());
        sources
    }

    /// What is known of a source.
    pub fn known(&self, source: Address) -> Option<&Source> {
        self.sources.get(&source)
    }

    /// Who was last let in at a source's place at the door.
    pub fn at_the_door(&self, source: Address) -> Knock {
        self.door.get(&(self.spread(source) % u64::from(DOOR_PLACES))).copied().unwrap_or_default()
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

    /// What is tried in vain at a destination.
    pub fn target(&self, destination: Address) -> Option<&Target> {
        self.targets.get(&destination)
    }

    /// Every destination at which something is tried in vain.
    pub fn targets(&self) -> impl Iterator<Item = (&Address, &Target)> {
        self.targets.iter()
    }

    /// How many incidents were told of.
    pub fn told(&self) -> u32 {
        self.told
    }

    /// Past windows in which shared scans were recognised.
    pub fn incidents(&self) -> impl Iterator<Item = (&Past, &Target)> {
        self.incidents.iter()
    }

    /// Writes the record of a source as another processor would, past the engine.
    pub fn overwrite(&mut self, source: Address, record: Source) {
        self.sources.insert(source, record);
    }

    /// Writes the record of a destination in the same way.
    pub fn overwrite_target(&mut self, destination: Address, record: Target) {
        self.targets.insert(destination, record);
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
        Some(self.sources.entry(source).or_insert(Source::UNKNOWN))
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

impl Targets for Books {
    fn failures(&mut self, source: Address) -> u16 {
        self.known(source).map_or(0, Source::failures)
    }

    fn target(&mut self, destination: Address) -> Option<&mut Target> {
        self.targets.get_mut(&destination)
    }

    fn renew(&mut self, destination: Address) -> Option<&mut Target> {
        Some(self.targets.entry(destination).insert_entry(Target::EMPTY).into_mut())
    }

    fn archive(&mut self, destination: Address) {
        if let Some(target) = self.targets.get(&destination) {
            let past = Past { destination, begun: target.begun().0 };
            self.incidents.insert(past, *target);
        }
    }
}
