//! A suite's newest kernel, unpacked. It is kept, and the mirror is asked once a day whether there is a newer one.

use std::env::consts::ARCH;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::vm::apt::{Apt, Package};

/// An unpacked kernel.
pub(super) struct Kernel {
    /// What it answers to `uname -r`.
    pub(super) release: String,
    /// What qemu boots.
    pub(super) image: PathBuf,
    /// Its folder of modules.
    pub(super) modules: PathBuf,
}

/// Depends on the suite's newest kernel for virtual machines, which is smaller and has all that is needed here.
const NEWEST: &str = "linux-image-cloud-amd64";

const DAY: Duration = Duration::from_hours(24);

/// Finds a suite's newest kernel: in `folder` if the mirror was asked less than a day ago, else at the mirror, else
/// in `folder` however old it is. An error says why there is none.
pub(super) fn obtain(suite: &str, folder: &Path) -> Result<Kernel> {
    ensure!(ARCH == "x86_64", "only kernels for x86_64 are tested, and this is {ARCH}");
    let kept = folder.join("kernel");
    let stamp = folder.join("version");
    if age(&stamp).is_none_or(|age| age > DAY) || Kernel::find(&kept).is_err() {
        match (refresh(suite, folder, &kept, &stamp), Kernel::find(&kept)) {
            (Err(error), Ok(_)) => println!("vm: using the kernel of {suite} fetched before: {error:#}"),
            (Err(error), Err(_)) => return Err(error),
            (Ok(()), _) => {}
        }
    }
    Kernel::find(&kept)
}

/// Asks the mirror for the newest kernel. If another one is kept, the newest takes its place when it is complete.
fn refresh(suite: &str, folder: &Path, kept: &Path, stamp: &Path) -> Result<()> {
    let apt = Apt::update(suite, &folder.join("apt"))?;
    let newest = apt.package(NEWEST)?;
    let version = newest.version.clone();
    if fs::read_to_string(stamp).ok().as_ref() != Some(&version) || Kernel::find(kept).is_err() {
        let unpacked = folder.join("unpacked");
        remove(&unpacked)?;
        fs::create_dir_all(&unpacked).with_context(|| format!("making {}", unpacked.display()))?;
        apt.unpack(&parts(&apt, newest)?, &unpacked)?;
        remove(kept)?;
        fs::rename(&unpacked, kept).with_context(|| format!("keeping {}", kept.display()))?;
    }
    fs::write(stamp, version).with_context(|| format!("writing {}", stamp.display()))
}

/// The packages that one build of the kernel is cut into: newer ones have several.
fn parts(apt: &Apt, newest: Package) -> Result<Vec<String>> {
    let mut known = newest.parts;
    let mut looked_at = 0;
    while let Some(name) = known.get(looked_at) {
        for part in apt.package(name)?.parts {
            if !known.contains(&part) {
                known.push(part);
            }
        }
        looked_at += 1;
    }
    Ok(known)
}

impl Kernel {
    /// Looks where older and newer packages put things.
    fn find(folder: &Path) -> Result<Self> {
        let folders = ["usr/lib/modules", "lib/modules"].map(|place| folder.join(place));
        let modules = folders.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten().next();
        let modules = modules.with_context(|| format!("there are no modules in {}", folder.display()))?;
        let release = modules.file_name().to_string_lossy().into_owned();
        let modules = modules.path();
        let images = [modules.join("vmlinuz"), folder.join("boot").join(format!("vmlinuz-{release}"))];
        let image = images.into_iter().find(|image| image.is_file());
        let image =
            image.with_context(|| format!("there is no image of {release} in {}", folder.display()))?;
        Ok(Self { release, image, modules })
    }
}

/// How long ago the file was written.
fn age(file: &Path) -> Option<Duration> {
    fs::metadata(file).ok()?.modified().ok()?.elapsed().ok()
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
