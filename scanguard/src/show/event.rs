//! One event.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::classify::signature::Signature;
use scanguard_common::event::{Event, News};
use serde::Serialize;

use super::{Show, json_line};
use crate::clock::rfc3339;
use crate::output::Printable;
use crate::prefix;

/// An event, as it is told.
#[derive(Serialize)]
pub(crate) struct Told {
    time: String,
    interface: String,
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'static str>,
    source: IpAddr,
    source_port: u16,
    destination: IpAddr,
    destination_port: u16,
    flags: String,
    sequence: u32,
    window: u16,
    news: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    folded: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<u32>,
}

impl Told {
    /// What happened at this time on the interface of this name.
    pub(crate) fn new(event: &Event, time: SystemTime, interface: String) -> Told {
        let mut sources = None;
        let (news, folded, seconds) = match event.news() {
            Some(News::Dropped { folded }) => ("dropped", Some(folded), None),
            Some(News::Banned { seconds }) => ("banned", None, Some(seconds)),
            Some(News::BansFull) => ("bans-full", None, None),
            Some(News::Crowded) => ("crowded", None, None),
            Some(News::NetworkBanned { seconds }) => ("network-banned", None, Some(seconds)),
            Some(News::Shared { sources: counted }) => {
                sources = Some(counted);
                ("shared", None, None)
            }
            None => ("unknown", None, None),
        };
        Told {
            time: rfc3339(time),
            interface,
            cause: event.cause().map_or("unknown", |cause| cause.name()),
            tool: event.mark().signature().map(Signature::name),
            source: prefix::address(event.source()),
            source_port: event.source_port(),
            destination: prefix::address(event.destination()),
            destination_port: event.destination_port(),
            flags: letters(event.flags()),
            sequence: event.sequence(),
            window: event.window(),
            news,
            folded,
            seconds,
            sources,
        }
    }
}

impl Show for Told {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let Told { time, cause, flags, sequence, window, .. } = self;
        let interface = Printable(&self.interface);
        let source = with_port(self.source, self.source_port);
        let destination = with_port(self.destination, self.destination_port);
        let flags = if flags.is_empty() { "none" } else { flags };
        write!(
            out,
            "{time} {interface} {cause} {source} → {destination} flags {flags} seq {sequence} win {window}"
        )?;
        if let Some(tool) = self.tool {
            write!(out, " tool {tool}")?;
        }
        match (self.news, self.folded, self.seconds.or(self.sources)) {
            ("dropped", None | Some(0), _) => {}
            (_, Some(folded), _) => write!(out, " (and {folded} before it)")?,
            ("banned", _, Some(seconds)) => {
                let length = humantime::format_duration(Duration::from_secs(seconds.into()));
                write!(out, ": {} is banned for {length}", self.source)?;
            }
            ("network-banned", _, Some(seconds)) => {
                let length = humantime::format_duration(Duration::from_secs(seconds.into()));
                write!(out, ": {} is banned for {length}", prefix::Prefix::of_network(self.source))?;
            }
            ("shared", _, Some(sources)) => {
                write!(out, ": a scan that {sources} sources share, or more; see `scanguard sources`")?;
            }
            ("bans-full", ..) => write!(out, ": {} is not banned: no more can be", self.source)?,
            (news, ..) => write!(out, ": {news}")?,
        }
        writeln!(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}

pub(super) fn with_port(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}

/// One letter for each flag that is set: those of the six old ones, E and C for congestion notification, A for
/// AE written as N (its old name, the nonce sum), and r for each reserved bit.
fn letters(flags: u16) -> String {
    const LETTERS: [(u16, char); 9] = [
        (TcpFlags::FIN, 'F'),
        (TcpFlags::SYN, 'S'),
        (TcpFlags::RST, 'R'),
        (TcpFlags::PSH, 'P'),
        (TcpFlags::ACK, 'A'),
        (TcpFlags::URG, 'U'),
        (TcpFlags::ECE, 'E'),
        (TcpFlags::CWR, 'C'),
        (TcpFlags::AE, 'N'),
    ];
    let known = LETTERS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| *letter);
    let reserved = (flags & TcpFlags::RESERVED).count_ones();
    known.chain((0..reserved).map(|_| 'r')).collect()
}

#[cfg(test)]
mod tests {
    use scanguard_common::cause::Cause;
    use scanguard_common::event::EVENT_LENGTH;

    use super::*;
    use crate::show::shown;

    /// The bytes that the program writes, laid out by hand.
    fn told(folded: u32, source: [u8; 16]) -> Told {
        let mut bytes = Vec::new();
        bytes.extend(0u64.to_ne_bytes());
        bytes.extend(folded.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(source);
        bytes.extend(source);
        bytes.extend(40_000u16.to_ne_bytes());
        bytes.extend(22u16.to_ne_bytes());
        bytes.extend((TcpFlags::FIN | TcpFlags::PSH | TcpFlags::URG).to_ne_bytes());
        bytes.extend(1024u16.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.push(Cause::TcpXmas.index());
        bytes.resize(EVENT_LENGTH, 0);
        let event = Event::from_bytes(&bytes).expect("as long as an event");
        Told::new(&event, SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_210_096), "eth0".into())
    }

    const V4: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
    const V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(
            shown(&told(0, V4), false),
            "2024-02-29T12:34:56.000000Z eth0 tcp-xmas 192.0.2.1:40000 → 192.0.2.1:22 flags FPU seq 7 win 1024\n"
        );
        assert_eq!(
            shown(&told(3, V6), false),
            "2024-02-29T12:34:56.000000Z eth0 tcp-xmas [2001:db8::1]:40000 → [2001:db8::1]:22 flags FPU seq 7 \
             win 1024 (and 3 before it)\n"
        );
    }

    #[test]
    fn json_has_every_field() {
        assert_eq!(
            shown(&told(3, V4), true),
            "{\"time\":\"2024-02-29T12:34:56.000000Z\",\"interface\":\"eth0\",\"cause\":\"tcp-xmas\",\
             \"source\":\"192.0.2.1\",\"source_port\":40000,\"destination\":\"192.0.2.1\",\
             \"destination_port\":22,\"flags\":\"FPU\",\"sequence\":7,\"window\":1024,\"news\":\"dropped\",\"folded\":3}\n"
        );
    }

    #[test]
    fn each_flag_has_its_letter() {
        assert_eq!(letters(0), "");
        assert_eq!(letters(0x012), "SA");
        assert_eq!(letters(0xfff), "FSRPAUECNrrr");
    }
}
