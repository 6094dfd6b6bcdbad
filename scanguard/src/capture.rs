//! Reads captured frames from a pcap or pcapng file, one at a time, in memory that does not grow with the file.
//!
//! The library that takes the file apart is pcap-parser. pcap-file refuses every frame that was longer on the wire than
//! the snapshot length, and takes all times of a pcapng file for nanoseconds.

mod frame;
mod link;
mod source;
mod time;

use std::path::Path;

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use scanguard_common::time::Nanos;

use crate::error::Error;
pub(crate) use frame::{CapturedFrame, Way};
use link::Link;
use source::{Failure, Source};
use time::Resolution;

/// One frame of a capture.
pub(crate) struct Record<'a> {
    /// When it was captured: nanoseconds since 1970, never earlier than the record before it.
    pub(crate) time: Nanos,
    /// What was captured of it.
    pub(crate) frame: CapturedFrame<'a>,
}

/// Why a capture cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where the part begins that could not be read: bytes from the start of the file.
    pub(crate) at: u64,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// An open capture file.
pub(crate) struct Capture {
    reader: Box<dyn PcapReaderIterator + Send>,
    failure: Failure,
    /// Those of the current section, in their order. A pcap file has one.
    interfaces: Vec<Interface>,
    big_endian: bool,
    /// How much of the buffer the block takes that was read last.
    block: usize,
    now: Nanos,
    unsupported: u64,
}

/// What the file says of one interface.
#[derive(Clone, Copy)]
struct Interface {
    link: Option<Link>,
    resolution: Resolution,
    /// How many bytes of a frame were kept at most; 0 for all.
    snapshot: u32,
}

/// Where a frame lies in the block that was read, and what goes with it.
#[derive(Clone, Copy)]
struct Found {
    start: usize,
    captured: usize,
    wire: usize,
    time: Nanos,
    link: Link,
    way: Option<Way>,
}

/// What one block turned out to be.
enum Step {
    Frame(Found),
    /// Anything else: the header of the file, of a section or of an interface, statistics, comments.
    Other,
    Incomplete,
    End,
    Damaged(String),
}

/// How much is read at a time. Where a frame does not fit, there will be more room.
const BUFFER: usize = 1 << 16;
/// How much a single block may take: more than that is a length out of nowhere.
const LARGEST_BLOCK: usize = 1 << 24;

