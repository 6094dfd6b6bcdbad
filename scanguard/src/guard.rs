//! Guarding interfaces and ending it: the order of the steps, and how they are taken back.

mod attempt;

use std::time::Duration;

use anyhow::Context as _;
use aya::Ebpf;
use aya::programs::{XdpMode, loaded_programs};
use scanguard_common::schema::InterfaceSlot;

use self::attempt::Attempt;
use crate::config::Chosen;
use crate::egress::Door;
use crate::error::Error;
use crate::guarded::{Guarded, Place, survey};
use crate::interface::{Interfaces, Mode, NetworkInterface};
use crate::lock::Lock;
use crate::maps::Maps;
use crate::output::Output;
use crate::pin::Pins;
use crate::{bpffs, kernel, privilege, program, redirected, spared};

/// Which interfaces to guard, and how.
pub(crate) struct Request<'a> {
    /// Their names.
    pub(crate) names: &'a [String],
    /// In which mode; `None` for native where the driver can, generic otherwise.
    pub(crate) mode: Option<XdpMode>,
    /// What the operator chose.
    pub(crate) chosen: &'a Chosen,
    /// Which of the program's own messages to keep in it.
    pub(crate) log_level: u8,
}

/// An interface that was guarded by this process.
pub(crate) struct Attached {
    /// Its name at the time.
    pub(crate) name: String,
    /// Its place in all tables.
    pub(crate) slot: InterfaceSlot,
    /// The kernel's number for its program.
    pub(crate) program: u32,
    /// In which mode.
    pub(crate) mode: Mode,
    /// The loaded object, in which the program's own messages arrive.
    pub(crate) ebpf: Ebpf,
}

impl Attached {
    /// Whether this pinned link is the one: the slot may have been given to another since.
    pub(crate) fn is(&self, entry: &Guarded) -> bool {
        self.slot == entry.slot && self.program == entry.program
    }
}

/// Guards all these interfaces, or none: what was done before a failure is taken back.
pub(crate) async fn attach(request: &Request<'_>, output: &mut Output<'_>) -> anyhow::Result<Vec<Attached>> {
    privilege::require_to_load()?;
    find(request.names, &Interfaces::read().await?)?;
    kernel::require_links()?;
    program::object()?;
    bpffs::ensure(output)?;
    let _lock = Lock::take().await?;
    let pins = Pins::ours();
    let existed = pins.check()?;
    let interfaces = Interfaces::read().await?;
    let mut targets = find(request.names, &interfaces)?;
    targets.sort_by_key(|target| interfaces.height(target)); // the kernel refuses those below once one above has a program
    let guarded = if existed { survey(&pins, &interfaces)? } else { Vec::new() };
    for target in &targets {
        refuse_taken(target, &guarded, &interfaces)?;
    }
    privilege::lift_memory_limit();
    remove_stale(&pins, &guarded, output)?;

    let mut redirected = Vec::new();
    for target in &targets {
        redirected.push(redirected::is_so(target, &interfaces).await?);
    }
    let targets: Vec<(&NetworkInterface, bool)> = targets.into_iter().zip(redirected).collect();
    let mut attempt = Attempt::new(&pins, existed);
    match attempt.run(request, &targets, output).await {
        Ok(attached) => Ok(attached),
        Err(error) => {
            attempt
                .take_back()
                .with_context(|| format!("taking back what was done before this: {error:#}"))?;
            Err(error)
        }
    }
}

/// Ends the protection of these interfaces: of all of them, or of none where one is not guarded.
pub(crate) async fn detach(names: &[String]) -> anyhow::Result<()> {
    privilege::require()?;
    let interfaces = Interfaces::read().await?;
    let mut targets = Vec::new();
    for name in names {
        targets.push(interfaces.named(name)?);
    }
    let pins = Pins::ours();
    let not_guarded = |name: &str| Error::NotGuarded(name.to_owned());
    if let ([first, ..], false) = (names, pins.exist()?) {
        return Err(not_guarded(first).into());
    }
    let _lock = Lock::take().await?;
    if !pins.check()? {
        return Err(Error::NothingGuarded.into());
    }
    let guarded = survey(&pins, &interfaces)?;
    let mut leaving = Vec::new();
    for target in targets {
        let entry = guarded.iter().find(|entry| entry.is(target.index));
        leaving.push(entry.ok_or_else(|| not_guarded(&target.name))?);
    }
    release(&pins, &guarded, &leaving).await
}

/// Ends the protection of exactly those interfaces that this process guarded, as far as nobody else did.
pub(crate) async fn detach_own(attached: &[Attached]) -> anyhow::Result<()> {
    let _lock = Lock::take().await?;
    let pins = Pins::ours();
    if !pins.check()? {
        return Ok(());
    }
    let guarded = survey(&pins, &Interfaces::read().await?)?;
    let is_own = |entry: &&Guarded| attached.iter().any(|own| own.is(entry));
    release(&pins, &guarded, &guarded.iter().filter(is_own).collect::<Vec<_>>()).await
}

