//! Network interfaces, as the kernel tells of them by rtnetlink(7).

use std::fmt;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::link::{LinkAttribute, LinkInfo, LinkLayerType, LinkMessage, LinkXdp, Prop};
use scanguard_common::parse::link::MacAddress;
use serde::Serialize;

use crate::error::Error;
use crate::netlink;

/// One interface of this network namespace.
#[derive(Clone, Debug)]
pub(crate) struct NetworkInterface {
    /// Its number, which stays when it is renamed.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// What else it is called.
    alternative_names: Vec<String>,
    /// What kind of link it is.
    layer: LinkLayerType,
    /// What kind of device it is, as `ip -details link` calls it; `None` for hardware.
    kind: Option<String>,
    /// The number of the device that it belongs to: a bridge, a bond, a VRF.
    pub(crate) master: Option<u32>,
    /// The number of the device that it is made on, or of its other end, where that is in this namespace.
    lower: Option<u32>,
    /// Its link-layer address, where that has six bytes.
    pub(crate) mac: Option<MacAddress>,
    /// The XDP programs attached to it: at most one, unless one is offloaded.
    pub(crate) xdp: Vec<XdpProgram>,
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XdpProgram {
    /// The kernel's number for it.
    pub(crate) id: u32,
    /// Where it runs.
    pub(crate) mode: Mode,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// In the driver, before the kernel spends anything on the frame.
    Native,
    /// In the network stack, for drivers that cannot.
    Generic,
    /// In the network card.
    Offloaded,
}

impl Mode {
    /// The name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Native => "native",
            Mode::Generic => "generic",
            Mode::Offloaded => "offloaded",
        }
    }

    /// What `ip link` calls it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Mode::Native => "xdpdrv",
            Mode::Generic => "xdpgeneric",
            Mode::Offloaded => "xdpoffload",
        }
    }
}

impl NetworkInterface {
    /// What kind of device it is, as `ip -details link` calls it; empty for hardware.
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// The address for which frames must be to be judged.
    ///
    /// # Errors
    ///
    /// [`Error::Loopback`] and [`Error::NotEthernet`] where the interface cannot be guarded.
    pub(crate) fn guardable(&self) -> Result<MacAddress, Error> {
        match (self.layer, self.mac) {
            (LinkLayerType::Ether, Some(mac)) => Ok(mac),
            (LinkLayerType::Loopback, _) => Err(Error::Loopback(self.name.clone())),
            (layer, _) => {
                Err(Error::NotEthernet { name: self.name.clone(), kind: layer.to_string().to_lowercase() })
            }
        }
    }

    /// Whether it takes what is its own from the interface with this number. The two ends of a veth refer to each other
    /// in the same way.
    fn is_made_on(&self, lower: u32) -> bool {
        const KINDS: [&str; 6] = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"];
        self.lower == Some(lower) && KINDS.contains(&self.kind())
    }

    fn from_message(message: LinkMessage) -> NetworkInterface {
        let mut interface = NetworkInterface {
            index: message.header.index,
            name: String::new(),
            alternative_names: Vec::new(),
            layer: message.header.link_layer_type,
            kind: None,
            master: None,
            lower: None,
            mac: None,
            xdp: Vec::new(),
        };
        let mut is_lower_elsewhere = false;
        for attribute in message.attributes {
            if let LinkAttribute::IfName(name) = attribute {
                interface.name = name;
            } else if let LinkAttribute::Address(bytes) = attribute {
                interface.mac = <[u8; 6]>::try_from(bytes).ok().map(MacAddress);
            } else if let LinkAttribute::Xdp(details) = attribute {
                interface.xdp = details.iter().filter_map(program).collect();
            } else if let LinkAttribute::LinkInfo(details) = attribute {
                interface.kind = details.iter().find_map(kind);
            } else if let LinkAttribute::Controller(index) = attribute {
                interface.master = Some(index);
            } else if let LinkAttribute::Link(index) = attribute {
                interface.lower = Some(index);
            } else if let LinkAttribute::LinkNetNsId(_) = attribute {
                is_lower_elsewhere = true;
            } else if let LinkAttribute::PropList(properties) = attribute {
                interface.alternative_names = properties.into_iter().filter_map(alternative_name).collect();
            }
        }
        if is_lower_elsewhere {
            interface.lower = None;
        }
        interface
    }
}

