//! One captured frame, as the engine reads it: Ethernet, whatever it was captured as.

use pcap_parser::{OptionCode, PcapNGOption};
use scanguard_common::frame::Frame;

/// Which way a frame went, where the capture says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To this host, or past it.
    In,
    /// From this host.
    Out,
}

impl Way {
    /// What `epb_flags` say (draft-ietf-opsawg-pcapng §4.3.1), if they are there.
    pub(super) fn of_flags(options: &[PcapNGOption<'_>], big_endian: bool) -> Option<Way> {
        let flags = options.iter().find(|option| option.code == OptionCode(2))?.value().first_chunk()?;
        let flags = if big_endian { u32::from_be_bytes(*flags) } else { u32::from_le_bytes(*flags) };
        match flags & 3 {
            1 => Some(Way::In),
            2 => Some(Way::Out),
            _ => None,
        }
    }
}

/// The length of an Ethernet header.
pub(super) const HEADER: usize = 14;

/// What was captured of one frame, behind an Ethernet header where it had none of its own.
#[derive(Clone, Copy)]
pub(crate) struct CapturedFrame<'a> {
    pub(super) made_up: Option<[u8; HEADER]>,
    pub(super) bytes: &'a [u8],
    pub(super) length: usize,
    pub(super) way: Option<Way>,
    pub(super) overheard: bool,
}

impl CapturedFrame<'_> {
    /// Which way it went, where the capture says so.
    pub(crate) fn way(&self) -> Option<Way> {
        self.way
    }

    /// Whether the capture says that it was for another station.
    pub(crate) fn is_overheard(&self) -> bool {
        self.overheard
    }

    /// Whether the capture has less of it than the wire had.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.captured() < self.length
    }

    /// All of it in one piece, with zeros for what was not captured.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        let mut all = self.made_up.map_or_else(Vec::new, Vec::from);
        all.extend(self.bytes);
        all.resize(self.length, 0);
        all
    }

    fn captured(&self) -> usize {
        self.made_up.map_or(0, |header| header.len()) + self.bytes.len()
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        match self.made_up {
            Some(header) if offset < HEADER => header.get(offset).copied(),
            Some(_) => self.bytes.get(offset - HEADER).copied(),
            None => self.bytes.get(offset).copied(),
        }
    }
}

impl Frame for CapturedFrame<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        match self.made_up {
            None => self.bytes.read(offset),
            Some(_) if offset >= HEADER => self.bytes.read(offset - HEADER),
            Some(_) => {
                let mut read = [0; N];
                for (place, at) in read.iter_mut().zip(offset..) {
                    *place = self.byte(at)?;
                }
                Some(read)
            }
        }
    }

    fn length(&self) -> usize {
        self.length
    }
}
