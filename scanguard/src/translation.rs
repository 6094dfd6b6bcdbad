//! What on this host can make a port answer that has no socket here, so that the socket table is no proof that it is
//! closed.
//!
//! Each way is asked from whoever knows it: the settings and files below `/proc`, the links of rtnetlink, nf_tables by
//! netlink, the programs that are attached by `bpf(2)`. Where the kernel does not have something at all, it cannot be
//! in use. What is outside of this network namespace, like a macvlan that was moved into a container, is not seen.

mod device;
mod forwarding;
mod nftables;
mod program;
mod table;

use std::fmt;

use crate::interface::{Interfaces, NetworkInterface};
use crate::output::Printable;

/// One way in which a port may answer that has no socket here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The kernel forwards what comes in: ports may be those of guests.
    Forwards {
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// A chain of nf_tables changes where packets go.
    Chain {
        /// The chain, as `nft list chain` wants it: family, table and name.
        chain: String,
        /// What it does there.
        does: &'static str,
    },
    /// A table of the older iptables may change where packets go.
    Table {
        /// The command that shows it.
        command: &'static str,
    },
    /// IPVS hands connections to other hosts, or to other ports.
    VirtualServers {
        /// How many services it has.
        services: usize,
    },
    /// The interface belongs to another device, whose sockets and guests it serves.
    PartOf {
        /// The device above.
        device: String,
        /// What kind of device that is.
        kind: String,
    },
    /// A bridge connects guests.
    Bridge {
        /// The bridge.
        name: String,
        /// How many interfaces it connects.
        ports: usize,
    },
    /// Programs choose the socket.
    SocketPrograms {
        /// How many.
        programs: usize,
    },
    /// Programs or filters of others see packets behind us, and may send them elsewhere.
    IngressFilters {
        /// How many.
        filters: usize,
    },
}

impl Reason {
    /// Whether it may depend on who asks if a port answers: then what one source was refused says nothing of another.
    /// Guests and devices have addresses of their own, which tell their ports apart.
    pub(crate) fn depends_on_source(&self) -> bool {
        match self {
            Reason::Chain { .. }
            | Reason::Table { .. }
            | Reason::VirtualServers { .. }
            | Reason::SocketPrograms { .. }
            | Reason::IngressFilters { .. } => true,
            Reason::Forwards { .. } | Reason::PartOf { .. } | Reason::Bridge { .. } => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Forwards { family } => write!(formatter, "the interface forwards {family}"),
            Reason::Chain { chain, does } => {
                write!(formatter, "the nf_tables chain `{}` {does}", Printable(chain))
            }
            Reason::Table { command } => write!(formatter, "iptables may redirect packets (`{command}`)"),
            Reason::VirtualServers { services } => {
                write!(formatter, "IPVS has {} (`ipvsadm -L`)", counted(*services, "service"))
            }
            Reason::PartOf { device, kind } => {
                write!(formatter, "the interface carries {} ({kind})", Printable(device))
            }
            Reason::Bridge { name, ports } => {
                write!(formatter, "the bridge {} connects {}", Printable(name), counted(*ports, "interface"))
            }
            Reason::SocketPrograms { programs } => {
                write!(
                    formatter,
                    "{} (sk_lookup) may choose another socket",
                    counted(*programs, "BPF program")
                )
            }
            Reason::IngressFilters { filters } => {
                write!(formatter, "{} at tc ingress may redirect packets", counted(*filters, "filter"))
            }
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Looks at everything that concerns packets which come in by this interface.
pub(crate) async fn survey(
    interface: &NetworkInterface,
    interfaces: &Interfaces,
) -> anyhow::Result<Vec<Reason>> {
    let mut reasons = forwarding::survey(&interface.name);
    reasons.extend(nftables::survey()?);
    reasons.extend(table::survey());
    reasons.extend(device::survey(interface, interfaces));
    reasons.extend(program::survey(interface).await?);
    Ok(reasons)
}