fn kind(detail: &LinkInfo) -> Option<String> {
    if let LinkInfo::Kind(kind) = detail { Some(kind.to_string()) } else { None }
}

/// The program that one attribute below `IFLA_XDP` tells of. Each is told by mode, and one of them a second
/// time without.
fn program(detail: &LinkXdp) -> Option<XdpProgram> {
    let of = |mode| move |id: &u32| (*id != 0).then_some(XdpProgram { id: *id, mode });
    if let LinkXdp::DrvProgId(id) = detail {
        of(Mode::Native)(id)
    } else if let LinkXdp::SkbProgId(id) = detail {
        of(Mode::Generic)(id)
    } else if let LinkXdp::HwProgId(id) = detail {
        of(Mode::Offloaded)(id)
    } else {
        None
    }
}

fn alternative_name(property: Prop) -> Option<String> {
    if let Prop::AltIfName(name) = property { Some(name) } else { None }
}

/// All interfaces of this network namespace at one moment.
pub(crate) struct Interfaces(Vec<NetworkInterface>);

impl Interfaces {
    /// Asks the kernel.
    pub(crate) async fn read() -> anyhow::Result<Interfaces> {
        let links: Vec<LinkMessage> =
            netlink::ask(async |handle| Ok(handle.link().get().execute().try_collect().await?))
                .await
                .context("listing network interfaces")?;
        Ok(Interfaces(links.into_iter().map(NetworkInterface::from_message).collect()))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &NetworkInterface> {
        self.0.iter()
    }

    /// The devices that use this one: they belong to it by tag or by address, or it belongs to them.
    pub(crate) fn above(&self, lower: &NetworkInterface) -> impl Iterator<Item = &NetworkInterface> {
        let (index, master) = (lower.index, lower.master);
        self.all().filter(move |upper| upper.is_made_on(index) || master == Some(upper.index))
    }

    /// How many devices there are below this one, one on top of the other.
    pub(crate) fn height(&self, upper: &NetworkInterface) -> usize {
        let below = self.all().filter(|lower| self.above(lower).any(|above| above.index == upper.index));
        below.map(|lower| 1 + self.height(lower)).max().unwrap_or_default()
    }

    /// All their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|interface| interface.name.as_str())
    }

    /// The interface of this name, or with this as one of its alternative names.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownInterface`].
    pub(crate) fn named(&self, name: &str) -> Result<&NetworkInterface, Error> {
        let called = |interface: &&NetworkInterface| {
            interface.name == name || interface.alternative_names.iter().any(|other| other == name)
        };
        self.0.iter().find(called).ok_or_else(|| Error::UnknownInterface(name.to_owned()))
    }

    /// The interface that this program is attached to, and how.
    pub(crate) fn running(&self, program: u32) -> Option<(&NetworkInterface, Mode)> {
        self.0.iter().find_map(|interface| {
            let attached = interface.xdp.iter().find(|attached| attached.id == program)?;
            Some((interface, attached.mode))
        })
    }
}

/// A link-layer address as people write it.
pub(crate) struct MacText(pub(crate) MacAddress);

impl fmt::Display for MacText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MacText(MacAddress([a, b, c, d, e, f])) = self;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_loopback_interface_is_found_and_refused() {
        let interfaces = Interfaces::read().await.expect("rtnetlink answers");
        let loopback = interfaces.named("lo").expect("every network namespace has one");
        assert_eq!(loopback.index, 1);
        assert!(matches!(loopback.guardable(), Err(Error::Loopback(name)) if name == "lo"));
        assert!(matches!(interfaces.named("no-such-one"), Err(Error::UnknownInterface(_))));
    }

    #[test]
    fn programs_are_told_by_mode_and_only_once() {
        let details = [LinkXdp::ProgId(7), LinkXdp::SkbProgId(7), LinkXdp::DrvProgId(0)];
        let programs: Vec<XdpProgram> = details.iter().filter_map(program).collect();
        assert_eq!(programs, [XdpProgram { id: 7, mode: Mode::Generic }]);
    }

    #[test]
    fn a_mac_address_is_written_with_colons() {
        assert_eq!(MacText(MacAddress([2, 0, 0, 0xab, 0, 1])).to_string(), "02:00:00:ab:00:01");
    }
}
