//! Which contact an ICMP error turns away: the one that it quotes.

use crate::frame::Frame;
use crate::parse::Packet;
use crate::parse::network::IpProtocol;
use crate::parse::quote::Quote;
use crate::parse::transport::Port;

/// Gives an error that was turned round the destination, protocol and port of the packet that it quotes, so that the
/// errors about two ports, or two protocols, are two contacts. What cannot be read stays as it was.
pub fn name_quoted<F: Frame + ?Sized>(frame: &F, error: &mut Packet) {
    let Some(quote) = Quote::read(frame, error) else { return };
    error.destination = quote.local;
    error.transport.protocol = quote.protocol;
    error.transport.ports.destination = match quote.protocol {
        IpProtocol::TCP | IpProtocol::UDP => {
            quote.ports(frame).map_or(Port::default(), |ports| ports.destination)
        }
        _ => Port::default(),
    };
}