/// Ends all protection and removes everything that is pinned, also where that is broken. False where nothing
/// was.
pub(crate) async fn detach_all() -> anyhow::Result<bool> {
    privilege::require()?;
    let pins = Pins::ours();
    if !pins.exist()? {
        return Ok(false);
    }
    let _lock = Lock::take().await?;
    let guarded = match pins.check() {
        Ok(true) => survey(&pins, &Interfaces::read().await?)?,
        Ok(false) => return Ok(false),
        Err(error) if is_other_schema(&error) => return Err(error),
        Err(error) => {
            tracing::info!("{error:#}");
            Vec::new()
        }
    };
    // Where the pins are broken, they do not tell which interfaces were guarded.
    for name in Interfaces::read().await?.names() {
        Door::of_this_kernel().detach(name)?;
    }
    pins.remove_all()?;
    wait_until_off(&guarded.iter().collect::<Vec<_>>()).await?;
    Ok(true)
}

/// The interfaces of these names, each once.
fn find<'i>(names: &[String], interfaces: &'i Interfaces) -> Result<Vec<&'i NetworkInterface>, Error> {
    let mut found: Vec<&NetworkInterface> = Vec::new();
    for name in names {
        let interface = interfaces.named(name)?;
        interface.guardable()?;
        if found.iter().all(|earlier| earlier.index != interface.index) {
            found.push(interface);
        }
    }
    Ok(found)
}

/// Makes sure that neither we nor anybody else is there.
pub(crate) fn refuse_taken(
    target: &NetworkInterface,
    guarded: &[Guarded],
    interfaces: &Interfaces,
) -> Result<(), Error> {
    if guarded.iter().any(|entry| entry.is(target.index)) {
        return Err(Error::AlreadyGuarded(target.name.clone()));
    }
    if let Some(upper) = interfaces.above(target).find(|upper| !upper.xdp.is_empty()) {
        let (interface, upper) = (target.name.clone(), upper.name.clone());
        return Err(Error::ProgramAbove { interface, upper });
    }
    match target.xdp.first() {
        Some(foreign) => Err(foreign_program(&target.name, Some(foreign.id), foreign.mode)),
        None => Ok(()),
    }
}

/// The error for a program of somebody else, whose number may have changed since it was in the way.
fn foreign_program(interface: &str, id: Option<u32>, mode: Mode) -> Error {
    let program = loaded_programs()
        .filter_map(Result::ok)
        .find(|program| Some(program.id()) == id)
        .and_then(|program| program.name_as_str().map(str::to_owned));
    Error::ForeignProgram { interface: interface.to_owned(), id, program, flag: mode.flag() }
}

/// Removes links whose interface is gone, so that their slots are free.
fn remove_stale(pins: &Pins, guarded: &[Guarded], output: &mut Output<'_>) -> anyhow::Result<()> {
    for entry in guarded.iter().filter(|entry| entry.is_stale()) {
        pins.remove_link(entry.slot)?;
        Maps::open(pins)?.free_slot(entry.slot)?;
        output.word("removed what was left of an interface that is gone");
    }
    Ok(())
}

/// Removes some of the pinned links, and everything else with the last of them.
async fn release(pins: &Pins, guarded: &[Guarded], leaving: &[&Guarded]) -> anyhow::Result<()> {
    let stays =
        |entry: &&Guarded| !entry.is_stale() && leaving.iter().all(|leaving| leaving.slot != entry.slot);
    for entry in leaving {
        close_second_door(entry)?;
    }
    if guarded.iter().any(|entry| stays(&entry)) {
        let mut maps = Maps::open(pins)?;
        for entry in leaving {
            pins.remove_link(entry.slot)?;
            maps.free_slot(entry.slot)?;
        }
        spared::refresh(&mut maps).await?;
    } else {
        pins.remove_all()?;
    }
    wait_until_off(leaving).await
}

/// Detaches what does not go with its pin.
fn close_second_door(entry: &Guarded) -> anyhow::Result<()> {
    match &entry.place {
        Place::Here { interface, .. } => Door::of_this_kernel().detach(&interface.name),
        Place::Elsewhere { .. } | Place::Gone => Ok(()),
    }
}

/// The kernel takes a program off a moment after its link was unpinned; whoever is told "detached" may rely
/// on it.
async fn wait_until_off(leaving: &[&Guarded]) -> anyhow::Result<()> {
    const TRIES: u32 = 200;
    for _ in 0..TRIES {
        let interfaces = Interfaces::read().await?;
        if leaving.iter().all(|entry| interfaces.running(entry.program).is_none()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let names: Vec<String> = leaving.iter().map(|entry| entry.label()).collect();
    anyhow::bail!(
        "{}: unpinned, but still attached; another process holds the link open (`bpftool link show`)",
        names.join(", ")
    )
}

fn is_other_schema(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::OtherSchema { .. }))
}
