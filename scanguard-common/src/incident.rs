//! Scans that are shared: many sources, few ports each, against one destination.
//!
//! Each of the sources stays under the threshold that would ban it, and none of them is banned for what the others do.
//! What they do together shows at the destination: within one window of time, attempts at many different ports, all of
//! them in vain, by many different sources. So each destination has a record of the present window, of fixed size,
//! which only failed contacts touch: whatever is answered pays nothing for it.
//!
//! # What makes an incident
//!
//! [`PORTS`] ports, and [`SOURCES`] sources more than were banned. Whoever stays below the threshold of the most
//! tolerant preset fails [`FEW`] times at the most; those who fail more often are scanners by themselves, and their
//! further attempts do not count here. So fewer than [`SOURCES`] sources never make an incident, whatever the preset.
//!
//! Clients that are misdirected meet few ports: those of a service that has gone, of an address that was another's
//! before. However many they are, an incident takes [`PORTS`] different ones. Where ports that were not tried yet come
//! by chance, μ of them in a window on average, Chernoff's bound for the Poisson distribution holds: no more than one
//! window in e^(μ−k)·(k/μ)^k has k of them or more. With k = [`PORTS`] that is one in 5·10¹⁰ for μ = 64, which is six
//! new ports a minute, and one in 37 for μ = 100.
//!
//! In turn, whoever shares a scan among enough sources, and reaches twice [`PORTS`] in any span of [`WINDOW`], is always
//! found; and so is whoever goes on for longer at half that rate.

mod census;
mod share;

pub use census::Census;
pub use share::{Prefix, SHARES, Share, Shares};

use crate::evidence::traces_a_route;
use crate::key::{Address, spread, spread_port};
use crate::parse::Packet;
use crate::time::Seconds;

/// How long a window lasts, in seconds: it begins with an attempt.
pub const WINDOW: u32 = 600;

/// At how many ports a scan that is shared is recognised.
pub const PORTS: u32 = 128;

/// How many sources it takes that are not banned.
pub const SOURCES: u32 = 16;

/// How many failed contacts of one source count.
pub const FEW: u16 = 8;

/// What was tried in vain at one destination within one window.
///
/// Two processors may write it at the same time: every mixture of two records is a valid one, and what is lost of an
/// attempt makes the counts too low by it, never too high.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    begun: u32,
    last: u32,
    recognised: u32,
    continues: u32,
    attempts: u32,
    banned: u32,
    /// How many places of `ports` and of `sources` are taken: counting them takes too long for each packet.
    taken: [u32; 2],
    lowest: u16,
    highest: u16,
    shares: Shares,
    prefixes: Census<256>,
    sources: Census<512>,
    ports: Census<1_024>,
}

const _: () = assert!(size_of::<Target>() == 36 + size_of::<Shares>() + 256 + 512 + 1_024);

impl Target {
    /// A window in which nothing was tried yet.
    pub const EMPTY: Target = Target {
        begun: 0,
        last: 0,
        recognised: 0,
        continues: 0,
        attempts: 0,
        banned: 0,
        taken: [0; 2],
        lowest: u16::MAX,
        highest: 0,
        shares: Shares::NONE,
        prefixes: Census::EMPTY,
        sources: Census::EMPTY,
        ports: Census::EMPTY,
    };

    /// Takes an attempt in: whether it made this an incident, that is not the continuation of one.
    fn take(&mut self, attempt: &Attempt, seed: u64) -> bool {
        if self.begun == 0 {
            self.begun = attempt.at.0;
        }
        self.last = attempt.at.0;
        self.attempts = self.attempts.saturating_add(1);
        self.banned = self.banned.saturating_add(attempt.bans.into());
        // The same port of another destination has the same place, so that both can be counted together.
        let port = spread_port(NOWHERE, attempt.protocol, attempt.port, seed);
        let [ports, sources] = &mut self.taken;
        if self.ports.enter(port) {
            *ports = ports.saturating_add(1);
        }
        // Also of a port that shares its place with another.
        if attempt.port != 0 {
            self.lowest = self.lowest.min(attempt.port);
            self.highest = self.highest.max(attempt.port);
        }
        if self.sources.enter(spread(attempt.source, seed)) {
            *sources = sources.saturating_add(1);
            let prefix = Prefix::of(attempt.source);
            self.prefixes.enter(spread(prefix.address(), seed));
            self.shares.count(prefix);
        }
        self.is_recognised_at(attempt.at) && self.continues == 0
    }

