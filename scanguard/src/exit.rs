//! Exit codes: each kind of failure has its own, so that a script can tell them apart.

use std::process::ExitCode;

use crate::error::Error;
use crate::output::is_broken_pipe;

/// Writes the enum and its tables from one list, so that they cannot disagree.
macro_rules! exits {
    ($($code:literal $variant:ident $name:literal $meaning:literal;)+) => {
        /// How a command ended.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Exit {
            $(#[doc = $meaning] $variant = $code,)+
        }

        impl Exit {
            /// All of them, in the order of their codes.
            pub const ALL: &[Exit] = &[$(Exit::$variant,)+];

            /// A name to know it by.
            pub fn name(self) -> &'static str {
                match self {
                    $(Exit::$variant => $name,)+
                }
            }

            /// What it means, in one phrase.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Exit::$variant => $meaning,)+
                }
            }
        }
    };
}

// A code is part of the contract with scripts: add at the end, never reuse.
exits! {
    0  Success "success" "done, or the reader of the output went away";
    1  Failure "failure" "something failed for which there is no code of its own";
    2  Usage "usage" "the command line is not understood";
    3  UnknownInterface "unknown-interface" "no such interface";
    4  UnsuitableInterface "unsuitable-interface" "loopback, not Ethernet, or a driver without the mode";
    5  NoPrivileges "no-privileges" "not allowed to load programs into the kernel";
    6  NoBpffs "no-bpffs" "the BPF file system is not mounted and cannot be, or is read-only";
    7  KernelLacks "kernel-lacks" "the kernel lacks a feature";
    8  Refused "refused" "the kernel's verifier refused the program";
    9  InvalidCidr "invalid-cidr" "not an address and not a prefix";
    10 UnknownName "unknown-name" "no cause or topic of this name";
    11 BrokenPins "broken-pins" "what is pinned at our path is half-made or not ours";
    12 OtherSchema "other-schema" "the pins were made by another version of scanguard";
    13 AlreadyGuarded "already-guarded" "the interface is guarded already";
    14 NotGuarded "not-guarded" "the interface, or any at all, is not guarded";
    15 ForeignProgram "foreign-program" "another XDP program is attached to the interface, or to one above it";
    16 Locked "locked" "another scanguard command is at work";
    17 EventsTaken "events-taken" "another process is reading the events";
    18 NoObject "no-object" "this scanguard was built without its eBPF program";
    19 Full "full" "no room for another interface or prefix";
    20 NotAllowed "not-allowed" "the prefix to be removed is not on the allowlist";
    21 NotBanned "not-banned" "the source whose ban is to be lifted is not banned";
    22 CutsOff "cuts-off" "the ban would cover this host, its gateways, its name servers or the operator";
    23 InvalidPolicy "invalid-policy" "the policy file is not understood";
    24 UnreadableCapture "unreadable-capture" "the capture cannot be read";
    25 DamagedCapture "damaged-capture" "the capture is damaged; what could be read was reported";
    26 UnsupportedCapture "unsupported-capture" "no capture, or one of a network that is not understood";
    27 NoLocalAddress "no-local-address" "replay was not told whose capture it is";
    28 Disagreement "disagreement" "engine and kernel judged a frame differently";
}

impl Exit {
    /// How a command ended that ended with this result.
    pub fn of(result: &anyhow::Result<()>) -> Exit {
        match result {
            Ok(()) => Exit::Success,
            Err(error) if is_broken_pipe(error) => Exit::Success,
            Err(error) => error.downcast_ref().map_or(Exit::Failure, Error::exit),
        }
    }

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// All codes as text, one a line, for `--help`.
    pub fn help() -> String {
        let lines: Vec<String> = Exit::ALL
            .iter()
            .map(|exit| format!("  {:>2}  {:<21} {}", exit.code(), exit.name(), exit.meaning()))
            .collect();
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_is_known_below_its_context() {
        let error = Err(Error::NothingGuarded).context("detaching");
        assert_eq!(Exit::of(&error), Exit::NotGuarded);
        assert_eq!(Exit::of(&Err(anyhow::anyhow!("whatever"))), Exit::Failure);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert_eq!(Exit::of(&Err(io::Error::from(io::ErrorKind::BrokenPipe).into())), Exit::Success);
        assert_eq!(Exit::of(&Ok(())), Exit::Success);
    }

    #[test]
    fn codes_and_names_are_distinct_and_codes_leave_no_gap() {
        for (position, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), position);
            assert!(Exit::ALL.iter().take(position).all(|earlier| earlier.name() != exit.name()));
        }
    }

    #[test]
    fn help_has_a_line_for_every_code() {
        let help = Exit::help();
        for exit in Exit::ALL {
            let line = format!("  {:>2}  {} ", exit.code(), exit.name());
            assert!(help.lines().any(|candidate| candidate.starts_with(&line)), "{line}");
        }
    }
}
