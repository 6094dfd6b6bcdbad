//! Shows the main job: what a scanner learns of a host before and after `scanguard attach`.
//!
//! There is little to clean up, even after `kill -9`: the programs started here die with this one, and the hosts of
//! the laboratory, with all that is attached and pinned there, are gone when nobody holds them.

mod counters;
mod interrupt;
mod promise;
mod scan;
mod session;
mod table;

use std::io::{self, Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use scanguard_harness::{GUARDED_V4, INTERFACE, Lab, OUTSIDE_V4, Service};

use crate::demo::counters::{dropped, syn_retransmissions};
use crate::demo::interrupt::Interrupt;
use crate::demo::promise::Evidence;
use crate::demo::session::Session;
use crate::root::Root;
use crate::shell;

/// Ports of the guarded host where a service listens.
const OPEN: [u16; 3] = [22, 80, 443];
/// Ports where nothing does.
const CLOSED: [u16; 3] = [25, 3306, 8080];

/// Runs the demo with this scanguard, as root. Fails when that did not show what scanguard promises.
pub(crate) fn run(scanguard: &Path) -> Result<ExitCode> {
    require_all_it_takes()?;
    let scanguard =
        scanguard.canonicalize().with_context(|| format!("looking for {}", scanguard.display()))?;
    match show(&scanguard, &mut stdout().lock()) {
        // Whoever closed the pipe has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

fn require_all_it_takes() -> Result<()> {
    let tools = ["ip", "nmap", "curl", "bpftool"];
    if let Some(missing) = tools.into_iter().find(|tool| shell::find(tool).is_none()) {
        bail!("the demo needs {missing}, which is not installed: `cargo xtask setup` does that");
    }
    let Ok(Root::Already) = Root::find() else { bail!("the demo needs root: run it with sudo") };
    let Some(obstacle) = Root::Already.obstacle() else { return Ok(()) };
    bail!("{obstacle}; run the demo on the machine itself, or in a privileged container")
}

fn show(scanguard: &Path, out: &mut dyn Write) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let lab = Lab::new()?;
    let _services = [
        Service::echo(&lab.guarded, 22)?,
        Service::http(&lab.guarded, 80)?,
        Service::http(&lab.guarded, 443)?,
    ];
    let mut session = Session { lab: &lab, scanguard, interrupt: &interrupt, out };
    session.say(&format!(
        "Two hosts and a cable. `guarded`, {GUARDED_V4}, has services on ports {} and none on {}.\n\
         `outside`, {OUTSIDE_V4}, scans it in eight ways, before and after it is guarded. It is not banned for that, so \
         that each scan shows what it learns by itself.",
        list(OPEN),
        list(CLOSED)
    ))?;

    let before = session.scan()?;
    let mut download = session.start_download()?;
    session.scanguard(&["attach", INTERFACE, "--preset", "off"])?;
    let earlier = syn_retransmissions(&lab.outside)?;
    let after = session.scan()?;
    let syn_retransmissions = syn_retransmissions(&lab.outside)?.saturating_sub(earlier);
    let downloads = [session.finish(&mut download)?, session.download()?];

    table::write(session.out, &before, &after)?;
    session.scanguard(&["stats"])?;
    let dropped = dropped(&lab.guarded, scanguard)?;
    session.scanguard(&["detach", INTERFACE])?;

    let evidence = Evidence { before, after, downloads, dropped, syn_retransmissions };
    let broken = evidence.broken_promises();
    ensure!(broken.is_empty(), "the promise was not kept: {}", broken.join("; "));
    session.say(&format!(
        "Seen: open ports answer to a proper SYN and to nothing else, closed ports never answer, downloads go on.\n\
         The scanner sent {dropped} probes that deserve no answer; {dropped} packets were dropped."
    ))
}

/// Ports as one writes them.
fn list(ports: [u16; 3]) -> String {
    ports.map(|port| port.to_string()).join(", ")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
