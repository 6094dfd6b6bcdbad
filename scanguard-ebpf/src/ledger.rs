//! Keeps what sources did, and bans them for it.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_NOEXIST;
use scanguard_common::ban::Ban;
use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Label;
use scanguard_common::count::Note;
use scanguard_common::event::News;
use scanguard_common::evidence::{
    Circumstances, Contact, Entry, Kind, Knock, Source, Tables, Trail, Trial, Verdict, is_lost_in_a_crowd,
    is_turned_away, punish_in, weigh_in, witness,
};
use scanguard_common::key::{Address, spread};
use scanguard_common::mark::Reason;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::Judgement;
use scanguard_common::recent::Glance;
use scanguard_common::schema::DOOR_PLACES;
use scanguard_common::time::{Nanos, Seconds};

use crate::aside::{self, Door, forgotten};
use crate::consequences::Case;
use crate::lookup::{allows, hint_at, now};
use crate::{maps, report};

/// What came of it for the source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It has no record, and waits at the door.
    Waiting = 0,
    /// Nothing else that others need to know.
    Noted = 1,
    /// It is banned from now on.
    Banned = 2,
}

impl Held {
    /// The same, of which the verifier knows nothing any more.
    pub(crate) fn forgotten(self) -> Held {
        match forgotten(self as u32) {
            0 => Held::Waiting,
            2 => Held::Banned,
            _ => Held::Noted,
        }
    }
}

/// Holds a packet against its source, or for it, and tells if that was enough for a ban.
#[inline(never)] // as in `main`
pub(crate) fn hold<C: EbpfContext>(ctx: &C, door: Door, case: &Case<'_>, kind: Kind) -> Held {
    let Some(rules) = maps::RULES.get(0) else { return Held::Noted };
    let seed = maps::HASH_SEED.load();
    let contact = Contact::new(case.packet, kind, case.reason, Seconds::of(case.at), seed);
    match witness(&mut Ledger { door }, &contact, rules.judgement()) {
        Verdict::Waiting => Held::Waiting,
        Verdict::TurnedAway => {
            report::note(Note::Crowded);
            Held::Waiting
        }
        Verdict::Noted => Held::Noted,
        Verdict::Displaced => {
            report::note(Note::Crowded);
            report::crowd(ctx, case);
            Held::Waiting
        }
        Verdict::Banned(seconds) => {
            report::note(Note::Banned);
            report::send(ctx, case, News::Banned { seconds }.numbers());
            Held::Banned
        }
        Verdict::Full => {
            report::note(Note::BansFull);
            report::send(ctx, case, News::BansFull.numbers());
            Held::Noted
        }
    }
}

/// Whether the packet that lies aside and is dropped for this cause is one too many of a crowd: then it is counted, and
/// nothing else follows.
pub(crate) fn turns_away(cause: Cause, at: Nanos) -> bool {
    scanguard_crowd(cause.index().into(), at.0) != 0
}

#[unsafe(no_mangle)]
#[inline(never)] // a global function: see `aside`
extern "C" fn scanguard_crowd(cause: u32, at: u64) -> u32 {
    let (Some(packet), Some(rules)) = (aside::get(Door::In), maps::RULES.get(0)) else { return 0 };
    let Some(cause) = Cause::from_number(cause) else { return 0 };
    let Some(kind) = Kind::of(cause) else { return 0 };
    let (at, seed) = (Seconds::of(Nanos(at)), maps::HASH_SEED.load());
    let Contact { source, trial, .. } = Contact::new(packet, kind, Reason::of(cause), at, seed);
    is_turned_away(&mut Ledger { door: Door::In }, source, &trial, rules.judgement()).into()
}

/// Whether who tries a port that a crowd tries, and that is closed, is lost in it. Who is allowed whatever he does never is.
#[inline(always)] // as above
pub(crate) fn loses_in_a_crowd(glance: &Glance) -> bool {
    let Some(rules) = maps::RULES.get(0) else { return false };
    let (source, destination) = glance.ends();
    let (at, seed) = (Seconds::of(now()), maps::HASH_SEED.load());
    let trial = Trial::new(Kind::Closed, destination, IpProtocol::TCP, glance.port(), at, seed);
    is_lost_in_a_crowd(&mut Ledger { door: Door::In }, glance.sender(), &trial, rules.judgement())
        && !allows(source)
}

/// What new records begin as: not on the stack, which has no room for them.
static UNKNOWN: Source = Source::UNKNOWN;
static EMPTY: Trail = Trail::EMPTY;

/// Writes nothing over what is there.
const ONLY_NEW: u64 = BPF_NOEXIST as u64;

/// The maps in which evidence is kept, for the program of this door.
struct Ledger {
    door: Door,
}

