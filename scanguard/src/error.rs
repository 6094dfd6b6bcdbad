//! What can go wrong in a way that the caller can do something about. Each message names the thing, and ends
//! with the remedy.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use scanguard_common::schema::{MAX_INTERFACES, MAX_PREFIXES, SCHEMA};

use crate::exit::Exit;

/// A failure with a remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No interface of this name.
    #[error("{0}: no such interface; `ip link` lists them")]
    UnknownInterface(String),

    /// The loopback interface.
    #[error("{0}: carries only what this host says to itself; guard an interface to the outside instead")]
    Loopback(String),

    /// Neither Ethernet nor anything that looks like it.
    #[error("{name}: is no Ethernet interface ({kind}); guard the Ethernet interface beneath it instead")]
    NotEthernet {
        /// The interface.
        name: String,
        /// What it is.
        kind: String,
    },

    /// Capabilities are missing.
    #[error("needs {missing}; run it as root, for instance with sudo")]
    NoPrivileges {
        /// The capabilities, by name.
        missing: String,
    },

    /// The kernel says no although the capabilities are there.
    #[error(
        "{what}: the kernel does not permit it; in a container or user namespace, run scanguard on the host"
    )]
    NotPermitted {
        /// What was tried.
        what: &'static str,
    },

    /// The BPF file system is not mounted, and mounting it failed.
    #[error("{path}: the BPF file system is not mounted here ({why}); `mount -t bpf bpf {path}` mounts it")]
    NoBpffs {
        /// Where it belongs.
        path: &'static str,
        /// Why it could not be mounted.
        why: String,
    },

    /// The BPF file system is mounted so that nothing can be pinned there.
    #[error("{path}: the BPF file system is mounted read-only; `mount -o remount,rw {path}` mends that")]
    ReadOnlyBpffs {
        /// Where it is.
        path: &'static str,
    },

    /// The kernel is too old, or was built without something.
    #[error("the kernel (Linux {kernel}) lacks {what}; Linux 5.10 or newer is needed")]
    KernelLacks {
        /// The feature.
        what: String,
        /// The release that runs.
        kernel: String,
    },

    /// The verifier refused the program.
    #[error(
        "the kernel (Linux {kernel}) refused the program: {reason}; please report it with the output of -v"
    )]
    Refused {
        /// The line of the verifier's log that matters.
        reason: String,
        /// The release that runs.
        kernel: String,
    },

    /// Neither an address nor a prefix.
    #[error("{given}: {why}")]
    InvalidCidr {
        /// What was typed.
        given: String,
        /// What is wrong with it, and the remedy.
        why: String,
    },

    /// No cause of this name.
    #[error("{given}: no such cause; `scanguard explain` lists them{}", or_nearest(.nearest))]
    UnknownCause {
        /// What was typed.
        given: String,
        /// What may have been meant.
        nearest: Option<String>,
    },

    /// Nothing to explain under this name.
    #[error("{given}: no such scan or cause; `scanguard explain` lists them{}", or_nearest(.nearest))]
    UnknownTopic {
        /// What was typed.
        given: String,
        /// What may have been meant.
        nearest: Option<String>,
    },

    /// What is pinned at our path is not what belongs there.
    #[error("{}: {what}; `scanguard detach --all` removes everything there", path.display())]
    BrokenPins {
        /// The pin.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },

    /// The pins follow another contract.
    #[error(
        "{}: made by another version of scanguard (schema {found}, this one has {SCHEMA}); detach with that \
         version, or end its protection by `rm -r {}`", path.display(), path.display()
    )]
    OtherSchema {
        /// Our directory.
        path: PathBuf,
        /// The number that was found.
        found: u32,
    },

    /// Attached already.
    #[error("{0}: is guarded already; `scanguard detach {0}` ends that")]
    AlreadyGuarded(String),

    /// Not attached.
    #[error("{0}: is not guarded; `scanguard attach {0}` does it")]
    NotGuarded(String),

    /// Nothing attached at all.
    #[error("no interface is guarded; `scanguard attach INTERFACE` does it")]
    NothingGuarded,

    /// Somebody else's program.
    #[error(
        "{interface}: another XDP program is attached{}; if it may go, `ip link set dev {interface} {flag} off` \
         removes it", or_program(.id, .program)
    )]
    ForeignProgram {
        /// The interface.
        interface: String,
        /// The program's number, where it is still there.
        id: Option<u32>,
        /// The program's name, where it can be had.
        program: Option<String>,
        /// What `ip link` calls the mode that it is attached in.
        flag: &'static str,
    },

    /// A program on a device above, ours or not.
    #[error(
        "{interface}: {upper} above it has an XDP program already, and Linux wants the lower one first; detach {upper}, \
         then attach both"
    )]
    ProgramAbove {
        /// The interface.
        interface: String,
        /// The device above.
        upper: String,
    },

    /// The driver, or the kernel, cannot run the program in the mode that was asked for.
    #[error("{interface}: {mode} mode is refused ({why}); leave out --mode, or try another")]
    ModeRefused {
        /// The interface.
        interface: String,
        /// Which mode.
        mode: &'static str,
        /// The kernel's answer.
        why: String,
    },

    /// Another command holds the lock.
    #[error("another scanguard command is at work{}; try again when it is done", or_process(.holder))]
    Locked {
        /// Its process, where it can be seen.
        holder: Option<i32>,
    },

    /// Another process reads the ring buffer.
    #[error(
        "events are being read already{}, and only one can read them; stop that, or use `scanguard stats --watch`",
        or_process(.holder)
    )]
    EventsTaken {
        /// Its process, where it can be seen.
        holder: Option<i32>,
    },

    /// Built without the program.
    #[error(
        "this scanguard was built without its eBPF program; `cargo xtask setup` installs what building it needs"
    )]
    NoObject,

    /// All slots are taken.
    #[error(
        "{0}: {MAX_INTERFACES} interfaces are guarded already, and there is no room for more; detach one"
    )]
    TooManyInterfaces(String),

    /// A list of prefixes is full.
    #[error(
        "{0}: the list is full at {MAX_PREFIXES} prefixes; remove some, or join them into shorter prefixes"
    )]
    ListFull(String),

    /// A capture that cannot be read at all.
    #[error("{}: cannot be read ({why}); name a pcap or pcapng file", path.display())]
    UnreadableCapture {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        why: String,
    },

    /// A capture that ends in the middle, or becomes senseless.
    #[error(
        "{}: is damaged at byte {at}: {why}; what is told is of the {packets} packets before that", path.display()
    )]
    DamagedCapture {
        /// The file.
        path: PathBuf,
        /// Where the part begins that could not be read.
        at: u64,
        /// What is wrong there.
        why: String,
        /// How many packets could be read.
        packets: u64,
    },

    /// A file that is no capture, or one of a network that is not understood.
    #[error(
        "{}: {what}; replay reads pcap and pcapng of Ethernet, raw IP, BSD loopback and Linux cooked captures, and \
         `editcap` converts other formats", path.display()
    )]
    UnsupportedCapture {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },

    /// Whose traffic it is was not said.
    #[error("whose capture it is must be known; name the addresses of the guarded host by --local CIDR")]
    NoLocalAddress,

    /// Engine and kernel judge a frame differently.
    #[error(
        "frame {number}: the engine says {engine}, and the program in the kernel (Linux {kernel}) does not; please \
         report it with the capture"
    )]
    Disagreement {
        /// Which frame of the capture, from 1.
        number: u64,
        /// What the engine says.
        engine: String,
        /// The release that runs.
        kernel: String,
    },

    /// Not on the allowlist.
    #[error("{0}: is not on the allowlist; `scanguard allow list` shows it")]
    NotAllowed(String),

    /// Not banned.
    #[error("{0}: is not banned; `scanguard ban list` shows who is")]
    NotBanned(String),

    /// A policy file that cannot be had.
    #[error("{}: cannot be read ({why}); name a policy file", path.display())]
    UnreadablePolicy {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },

    /// A policy file that is not understood.
    #[error("{}:{line}: {what}", path.display())]
    InvalidPolicy {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong with it, and the remedy.
        what: String,
    },

    /// A ban of whom this host, or the operator, depends on.
    #[error("{prefix}: covers {address}, {whose}; ban a narrower prefix, or add --force if you mean it")]
    CutsOff {
        /// What was to be banned.
        prefix: String,
        /// Who lies within.
        address: IpAddr,
        /// Whose address that is.
        whose: &'static str,
    },
}

