//! The second door: a tc program that sees what leaves an interface.
//!
//! Since Linux 6.6 it is attached by a link (tcx), pinned beside that of the first door. Before, it is a filter of the
//! `clsact` queueing discipline, which holds it by itself, and which is found again by its program's name.

use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use aya::util::KernelVersion;
use nix::errno::Errno;

use crate::filter::{self, Hook};
use crate::interface::NetworkInterface;
use crate::open_link::OpenLink;
use crate::program::{self, EGRESS};

/// How the second door is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// By a link.
    Tcx,
    /// As a filter.
    Clsact,
}

impl Door {
    /// What this kernel can do.
    pub(crate) fn of_this_kernel() -> Door {
        match KernelVersion::current() {
            Ok(version) if version < KernelVersion::new(6, 6, 0) => Door::Clsact,
            Ok(_) | Err(_) => Door::Tcx,
        }
    }

    /// The name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Door::Tcx => "tcx",
            Door::Clsact => "clsact",
        }
    }

    /// Whether it can be attached for as long as somebody holds it, which a filter cannot: it would outlive this process even
    /// if that were killed.
    pub(crate) fn is_held(self) -> bool {
        self == Door::Tcx
    }

    /// Attaches the loaded program to the interface of this name, behind whatever is there, until what it returns is
    /// dropped. What cannot be held waits for [`Held::keep`].
    pub(crate) fn hold(self, program: &mut SchedClassifier, interface: &str) -> anyhow::Result<Held> {
        match self {
            Door::Tcx => {
                let order = TcAttachOptions::TcxOrder(LinkOrder::default());
                let link = attach(program, interface, order)?;
                Ok(Held::Link(FdLink::try_from(link).with_context(|| attaching(interface))?))
            }
            Door::Clsact => Ok(Held::NotYet),
        }
    }

    /// Whether it still is where it was attached: anybody may have taken it away since.
    pub(crate) async fn is_attached(self, interface: &NetworkInterface, pin: &Path) -> anyhow::Result<bool> {
        match self {
            Door::Tcx => link_is_attached(pin),
            Door::Clsact => {
                let filters = filter::list(interface.index, Hook::Egress).await?;
                Ok(filters.iter().any(|filter| filter.program.as_deref() == Some(EGRESS)))
            }
        }
    }

    /// Removes the filter. A link goes when its pin does.
    pub(crate) fn detach(self, interface: &str) -> anyhow::Result<()> {
        match self {
            Door::Tcx => Ok(()),
            Door::Clsact => match tc::qdisc_detach_program(interface, TcAttachType::Egress, EGRESS) {
                Err(error) if !is_absent(&error) => {
                    Err(anyhow!(error).context(format!("detaching the second door of {interface}")))
                }
                Err(_) | Ok(()) => Ok(()),
            },
        }
    }
}

/// A second door that does not outlive this process yet.
pub(crate) enum Held {
    /// It is attached by this link.
    Link(FdLink),
    /// It will be a filter, which cannot be held.
    NotYet,
}

impl Held {
    /// Has it stay: pins the link there, or adds the filter to the interface of this name.
    pub(crate) fn keep(self, ebpf: &mut Ebpf, interface: &str, pin: &Path) -> anyhow::Result<()> {
        match self {
            Held::Link(link) => {
                link.pin(pin).with_context(|| format!("pinning the link at {}", pin.display()))?;
            }
            Held::NotYet => {
                add_clsact(interface).with_context(|| attaching(interface))?;
                let filter = TcAttachOptions::Netlink(NlOptions::default());
                // Dropped, it would take the filter away.
                std::mem::forget(attach(program::doors(ebpf)?.second, interface, filter)?);
            }
        }
        Ok(())
    }
}

fn attach(
    program: &mut SchedClassifier,
    interface: &str,
    options: TcAttachOptions,
) -> anyhow::Result<SchedClassifierLink> {
    let link = program.attach_with_options(interface, TcAttachType::Egress, options);
    let link = link.with_context(|| attaching(interface))?;
    Ok(program.take_link(link)?)
}

fn attaching(interface: &str) -> String {
    format!("attaching the second door of {interface} ({})", Door::of_this_kernel().name())
}

/// Whether there is a link at the pin, and something at the other end of it.
fn link_is_attached(pin: &Path) -> anyhow::Result<bool> {
    let opening = || format!("opening {}", pin.display());
    if !pin.try_exists().with_context(opening)? {
        return Ok(false);
    }
    let link = FdLink::from(PinnedLink::from_pin(pin).with_context(opening)?);
    let info = link.info().with_context(|| format!("asking about {}", pin.display()))?;
    Ok(OpenLink::of_id(info.id())?.is_some_and(|open| open.index().is_some()))
}

fn add_clsact(interface: &str) -> anyhow::Result<()> {
    match tc::qdisc_add_clsact(interface) {
        Err(tc::TcError::NetlinkError(error)) if error.raw_os_error() == Some(Errno::EEXIST as i32) => Ok(()),
        Err(tc::TcError::AlreadyAttached) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether there was no filter, or not even a queueing discipline.
fn is_absent(error: &tc::TcError) -> bool {
    let number = if let tc::TcError::NetlinkError(error) = error {
        error.raw_os_error()
    } else if let tc::TcError::IoError(error) = error {
        if error.kind() == io::ErrorKind::NotFound {
            return true;
        }
        error.raw_os_error()
    } else {
        None
    };
    matches!(number.map(Errno::from_raw), Some(Errno::ENOENT | Errno::EINVAL))
}