#[unsafe(no_mangle)]
#[inline(never)] // a global function: see `aside`. Each trial would have the verifier read this once more
extern "C" fn scanguard_weigh(what: u32, port: u32, key: u32, at: u32) -> u32 {
    let [door, kind, cause, mark] = what.to_le_bytes();
    let (Some(door), [low, high, ..]) = (Door::from_number(door), port.to_le_bytes()) else { return 0 };
    let Some(packet) = aside::get(door) else { return 0 };
    let (kind, port) = (Kind::from_number(kind), u16::from_le_bytes([low, high]));
    let circumstances = Cause::from_index(cause).map(|cause| {
        let reason = Reason { cause, mark: Label::from_number(mark) };
        Circumstances { protocol: packet.transport.protocol, reason }
    });
    let trial = Trial { kind, port, key, at: Seconds(at) };
    weigh_in(&mut Ledger { door }, packet.sender(), &trial, circumstances);
    0
}

/// Not the index of any cause.
const FORGOTTEN_CAUSE: u8 = u8::MAX;

#[unsafe(no_mangle)]
#[inline(never)] // as above
extern "C" fn scanguard_punish(what: u32, at: u32) -> u32 {
    let [door, kind, mark, _] = what.to_le_bytes();
    let (Some(door), Some(rules)) = (Door::from_number(door), maps::RULES.get(0)) else { return NOT_BANNED };
    let Some(packet) = aside::get(door) else { return NOT_BANNED };
    let why = (Kind::from_number(kind), Label::from_number(mark));
    match punish_in(&mut Ledger { door }, packet.sender(), why, Seconds(at), rules.judgement()) {
        Verdict::Banned(seconds) => seconds,
        Verdict::Full => NO_ROOM,
        Verdict::Waiting | Verdict::Noted | Verdict::Displaced | Verdict::TurnedAway => NOT_BANNED,
    }
}

const NOT_BANNED: u32 = 0;
/// Longer than any ban.
const NO_ROOM: u32 = u32::MAX;

impl Tables for Ledger {
    fn spread(&self, source: Address) -> u64 {
        spread(source, maps::HASH_SEED.load())
    }

    fn source(&mut self, source: Address) -> Option<&mut Source> {
        let record = maps::SOURCES.get_ptr_mut(source.words())?;
        // SAFETY: a pointer from a map look-up is valid until the program ends. Another processor may write the record
        // at the same time: it is integers only, every mixture of two records is valid, and none of them is read twice
        // to be relied upon.
        Some(unsafe { &mut *record })
    }

    #[expect(clippy::needless_borrows_for_generic_args, reason = "moved, it would lie on the stack before")]
    fn admit(&mut self, source: Address) -> Option<&mut Source> {
        // Where another processor was quicker, its record is the one.
        let _ = maps::SOURCES.insert(source.words(), &UNKNOWN, ONLY_NEW);
        self.source(source)
    }

    fn door(&mut self, spread: u64) -> Option<&mut Knock> {
        let place = u32::try_from(spread % u64::from(DOOR_PLACES)).unwrap_or_default();
        let knock = maps::DOOR.get_ptr_mut(place)?;
        // SAFETY: as above.
        Some(unsafe { &mut *knock })
    }

    fn weigh(&mut self, _: Address, trial: &Trial, circumstances: Option<Circumstances>) {
        let (cause, mark) = match circumstances {
            Some(Circumstances { reason: Reason { cause, mark }, .. }) => (cause.index(), mark.number()),
            None => (FORGOTTEN_CAUSE, 0),
        };
        let what = u32::from_le_bytes([self.door as u8, trial.kind.number(), cause, mark]);
        scanguard_weigh(what, trial.port.into(), trial.key, trial.at.0);
    }

    fn punish(&mut self, _: Address, (kind, mark): (Kind, Label), now: Seconds, _: &Judgement) -> Verdict {
        let what = u32::from_le_bytes([self.door as u8, kind.number(), mark.number(), 0]);
        match scanguard_punish(what, now.0) {
            NOT_BANNED => Verdict::Noted,
            NO_ROOM => Verdict::Full,
            seconds => Verdict::Banned(seconds),
        }
    }

    #[expect(clippy::needless_borrows_for_generic_args, reason = "moved, it would lie on the stack before")]
    fn write(&mut self, source: Address, entry: Entry) {
        let key = source.words();
        if maps::TRAILS.get_ptr_mut(key).is_none() {
            let _ = maps::TRAILS.insert(key, &EMPTY, ONLY_NEW);
        }
        if let Some(trail) = maps::TRAILS.get_ptr_mut(key) {
            // SAFETY: as above; people read it.
            unsafe { &mut *trail }.write(entry);
        }
    }

    fn spares(&mut self, source: Address) -> bool {
        allows(source) || maps::SPARED.get_ptr(source.words()).is_some()
    }

    fn last_ban(&mut self, source: Address) -> Option<Ban> {
        let ban = maps::BANNED.get_ptr(source.words())?;
        hint_at(source);
        // SAFETY: as above: it is copied once.
        Some(unsafe { ban.read() })
    }

    fn keep_ban(&mut self, source: Address, ban: Ban) -> bool {
        hint_at(source);
        maps::BANNED.insert(source.words(), ban, 0).is_ok()
    }
}