impl Error {
    /// What it means that a capture could not be read.
    pub(crate) fn unreadable_capture(path: &Path, error: &io::Error) -> Error {
        Error::UnreadableCapture { path: path.into(), why: error.to_string() }
    }

    /// The code that the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Error::UnknownInterface(_) => Exit::UnknownInterface,
            Error::Loopback(_) | Error::NotEthernet { .. } | Error::ModeRefused { .. } => {
                Exit::UnsuitableInterface
            }
            Error::NoPrivileges { .. } | Error::NotPermitted { .. } => Exit::NoPrivileges,
            Error::NoBpffs { .. } | Error::ReadOnlyBpffs { .. } => Exit::NoBpffs,
            Error::KernelLacks { .. } => Exit::KernelLacks,
            Error::Refused { .. } => Exit::Refused,
            Error::InvalidCidr { .. } => Exit::InvalidCidr,
            Error::UnknownCause { .. } | Error::UnknownTopic { .. } => Exit::UnknownName,
            Error::BrokenPins { .. } => Exit::BrokenPins,
            Error::OtherSchema { .. } => Exit::OtherSchema,
            Error::AlreadyGuarded(_) => Exit::AlreadyGuarded,
            Error::NotGuarded(_) | Error::NothingGuarded => Exit::NotGuarded,
            Error::ForeignProgram { .. } | Error::ProgramAbove { .. } => Exit::ForeignProgram,
            Error::Locked { .. } => Exit::Locked,
            Error::EventsTaken { .. } => Exit::EventsTaken,
            Error::NoObject => Exit::NoObject,
            Error::TooManyInterfaces(_) | Error::ListFull(_) => Exit::Full,
            Error::NotAllowed(_) => Exit::NotAllowed,
            Error::NotBanned(_) => Exit::NotBanned,
            Error::UnreadableCapture { .. } => Exit::UnreadableCapture,
            Error::DamagedCapture { .. } => Exit::DamagedCapture,
            Error::UnsupportedCapture { .. } => Exit::UnsupportedCapture,
            Error::NoLocalAddress => Exit::NoLocalAddress,
            Error::Disagreement { .. } => Exit::Disagreement,
            Error::UnreadablePolicy { .. } | Error::InvalidPolicy { .. } => Exit::InvalidPolicy,
            Error::CutsOff { .. } => Exit::CutsOff,
        }
    }
}

