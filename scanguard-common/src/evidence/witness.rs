//! What is done with one contact: who made it, what it adds to what is known, and whether that is enough for a ban.

use super::kind::{Kind, Weights};
use super::knock::{Knock, Visitor};
use super::source::{PENDING, Source};
use super::trail::Entry;
use crate::ban::Ban;
use crate::classify::signature::Label;
use crate::key::{Address, spread_port};
use crate::mark::Reason;
use crate::parse::Packet;
use crate::parse::network::IpProtocol;
use crate::parse::transport::{Port, Transport};
use crate::policy::Judgement;
use crate::time::Seconds;

/// One contact, and how it ended: a trial of the hypothesis that its source is a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How it ended.
    pub kind: Kind,
    /// To which port; 0 where its protocol has none.
    pub port: u16,
    /// Which contact it is: destination, protocol and port, spread over 32 bits.
    pub key: u32,
    /// When it ended.
    pub at: Seconds,
}

impl Trial {
    /// The trial that was made at a port of one of our addresses, by this protocol, under the seed of all hashes.
    pub fn new(
        kind: Kind,
        destination: Address,
        IpProtocol(protocol): IpProtocol,
        Port(port): Port,
        at: Seconds,
        seed: u64,
    ) -> Trial {
        let [k0, k1, k2, k3, ..] = spread_port(destination, protocol, port, seed).to_le_bytes();
        Trial { kind, port, key: u32::from_le_bytes([k0, k1, k2, k3]), at }
    }
}

/// One contact, and who made it how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who made it: see [`Packet::sender`].
    pub source: Address,
    /// How it ended.
    pub trial: Trial,
    /// What is known of its packet.
    pub circumstances: Circumstances,
}

/// What is known of a contact's packet, beside how the contact ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// By which protocol it came.
    pub protocol: IpProtocol,
    /// Why it passed or was dropped, and whose mark it bears.
    pub reason: Reason,
}

impl Contact {
    /// The contact that `packet` makes, which came in, or would have: an answer has to be turned round before.
    pub fn new(packet: &Packet, kind: Kind, reason: Reason, now: Seconds, seed: u64) -> Contact {
        let Transport { ports, protocol, .. } = packet.transport;
        let trial = Trial::new(kind, packet.destination, protocol, ports.destination, now, seed);
        Contact { source: packet.sender(), trial, circumstances: Circumstances { protocol, reason } }
    }
}

/// Whether a contact is for a port by which the way to this host is traced: traceroute sends to another one each time, from
/// 33434 on, which IANA has assigned to it, and tracepath from 44444 on. It wants them to be closed.
pub fn traces_a_route(protocol: u8, port: u16) -> bool {
    const UDP: u32 = (IpProtocol::UDP.0 as u32) << 16;

    // Both at once, so that it is one fork in the way of the verifier, which then knows of neither.
    let whither = u32::from(protocol) << 16 | u32::from(port);
    (UDP + 33_434..=UDP + 33_534).contains(&whither) || (UDP + 44_444..=UDP + 44_544).contains(&whither)
}

/// Where evidence is kept. Whatever is not there, or finds no room, is `None`.
pub trait Tables {
    /// The spread of a source, which chooses its place at the door.
    fn spread(&self, source: Address) -> u64;

    /// What is known of a source.
    fn source(&mut self, source: Address) -> Option<&mut Source>;

    /// Makes room for a source of which nothing is known: [`Source::UNKNOWN`]. Where there is a record, that is the one.
    fn admit(&mut self, source: Address) -> Option<&mut Source>;

    /// The place at the door for this spread.
    fn door(&mut self, spread: u64) -> Option<&mut Knock>;

    /// Adds one trial to what is known of its source: [`weigh_in`], by which a program calls a function that the verifier
    /// reads once.
    fn weigh(&mut self, source: Address, trial: &Trial, circumstances: Option<Circumstances>) {
        weigh_in(self, source, trial, circumstances);
    }

    /// Bans a source for a contact of this kind and mark, if it may be banned: [`punish_in`], as above.
    fn punish(&mut self, source: Address, why: (Kind, Label), now: Seconds, rules: &Judgement) -> Verdict {
        punish_in(self, source, why, now, rules)
    }

    /// Writes down what moved a score.
    fn write(&mut self, source: Address, entry: Entry);

