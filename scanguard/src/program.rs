//! The program for the kernel: embedded, loaded for one interface, attached by a link.

mod making;

use std::fs::File;
use std::io::{self, Read as _};

use anyhow::Context as _;
use aya::maps::MapError;
use aya::programs::links::FdLink;
use aya::programs::{Program, ProgramError, SchedClassifier, Xdp, XdpMode};
use aya::{Ebpf, EbpfError, EbpfLoader};
use nix::errno::Errno;
use scanguard_common::schema::InterfaceSlot;

use crate::at_once::at_once;
use crate::clock;
use crate::error::Error;
use crate::kernel;
use crate::maps;
use crate::open_link::OpenLink;
use crate::pin::Pins;

/// Built from the crate `scanguard-ebpf`; empty where it could not be built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/scanguard-ebpf"));

/// The name of the program that judges what comes in.
pub const INGRESS: &str = "scanguard_in";

/// The name of the same program for frames that may lie in several pieces.
pub const INGRESS_IN_PIECES: &str = "scanguard_frags";

/// The name of the program that sees what goes out.
pub const EGRESS: &str = "scanguard_out";

/// The ELF object with the programs and the maps.
///
/// # Errors
///
/// [`Error::NoObject`] where scanguard was built without it.
pub fn object() -> Result<&'static [u8], Error> {
    if OBJECT.is_empty() { Err(Error::NoObject) } else { Ok(OBJECT) }
}

/// What is fixed in the program before it is loaded, so that the verifier takes it for constant.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    /// The interface's place in all tables.
    pub slot: InterfaceSlot,
    /// The seed of all hashes: the same in all programs that share maps.
    pub seed: u64,
    /// Which of the program's own messages are kept in it: 0 for none, else a level of aya-log.
    pub log_level: u8,
}

/// Loads the program with maps of its own, which nobody shares and which go when it goes: to run it without an
/// interface.
///
/// # Errors
///
/// [`Error::NoObject`], [`Error::NotPermitted`], [`Error::KernelLacks`] and [`Error::Refused`] where that is the
/// reason, anything else where not.
pub fn load_apart(constants: Constants) -> anyhow::Result<Ebpf> {
    let mut ebpf = prepare(constants, None)?;
    load(&mut ebpf)?;
    Ok(ebpf)
}

/// Opens the object for one interface. Maps that are pinned are used, others are made and pinned.
pub(crate) fn open(constants: Constants, pins: &Pins) -> anyhow::Result<Ebpf> {
    prepare(constants, Some(pins))
}

fn prepare(constants: Constants, pins: Option<&Pins>) -> anyhow::Result<Ebpf> {
    let object = object()?;
    let slot = constants.slot.number();
    let tick = clock::tick()?.0;
    let mut loader = match pins {
        Some(pins) => loader_and_maps(object, pins)?,
        None => loader(),
    };
    loader
        .override_global("SLOT", &slot, true)
        .override_global("HASH_SEED", &constants.seed, true)
        .override_global("TICK", &tick, true)
        .override_global(aya_log::LEVEL, &constants.log_level, true);
    if let Some(pins) = pins {
        for name in maps::names() {
            loader.map_pin_path(maps::in_object(name), pins.map(name));
        }
    }
    loader.load(object).map_err(explain_open)
}

/// A loader, and every map pinned: at once, because they take equally long.
fn loader_and_maps(object: &[u8], pins: &Pins) -> anyhow::Result<EbpfLoader<'static>> {
    let (loader, made) = at_once(loader, || making::pin_missing(object, pins))?;
    made.map(|()| loader).map_err(explain_open)
}

/// A loader that does without the kernel's types, because nothing in the object is relocated by them. aya reads them for
/// each new one all the same, which takes some 20 ms.
#[must_use]
pub fn loader() -> EbpfLoader<'static> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

/// Has the kernel verify the programs for both doors and translate them, at once. Nothing is attached yet.
///
/// # Errors
///
/// As [`load_apart`]; where both are refused, the reason is the first door's.
pub fn load(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    let Doors { first, second } = doors(ebpf)?;
    let (second, first) = at_once(|| load_second(second), || load_first(first))?;
    first.and(second)
}

/// Has the kernel verify the program for the first door alone.
pub(crate) fn load_first(program: &mut Xdp) -> anyhow::Result<()> {
    program.load().map_err(explain_load)
}

/// Has the kernel verify the program for the second door alone.
pub(crate) fn load_second(program: &mut SchedClassifier) -> anyhow::Result<()> {
    program.load().map_err(explain_load)
}

/// The programs for both doors of one interface, which can be loaded at once.
pub(crate) struct Doors<'e> {
    /// What judges what comes in.
    pub(crate) first: &'e mut Xdp,
    /// What sees what goes out.
    pub(crate) second: &'e mut SchedClassifier,
}

/// Finds both in the object.
pub(crate) fn doors(ebpf: &mut Ebpf) -> anyhow::Result<Doors<'_>> {
    let (mut first, mut second) = (None, None);
    for (name, program) in ebpf.programs_mut() {
        match name {
            INGRESS => first = Some(program),
            EGRESS => second = Some(program),
            _ => {}
        }
    }
    Ok(Doors { first: of_kind(first, INGRESS)?, second: of_kind(second, EGRESS)? })
}