    /// Whether it has become an incident just now.
    fn is_recognised_at(&mut self, now: Seconds) -> bool {
        let [ports, sources] = self.taken;
        let is_shared = ports >= PORTS && sources.saturating_sub(self.banned) >= SOURCES;
        let is_news = is_shared && self.recognised == 0;
        if is_news {
            self.recognised = now.0.max(1);
        }
        is_news
    }

    /// Whether the window has ended.
    fn is_over(&self, now: Seconds) -> bool {
        now.since(Seconds(self.begun)) >= WINDOW && self.begun != 0
    }

    /// Whether a window that begins now continues the incident of this one.
    fn goes_on(&self, now: Seconds) -> bool {
        self.is_incident() && now.since(self.last()) < WINDOW
    }

    /// Whether a scan was recognised in it that is shared.
    pub fn is_incident(&self) -> bool {
        self.recognised != 0
    }

    /// Whether an incident was recognised before it, and had not ended when this window began.
    pub fn continues(&self) -> bool {
        self.continues != 0
    }

    /// When the first attempt was.
    pub fn begun(&self) -> Seconds {
        Seconds(self.begun)
    }

    /// When the last attempt was.
    pub fn last(&self) -> Seconds {
        Seconds(self.last)
    }

    /// How many attempts there were: whoever repeats one makes another.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many sources were banned by what they tried here.
    pub fn banned(&self) -> u32 {
        self.banned
    }

    /// The lowest and the highest port that was tried; `None` where no protocol had ports.
    pub fn range(&self) -> Option<[u16; 2]> {
        (self.lowest <= self.highest).then_some([self.lowest, self.highest])
    }

    /// The ports that were tried: those of each protocol by themselves, and a protocol without ports as one.
    pub fn ports(&self) -> &Census<1_024> {
        &self.ports
    }

    /// Who tried: over IPv6 by their /64.
    pub fn sources(&self) -> &Census<512> {
        &self.sources
    }

    /// In which [`Prefix`]es those are.
    pub fn prefixes(&self) -> &Census<256> {
        &self.prefixes
    }

    /// The prefixes with the most sources.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// How many sources there were for certain when it was recognised, and since.
    fn sources_seen(&self) -> u32 {
        let [_, sources] = self.taken;
        sources
    }
}

/// The address under which a port is counted, whatever its destination.
const NOWHERE: Address = Address::v4([0; 4]);

/// An incident of which the record is kept: where it was, and when its window began.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    /// Whom it was against.
    pub destination: Address,
    /// When its window began.
    pub begun: u32,
}

const _: () = assert!(size_of::<Past>() == 20);

/// One contact that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who made it: see [`Packet::sender`].
    pub source: Address,
    /// Whom it was for.
    pub destination: Address,
    /// By which protocol.
    pub protocol: u8,
    /// For which port; 0 where the protocol has none.
    pub port: u16,
    /// When.
    pub at: Seconds,
    /// Whether its source was banned for it.
    pub bans: bool,
}

impl Attempt {
    /// What `packet` tried, which came in, or would have: an answer has to be turned round before.
    pub fn new(packet: &Packet, bans: bool, now: Seconds) -> Attempt {
        Attempt {
            source: packet.sender(),
            destination: packet.destination,
            protocol: packet.transport.protocol.0,
            port: packet.transport.ports.destination.0,
            at: now,
            bans,
        }
    }
}

/// Where targets are kept. Whatever is not there, or finds no room, is `None`.
pub trait Targets {
    /// How many contacts of the source have failed, this one included; 0 where it is not under observation.
    fn failures(&mut self, source: Address) -> u16;

    /// The record of a destination.
    fn target(&mut self, destination: Address) -> Option<&mut Target>;

    /// Begins a new window for a destination: [`Target::EMPTY`].
    fn renew(&mut self, destination: Address) -> Option<&mut Target>;

    /// Keeps the record of a destination, which is about to begin a new window.
    fn archive(&mut self, destination: Address);
}

/// Takes an attempt in: how many sources there are at the least, where it has made an incident.
#[inline(always)] // as of `witness`
pub fn attempt<T: Targets>(targets: &mut T, attempt: &Attempt, seed: u64) -> Option<u32> {
    if traces_a_route(attempt.protocol, attempt.port) || targets.failures(attempt.source) > FEW {
        return None;
    }
    let destination = attempt.destination;
    let mut goes_on = false;
    let mut is_current = false;
    if let Some(target) = targets.target(destination) {
        is_current = !target.is_over(attempt.at);
        goes_on = target.goes_on(attempt.at);
        if !is_current && target.is_incident() {
            targets.archive(destination);
        }
    }
    if !is_current {
        targets.renew(destination)?.continues = goes_on.into();
    }
    let target = targets.target(destination)?;
    target.take(attempt, seed).then(|| target.sources_seen())
}
