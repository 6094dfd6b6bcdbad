//! One boot in qemu, without KVM: slow, but the same everywhere.

use std::fs::File;
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How a boot ended.
pub(super) struct Ended {
    pub(super) seconds: u64,
    pub(super) in_time: bool,
}

/// A guest takes up to ten minutes where the machine is slow. One that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(1_200);

/// Two, so that whatever is counted per CPU is counted on more than one.
const CPUS: usize = 2;

const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 oops=panic mitigations=off";

/// How many guests this machine bears at a time: one for each core, because a guest runs its tests one after the other
/// and keeps hardly more than one core busy.
pub(super) fn at_a_time() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Boots a kernel, with its console in a file, and waits for the guest to switch off.
pub(super) fn boot(image: &Path, initramfs: &Path, console: &Path) -> Result<Ended> {
    let log = File::create(console).with_context(|| format!("making {}", console.display()))?;
    let start = Instant::now();
    let mut machine = Machine(start_qemu(image, initramfs, log)?);
    loop {
        let status = machine.0.try_wait().context("waiting for qemu")?;
        let seconds = start.elapsed().as_secs();
        match status {
            Some(status) if status.success() => return Ok(Ended { seconds, in_time: true }),
            Some(status) => bail!("qemu failed: {status}"),
            None if start.elapsed() > LIMIT => return Ok(Ended { seconds, in_time: false }),
            None => sleep(Duration::from_millis(50)),
        }
    }
}

/// Its errors go where its console goes. It dies with us, however we die.
fn start_qemu(image: &Path, initramfs: &Path, log: File) -> Result<Child> {
    let errors = log.try_clone().context("sharing the console's file")?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    command.args(["-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-m", "1G"]);
    command.arg("-smp").arg(CPUS.to_string());
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]);
    command.arg("-kernel").arg(image).arg("-initrd").arg(initramfs).args(["-append", KERNEL_ARGUMENTS]);
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().context("starting qemu")
}

/// A running qemu, killed when nobody waits for it any more.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing left to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