/// Has the kernel verify the program for frames that may lie in several pieces as well. False where it knows none: before
/// Linux 5.18.
///
/// # Errors
///
/// As [`load_apart`].
pub fn load_for_pieces(ebpf: &mut Ebpf) -> anyhow::Result<bool> {
    match xdp(ebpf, INGRESS_IN_PIECES)?.load() {
        // It does not come as far as the verifier.
        Err(ProgramError::LoadError { io_error, verifier_log })
            if io_error.raw_os_error() == Some(Errno::EINVAL as i32)
                && verdict(&verifier_log.to_string()).is_none() =>
        {
            Ok(false)
        }
        loaded => loaded.map(|()| true).map_err(explain_load),
    }
}

/// Attaches one of the loaded programs for ingress to an interface.
///
/// The link it returns holds the program there only as long as it is open or pinned.
pub(crate) fn attach(ebpf: &mut Ebpf, name: &str, index: u32, mode: XdpMode) -> Result<FdLink, AttachError> {
    let number = id(ebpf, name).map_err(AttachError::Other)?;
    let program = xdp(ebpf, name).map_err(AttachError::Other)?;
    let attached = program.attach_to_if_index(index, mode)?;
    // Where the kernel refuses a link, aya attaches in an older way that has no owner and cannot be pinned.
    if OpenLink::of_program(number).map_err(AttachError::Other)?.is_none() {
        program.detach(attached)?;
        return Err(AttachError::Other(kernel::lacks("BPF links for XDP").into()));
    }
    let link = program.take_link(attached)?;
    FdLink::try_from(link).map_err(|error| AttachError::Other(error.into()))
}

/// The number by which the kernel knows a loaded program for ingress.
pub(crate) fn id(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<u32> {
    Ok(xdp(ebpf, name)?.info().context("asking the kernel about the loaded program")?.id())
}

/// Why a program could not be attached.
#[derive(Debug)]
pub(crate) enum AttachError {
    /// Another program is there.
    Occupied,
    /// The kernel or the driver says no to this mode.
    Refused(io::Error),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<ProgramError> for AttachError {
    fn from(error: ProgramError) -> AttachError {
        match errno(&error) {
            Some(Errno::EBUSY | Errno::EEXIST) => AttachError::Occupied,
            Some(Errno::ENODEV | Errno::EPERM) | None => AttachError::Other(error.into()),
            Some(errno) => AttachError::Refused(errno.into()),
        }
    }
}

fn xdp<'e>(ebpf: &'e mut Ebpf, name: &str) -> anyhow::Result<&'e mut Xdp> {
    of_kind(ebpf.program_mut(name), name)
}

/// What was found under a name in the object, as the kind of program that it is to be.
fn of_kind<'p, K>(found: Option<&'p mut Program>, name: &str) -> anyhow::Result<&'p mut K>
where
    &'p mut K: TryFrom<&'p mut Program, Error = ProgramError>,
{
    let program = found.with_context(|| format!("the object has no program {name}"))?;
    program.try_into().with_context(|| format!("the object's {name} is of another kind"))
}

/// A seed that nobody can guess.
pub(crate) fn seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    read.context("reading random numbers")?;
    Ok(u64::from_ne_bytes(bytes))
}

/// What it means that the maps could not be made.
fn explain_open(error: EbpfError) -> anyhow::Error {
    if let EbpfError::MapError(MapError::CreateError { name, io_error }) = &error {
        match io_error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EPERM) => return Error::NotPermitted { what: "making a BPF map" }.into(),
            Some(Errno::EINVAL | Errno::ENOSYS) => {
                return kernel::lacks(format!("the kind of map of {name}")).into();
            }
            Some(_) | None => {}
        }
    }
    anyhow::Error::new(error).context("preparing the program for the kernel")
}

/// What it means that the program could not be loaded.
fn explain_load(error: ProgramError) -> anyhow::Error {
    if let ProgramError::LoadError { io_error, verifier_log } = &error {
        let log = verifier_log.to_string();
        tracing::info!("the verifier's log:\n{log}");
        if let Some(reason) = verdict(&log) {
            return Error::Refused { reason: reason.to_owned(), kernel: kernel::release() }.into();
        }
        if io_error.raw_os_error() == Some(Errno::EPERM as i32) {
            return Error::NotPermitted { what: "loading a BPF program" }.into();
        }
    }
    anyhow::Error::new(error).context("loading the program into the kernel")
}

/// The one line of a verifier's log that says why: the last but its statistics.
fn verdict(log: &str) -> Option<&str> {
    const STATISTICS: [&str; 5] =
        ["processed ", "verification time ", "stack depth ", "max_states_per_insn ", "insns processed "];
    log.lines()
        .map(str::trim)
        .rev()
        .find(|line| !line.is_empty() && !STATISTICS.iter().any(|statistic| line.starts_with(statistic)))
}

/// The error number behind an error of attaching.
fn errno(error: &ProgramError) -> Option<Errno> {
    use aya::programs::xdp::XdpError;
    let number = if let ProgramError::SyscallError(error) = error {
        error.io_error.raw_os_error()
    } else if let ProgramError::XdpError(XdpError::NetlinkError(error)) = error {
        error.raw_os_error()
    } else {
        None
    };
    number.map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_last_line_before_the_statistics() {
        let log = "0: R1=ctx() R10=fp0\n; let at = self.start + offset;\n\
                   12: (0f) r2 += r1\nR2 pointer arithmetic on pkt_end prohibited\n\
                   verification time 59 usec\nstack depth 0+0\n\
                   processed 13 insns (limit 1000000) max_states_per_insn 0 total_states 0\n\n";
        assert_eq!(verdict(log), Some("R2 pointer arithmetic on pkt_end prohibited"));
        assert_eq!(verdict("processed 13 insns\n"), None);
        assert_eq!(verdict(""), None);
    }
}