    /// Whether a source is never to be banned: it is allowed, or this host depends on it. Link-local sources are never
    /// banned anyway.
    fn spares(&mut self, source: Address) -> bool;

    /// The last ban of a source.
    fn last_ban(&mut self, source: Address) -> Option<Ban>;

    /// Keeps a ban: false where there is no room.
    fn keep_ban(&mut self, source: Address, ban: Ban) -> bool;
}

/// What came of a contact, as far as others should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The source has no record: it waits at the door for a second contact.
    Waiting,
    /// Nothing else that others need to know.
    Noted,
    /// The source was a stranger, and another who had come less than [`CROWDED_WITHIN`](super::CROWDED_WITHIN) seconds
    /// before was forgotten for it.
    Displaced,
    /// The source was one too many of a crowd: it was not looked at.
    TurnedAway,
    /// The source is banned from now on, for so many seconds.
    Banned(u32),
    /// The source should have been banned, but the table of bans is full.
    Full,
}

/// Takes a contact in.
#[inline(always)] // one frame on the BPF stack less than a call, where three of them and the caller's have to fit
pub fn witness<T: Tables>(tables: &mut T, contact: &Contact, rules: &Judgement) -> Verdict {
    if traces_a_route(contact.circumstances.protocol.0, contact.trial.port) {
        return Verdict::Noted;
    }
    let spread = tables.spread(contact.source);
    if !is_recorded(tables, contact, spread) {
        // A contact that is enough by itself needs no record.
        if Weights::against(contact.trial.kind) >= rules.threshold {
            return punish(tables, contact, rules);
        }
        match introduce(tables, contact, spread) {
            Introduction::Known => {}
            Introduction::Crowd => return Verdict::Displaced,
            Introduction::Waits => return Verdict::Waiting,
            Introduction::TurnedAway => return Verdict::TurnedAway,
        }
    }
    if is_over(tables, contact, rules) { punish(tables, contact, rules) } else { Verdict::Noted }
}

/// Whether a trial of a source is one too many of a crowd, so that whatever else could be found out of it need not be.
pub fn is_turned_away<T: Tables>(tables: &mut T, source: Address, trial: &Trial, rules: &Judgement) -> bool {
    greet_stranger(tables, source, trial, rules) == Some(Visitor::TurnedAway)
}

/// The same where a crowd is known to try the very port: whoever repeats what he did need not be looked at once more either.
pub fn is_lost_in_a_crowd<T: Tables>(
    tables: &mut T,
    source: Address,
    trial: &Trial,
    rules: &Judgement,
) -> bool {
    matches!(greet_stranger(tables, source, trial, rules), Some(Visitor::TurnedAway | Visitor::Same))
}

/// Who a source is to the doorkeeper; `None` where one of its place may have a record, or the trial is enough for a ban by
/// itself: then it does not matter.
#[inline(always)] // one frame on the BPF stack less
fn greet_stranger<T: Tables>(
    tables: &mut T,
    source: Address,
    trial: &Trial,
    rules: &Judgement,
) -> Option<Visitor> {
    let Trial { kind, key, at, .. } = *trial;
    let spread = tables.spread(source);
    let place = tables.door(spread)?;
    let matters = !place.may_be_recorded(at) && Weights::against(kind) < rules.threshold;
    matters.then(|| place.greet(spread, key, at))
}

/// Whether the source has a record. Where the door knows of none, it is not looked for.
fn is_recorded<T: Tables>(tables: &mut T, contact: &Contact, spread: u64) -> bool {
    let now = contact.trial.at;
    let is_recorded = tables.door(spread).is_some_and(|place| place.may_be_recorded(now))
        && tables.source(contact.source).is_some();
    if is_recorded && let Some(place) = tables.door(spread) {
        place.saw_recorded(now);
    }
    is_recorded
}

enum Introduction {
    /// The source has a record now.
    Known,
    /// It waits at the door, in the place of another who had just come.
    Crowd,
    /// It waits at the door, or found no room anywhere.
    Waits,
    /// It was one too many of a crowd.
    TurnedAway,
}