fn or_nearest(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn or_program(id: &Option<u32>, name: &Option<String>) -> String {
    match (id, name) {
        (Some(id), Some(name)) => format!(" (id {id}, {name})"),
        (Some(id), None) => format!(" (id {id})"),
        (None, _) => String::new(),
    }
}

fn or_process(holder: &Option<i32>) -> String {
    holder.map_or_else(String::new, |process| format!(" (process {process})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_and_end_with_a_remedy() {
        let errors = [
            Error::UnknownInterface("eth9".into()),
            Error::ForeignProgram {
                interface: "eth0".into(),
                id: Some(7),
                program: Some("xdp_dispatcher".into()),
                flag: "xdp",
            },
            Error::OtherSchema { path: "/pins".into(), found: 9 },
            Error::UnknownCause { given: "xmass".into(), nearest: Some("tcp-xmas".into()) },
            Error::Locked { holder: Some(42) },
        ];
        for error in errors {
            let message = error.to_string();
            assert!(!message.contains('\n') && !message.contains("  "), "{message}");
            assert!(message.contains("; "), "{message}");
        }
    }

    #[test]
    fn a_foreign_program_is_named_with_the_command_that_removes_it() {
        let error = Error::ForeignProgram {
            interface: "eth0".into(),
            id: Some(7),
            program: Some("xdp_filter".into()),
            flag: "xdpgeneric",
        };
        let expected = "eth0: another XDP program is attached (id 7, xdp_filter); if it may go, \
                        `ip link set dev eth0 xdpgeneric off` removes it";
        assert_eq!(error.to_string(), expected);
    }
}
