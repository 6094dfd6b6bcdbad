//! Which kernel runs, for messages and for the few things that cannot be found out by trying.

use aya::util::KernelVersion;
use nix::sys::utsname::uname;

use crate::error::Error;

/// The release as `uname -r` has it.
pub(crate) fn release() -> String {
    uname().map_or_else(|_| "?".to_owned(), |names| names.release().to_string_lossy().into_owned())
}

/// The error for a feature that this kernel does not have.
pub(crate) fn lacks(what: impl Into<String>) -> Error {
    Error::KernelLacks { what: what.into(), kernel: release() }
}

/// Makes sure that programs can be attached to interfaces by a link that can be pinned (Linux 5.9). On older
/// kernels attaching would fall back to a way that has no owner and cannot be pinned.
pub(crate) fn require_links() -> Result<(), Error> {
    match KernelVersion::current() {
        Ok(version) if version < KernelVersion::new(5, 9, 0) => Err(lacks("BPF links for XDP")),
        Ok(_) | Err(_) => Ok(()),
    }
}