/// What the doorkeeper does with a source that has no record.
#[inline(always)] // one frame on the BPF stack less
fn introduce<T: Tables>(tables: &mut T, contact: &Contact, spread: u64) -> Introduction {
    let Some(place) = tables.door(spread) else { return Introduction::Waits };
    match place.greet(spread, contact.trial.key, contact.trial.at) {
        // Whoever was only ever answered needs no record.
        Visitor::Stranger { .. } | Visitor::TurnedAway | Visitor::Known
            if contact.trial.kind == Kind::Answered =>
        {
            Introduction::Waits
        }
        Visitor::Stranger { crowds } => {
            place.let_in(spread, &contact.trial);
            if crowds { Introduction::Crowd } else { Introduction::Waits }
        }
        Visitor::Same => {
            place.ended(contact.trial.kind);
            Introduction::Waits
        }
        Visitor::TurnedAway => Introduction::TurnedAway,
        Visitor::Known => {
            let first = place.first();
            place.admit(contact.trial.at);
            let Some(record) = tables.admit(contact.source) else { return Introduction::Waits };
            record.begin(first.at);
            tables.weigh(contact.source, &first, None);
            Introduction::Known
        }
    }
}

/// Adds a contact to what is known of its source: whether that is enough.
#[inline(always)] // as above
fn is_over<T: Tables>(tables: &mut T, contact: &Contact, rules: &Judgement) -> bool {
    let now = contact.trial.at;
    let Some(record) = tables.source(contact.source) else { return false };
    record.pass_time(now, rules.half_life);
    for place in 0..PENDING {
        let overdue = tables.source(contact.source).and_then(|record| record.take_overdue(place, now));
        if let Some(overdue) = overdue {
            tables.weigh(contact.source, &overdue, None);
        }
    }
    if contact.circumstances.reason.mark != Label::NONE {
        recognise(tables, contact);
    }
    let Some(record) = tables.source(contact.source) else { return false };
    // What this side says by UDP is an answer only to whoever has asked.
    let is_answer = contact.trial.kind != Kind::Answered
        || contact.circumstances.protocol == IpProtocol::TCP
        || record.awaits(contact.trial.key);
    if is_answer {
        tables.weigh(contact.source, &contact.trial, Some(contact.circumstances));
    }
    tables.source(contact.source).is_some_and(|record| record.score() >= rules.threshold)
}

/// Notes which tool the source may use, and writes that down if it moved the score.
fn recognise<T: Tables>(tables: &mut T, contact: &Contact) {
    let Some(record) = tables.source(contact.source) else { return };
    let before = record.score();
    record.recognise(contact.circumstances.reason.mark, contact.trial.kind);
    if record.score() != before {
        let entry = Entry::new(&Trial { kind: Kind::Signature, ..contact.trial }, [before, record.score()]);
        tables.write(contact.source, entry.of(contact.circumstances));
    }
}

/// Adds one trial to the score, and writes it down if that moved it; what its packet was is forgotten where it was long ago.
pub fn weigh_in<T: Tables + ?Sized>(
    tables: &mut T,
    source: Address,
    trial: &Trial,
    circumstances: Option<Circumstances>,
) {
    let Some(record) = tables.source(source) else { return };
    let before = record.score();
    if record.take(trial) {
        let entry = Entry::new(trial, [before, record.score()]);
        tables.write(source, circumstances.map_or(entry, |circumstances| entry.of(circumstances)));
    }
}

fn punish<T: Tables>(tables: &mut T, contact: &Contact, rules: &Judgement) -> Verdict {
    let Contact { source, trial, circumstances } = contact;
    tables.punish(*source, (trial.kind, circumstances.reason.mark), trial.at, rules)
}

/// Bans a source for a contact of this kind and mark, or for what is known of it: unless it is banned already, or never to be.
pub fn punish_in<T: Tables + ?Sized>(
    tables: &mut T,
    source: Address,
    (mut kind, mut label): (Kind, Label),
    now: Seconds,
    rules: &Judgement,
) -> Verdict {
    if let Some(record) = tables.source(source) {
        (kind, label) = (record.kind(), record.label());
        // Also while a ban holds, or who is never banned: what was judged once is not judged again.
        record.forgive();
    }
    let last = tables.last_ban(source).unwrap_or_default();
    if last.holds(now) || source.is_link_local() || tables.spares(source) {
        return Verdict::Noted;
    }
    let ban = last.again(kind, label, rules.terms, now);
    if tables.keep_ban(source, ban) { Verdict::Banned(ban.until().since(ban.since())) } else { Verdict::Full }
}
