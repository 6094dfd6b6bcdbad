//! One conversation of the host, as far as its packets tell.
//!
//! It follows the states of RFC 9293 §3.3.2 as Linux keeps them, but for what nobody outside can see.

use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::time::Nanos;

/// What is known of a flow in which this side has spoken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    stage: Stage,
    /// When it was last heard of.
    touched: Nanos,
    /// When this side last spoke.
    pub(super) spoken: Nanos,
    /// Whether this side has sent more than an answer to a SYN: no probe of an open port gets that far.
    pub(super) carried: bool,
}

/// How far a TCP connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// This side sent SYN.
    Asked,
    /// This side sent SYN/ACK.
    Answered,
    /// Both sides talk.
    Open,
    /// The other side has sent FIN.
    PeerEnded,
    /// This side has sent FIN.
    Ended,
    /// Both have, the other side first: the last ACK is missing.
    LastAck,
    /// Both have, this side first.
    TimeWait,
    /// No socket knows it any more.
    Gone,
}

impl Stage {
    /// How long a socket stays in this stage when nothing comes: what Linux takes unless it is told otherwise.
    fn lasts(self) -> u64 {
        match self {
            // Six retransmissions (`tcp_syn_retries`), five (`tcp_synack_retries`).
            Stage::Asked => 127 * Nanos::SECOND,
            Stage::Answered => 63 * Nanos::SECOND,
            Stage::Open | Stage::PeerEnded => u64::MAX,
            // `tcp_fin_timeout`, and TCP_TIMEWAIT_LEN of `include/net/tcp.h`.
            Stage::Ended | Stage::LastAck | Stage::TimeWait => 60 * Nanos::SECOND,
            Stage::Gone => 0,
        }
    }
}

impl Connection {
    /// A flow of which nothing is known but that this side speaks in it now.
    pub(super) fn new(now: Nanos) -> Connection {
        Connection { stage: Stage::Gone, touched: now, spoken: now, carried: false }
    }

    /// Whether a socket of the host belongs to it.
    pub(super) fn exists(&self, now: Nanos) -> bool {
        now.since(self.touched) < self.stage.lasts()
    }

    /// Whether this side has begun it and waits for an answer.
    pub(super) fn asks(&self) -> bool {
        self.stage == Stage::Asked
    }

    /// This side sends a packet.
    pub(super) fn say(&mut self, packet: &Packet, now: Nanos) {
        if packet.transport.protocol != IpProtocol::TCP {
            // One datagram may be the answer to a probe.
            let is_first = self.stage == Stage::Gone;
            (self.stage, self.touched, self.spoken) = (Stage::Open, now, now);
            self.carried |= !is_first;
            return;
        }
        let flags = packet.transport.segment.flags;
        let existed = self.exists(now);
        if flags.has(TcpFlags::RST) {
            self.stage = Stage::Gone;
            return;
        }
        let opens = flags.has(TcpFlags::SYN);
        self.stage = match (self.stage, opens, flags.has(TcpFlags::ACK), flags.has(TcpFlags::FIN)) {
            (_, true, false, _) => Stage::Asked,
            (_, true, true, _) => Stage::Answered,
            (Stage::PeerEnded | Stage::LastAck, _, _, true) if existed => Stage::LastAck,
            (Stage::TimeWait, ..) if existed => Stage::TimeWait,
            (_, _, _, true) => Stage::Ended,
            (stage @ (Stage::PeerEnded | Stage::Ended | Stage::LastAck), ..) if existed => stage,
            // Only a socket sends this, whatever was seen of it before.
            _ => Stage::Open,
        };
        (self.touched, self.spoken, self.carried) = (now, now, self.carried || !opens);
    }

    /// A segment of the other side arrives.
    pub(super) fn hear(&mut self, packet: &Packet, now: Nanos) {
        if packet.transport.protocol != IpProtocol::TCP || !self.exists(now) {
            return;
        }
        let flags = packet.transport.segment.flags;
        self.stage = match self.stage {
            _ if flags.has(TcpFlags::RST) => Stage::Gone,
            Stage::Answered | Stage::Open if flags.has(TcpFlags::FIN) => Stage::PeerEnded,
            Stage::Answered if flags.has(TcpFlags::ACK) => Stage::Open,
            Stage::Ended if flags.has(TcpFlags::FIN) => Stage::TimeWait,
            Stage::LastAck if flags.has(TcpFlags::ACK) && !flags.has(TcpFlags::FIN) => Stage::Gone,
            stage @ (Stage::Asked | Stage::Answered | Stage::Open | Stage::PeerEnded) => stage,
            stage @ (Stage::Ended | Stage::LastAck | Stage::TimeWait | Stage::Gone) => stage,
        };
        if self.stage != Stage::TimeWait {
            self.touched = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use scanguard_common::parse::parse;

    use super::*;

    const SECOND: u64 = Nanos::SECOND;

    fn segment(flags: u16) -> Packet {
        let mut frame = vec![0; 54];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame[14..18].copy_from_slice(&[0x45, 0, 0, 40]);
        frame[23] = 6;
        frame[46..48].copy_from_slice(&(0x5000 | flags).to_be_bytes());
        parse(frame.as_slice()).expect("a segment")
    }

    const SYN: u16 = TcpFlags::SYN;
    const ACK: u16 = TcpFlags::ACK;
    const FIN: u16 = TcpFlags::FIN | ACK;
    const RST: u16 = TcpFlags::RST;

    /// Plays segments, `true` for those of this side, and says for how many seconds after them there is a socket.
    fn lasts(segments: &[(bool, u16)]) -> u64 {
        let mut connection = Connection::new(Nanos(SECOND));
        for (ours, flags) in segments {
            if *ours {
                connection.say(&segment(*flags), Nanos(SECOND));
            } else {
                connection.hear(&segment(*flags), Nanos(SECOND));
            }
        }
        (0..1000).find(|seconds| !connection.exists(Nanos(SECOND + seconds * SECOND))).unwrap_or(u64::MAX)
    }

    #[test]
    fn sockets_last_as_long_as_linux_keeps_them() {
        let (us, them) = (true, false);
        for (segments, seconds) in [
            (&[][..], 0),
            (&[(us, SYN)], 127),
            (&[(us, SYN | ACK)], 63),
            (&[(us, SYN | ACK), (them, ACK)], u64::MAX),
            (&[(us, SYN), (them, SYN | ACK), (us, ACK)], u64::MAX),
            (&[(us, ACK)], u64::MAX), // it was there before
            (&[(us, ACK), (them, RST)], 0),
            (&[(us, ACK), (us, RST)], 0),
            (&[(us, ACK), (them, FIN)], u64::MAX),
            (&[(us, ACK), (them, FIN), (us, ACK)], u64::MAX),
            (&[(us, ACK), (them, FIN), (us, FIN)], 60),
            (&[(us, ACK), (them, FIN), (us, FIN), (them, ACK)], 0),
            (&[(us, ACK), (us, FIN), (them, ACK)], 60),
            (&[(us, ACK), (us, FIN), (them, FIN), (us, ACK)], 60),
            (&[(us, ACK), (us, FIN), (them, FIN), (us, ACK), (us, SYN | ACK)], 63), // the ports are used again
        ] {
            assert_eq!(lasts(segments), seconds, "{segments:?}");
        }
    }
}
