//! Devices that use the interface: sockets may be bound to them, guests may be behind them.

use super::Reason;
use crate::interface::{Interfaces, NetworkInterface};

pub(super) fn survey(interface: &NetworkInterface, interfaces: &Interfaces) -> Vec<Reason> {
    let part_of = interfaces
        .above(interface)
        .map(|upper| Reason::PartOf { device: upper.name.clone(), kind: upper.kind().to_owned() });
    let bridges = interfaces.all().filter(|bridge| bridge.kind() == "bridge").filter_map(|bridge| {
        let is_port =
            |port: &&NetworkInterface| port.master == Some(bridge.index) && port.index != interface.index;
        let ports = interfaces.all().filter(is_port).count();
        (ports > 0).then(|| Reason::Bridge { name: bridge.name.clone(), ports })
    });
    part_of.chain(bridges).collect()
}
