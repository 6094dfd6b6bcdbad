//! Devices that use the interface: sockets may be bound to them, guests may be behind them.

use super::Reason;
use crate::interface::{Interfaces, NetworkInterface};

/// Kinds of device that take what is theirs from the interface below: by tag, by address. The two ends of a veth
/// refer to each other in the same way.
const UPPER: [&str; 6] = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"];

pub(super) fn survey(interface: &NetworkInterface, interfaces: &Interfaces) -> Vec<Reason> {
    let is_above = |upper: &&NetworkInterface| {
        interface.master == Some(upper.index)
            || upper.lower == Some(interface.index) && UPPER.contains(&upper.kind())
    };
    let part_of = interfaces
        .all()
        .filter(is_above)
        .map(|upper| Reason::PartOf { device: upper.name.clone(), kind: upper.kind().to_owned() });
    let bridges = interfaces.all().filter(|bridge| bridge.kind() == "bridge").filter_map(|bridge| {
        let is_port =
            |port: &&NetworkInterface| port.master == Some(bridge.index) && port.index != interface.index;
        let ports = interfaces.all().filter(is_port).count();
        (ports > 0).then(|| Reason::Bridge { name: bridge.name.clone(), ports })
    });
    part_of.chain(bridges).collect()
}
