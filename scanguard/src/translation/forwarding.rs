//! Whether the kernel forwards what comes in by an interface: the program asks it for each packet.

use std::fs;

use super::Reason;

const FAMILIES: [(&str, &str); 2] = [("ipv4", "IPv4"), ("ipv6", "IPv6")];

pub(super) fn survey(interface: &str) -> Vec<Reason> {
    let forwarding = FAMILIES.into_iter().filter(|(folder, _)| forwards(folder, interface));
    forwarding.map(|(_, family)| Reason::Forwards { family }).collect()
}

fn forwards(folder: &str, interface: &str) -> bool {
    let setting = format!("/proc/sys/net/{folder}/conf/{interface}/forwarding");
    fs::read_to_string(setting).is_ok_and(|value| value.trim() != "0")
}