impl Capture {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableCapture`] where it cannot be read, [`Error::UnsupportedCapture`] where it is no capture, or
    /// one of a network that is not understood.
    pub(crate) fn open(path: &Path) -> Result<Capture, Error> {
        match Source::open(path) {
            Ok((source, failure)) => Capture::of(source, failure, path),
            Err(error) => Err(Error::unreadable_capture(path, &error)),
        }
    }

    /// Begins to read what is called so.
    fn of(source: Source, failure: Failure, path: &Path) -> Result<Capture, Error> {
        let unsupported = |what: &str| Error::UnsupportedCapture { path: path.into(), what: what.to_owned() };
        let reader = create_reader(BUFFER, source).map_err(|error| match (error, failure.take()) {
            (_, Some(error)) => Error::unreadable_capture(path, &error),
            (PcapError::Eof, None) => unsupported("is empty"),
            (PcapError::Incomplete(_), None) => unsupported("ends within its first header"),
            (_, None) => unsupported("is neither pcap nor pcapng"),
        })?;
        let mut capture = Capture {
            reader,
            failure,
            interfaces: Vec::new(),
            big_endian: false,
            block: 0,
            now: Nanos(1), // to the engine, no time at all is time 0
            unsupported: 0,
        };
        capture.read_pcap_header().map_err(|link| unsupported(&format!("is of link type {link}")))?;
        Ok(capture)
    }

    /// The next frame, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The damage behind which nothing can be read any more.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, Damage> {
        let found = loop {
            self.reader.consume(std::mem::take(&mut self.block));
            match self.step() {
                Step::Frame(found) => break found,
                Step::Other => {}
                Step::Incomplete => self.refill()?,
                Step::End => return Ok(None),
                Step::Damaged(why) => return Err(self.damage(why)),
            }
        };
        self.now = self.now.max(found.time);
        let bytes = self.reader.data().get(found.start..).and_then(|data| data.get(..found.captured));
        let Some(bytes) = bytes else { return Err(self.damage("a frame is longer than its block".into())) };
        let frame = found.link.frame(bytes, found.wire, found.way);
        Ok(Some(Record { time: self.now, frame }))
    }

    /// How many frames were left out because the network they were captured on is not understood.
    pub(crate) fn unsupported(&self) -> u64 {
        self.unsupported
    }

    /// A pcap file says in its one header what all its frames are.
    fn read_pcap_header(&mut self) -> Result<(), i32> {
        let Ok((size, PcapBlockOwned::LegacyHeader(header))) = self.reader.next() else { return Ok(()) };
        // The upper bits tell of a frame check sequence.
        let number = header.network.0 & 0xffff;
        let resolution = Resolution::of_pcap(header.is_nanosecond_precision());
        let link = Link::of(number).ok_or(number)?;
        self.interfaces.push(Interface { link: Some(link), resolution, snapshot: header.snaplen });
        self.block = size;
        Ok(())
    }

    /// Looks at the next block.
    fn step(&mut self) -> Step {
        match self.reader.next() {
            Ok((size, block)) => {
                self.block = size;
                match block {
                    PcapBlockOwned::Legacy(record) => {
                        let Some(Interface { link: Some(link), resolution, .. }) = self.interfaces.first()
                        else {
                            return Step::Damaged("it has no header".into());
                        };
                        Step::Frame(Found {
                            start: size - record.data.len(),
                            captured: record.data.len(),
                            wire: on_the_wire(record.data, record.origlen),
                            time: resolution.seconds_and(record.ts_sec, record.ts_usec),
                            link: *link,
                            way: None,
                        })
                    }
                    PcapBlockOwned::LegacyHeader(_) => Step::Other,
                    PcapBlockOwned::NG(block) => {
                        let (interfaces, now) = (&mut self.interfaces, self.now);
                        let (big_endian, unsupported) = (&mut self.big_endian, &mut self.unsupported);
                        section(&block, interfaces, big_endian, now, unsupported)
                    }
                }
            }
            Err(PcapError::Eof) => Step::End,
            Err(PcapError::Incomplete(_) | PcapError::BufferTooSmall) => Step::Incomplete,
            Err(PcapError::UnexpectedEof) => Step::Damaged("it ends within a record".into()),
            Err(_) => Step::Damaged("a block contradicts itself".into()),
        }
    }

    /// Reads on, with more room if there is none left.
    fn refill(&mut self) -> Result<(), Damage> {
        let before = self.reader.data().len();
        if self.reader.refill().is_err() {
            let why =
                self.failure.take().map_or_else(|| "it cannot be read".into(), |error| error.to_string());
            return Err(self.damage(why));
        }
        if self.reader.data().len() > before || self.reader.reader_exhausted() {
            return Ok(());
        }
        // The buffer is full, so the block is either longer than that or shorter than what it claims to contain.
        if before < LARGEST_BLOCK && self.reader.grow(2 * before.max(BUFFER)) {
            return Ok(());
        }
        Err(self.damage("the length of a record cannot be true".into()))
    }

    fn damage(&self, why: String) -> Damage {
        Damage { at: self.reader.consumed() as u64, why }
    }
}

/// Looks at one block of a pcapng file.
fn section(
    block: &Block<'_>,
    interfaces: &mut Vec<Interface>,
    big_endian: &mut bool,
    now: Nanos,
    unsupported: &mut u64,
) -> Step {
    /// What stands in a packet block before the frame.
    const BEFORE_ENHANCED: usize = 28;
    const BEFORE_SIMPLE: usize = 12;

    let mut found = |interface: Option<&Interface>, start, data: &[u8], wire, time, way| match interface {
        None => Step::Damaged("a frame belongs to no interface".into()),
        Some(Interface { link: None, .. }) => {
            *unsupported += 1;
            Step::Other
        }
        Some(Interface { link: Some(link), .. }) => {
            let (captured, wire) = (data.len(), on_the_wire(data, wire));
            Step::Frame(Found { start, captured, wire, time, link: *link, way })
        }
    };
    match block {
        Block::SectionHeader(header) => {
            interfaces.clear();
            *big_endian = header.big_endian();
            Step::Other
        }
        Block::InterfaceDescription(description) => {
            let Linktype(number) = description.linktype;
            let resolution = Resolution::of_interface(&description.options, *big_endian);
            interfaces.push(Interface { link: Link::of(number), resolution, snapshot: description.snaplen });
            Step::Other
        }
        Block::EnhancedPacket(packet) => {
            let interface = usize::try_from(packet.if_id).ok().and_then(|number| interfaces.get(number));
            let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let time = interface.map_or(now, |interface| interface.resolution.units(units));
            let Some(data) = packet.data.get(..packet.caplen as usize) else {
                return Step::Damaged("a frame is longer than its block".into());
            };
            let way = Way::of_flags(&packet.options, *big_endian);
            found(interface, BEFORE_ENHANCED, data, packet.origlen, time, way)
        }
        Block::SimplePacket(packet) => {
            let interface = interfaces.first();
            let kept = interface.map_or(0, |interface| interface.snapshot);
            let kept = if kept == 0 { packet.origlen } else { packet.origlen.min(kept) };
            let data = packet.data.get(..kept as usize).unwrap_or(packet.data);
            found(interface, BEFORE_SIMPLE, data, packet.origlen, now, None)
        }
        Block::NameResolution(_)
        | Block::InterfaceStatistics(_)
        | Block::SystemdJournalExport(_)
        | Block::DecryptionSecrets(_)
        | Block::ProcessInformation(_)
        | Block::Custom(_)
        | Block::Unknown(_) => Step::Other,
    }
}

/// How long a frame was. No less than what was captured of it, whatever the file says.
fn on_the_wire(captured: &[u8], told: u32) -> usize {
    captured.len().max(told as usize)
}

#[cfg(test)]
mod tests;
