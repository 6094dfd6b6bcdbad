//! The modules that tests need, and those that these need, in the order in which they can be loaded. With them
//! loaded beforehand, the guest needs no `modprobe` and no index of modules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;
use crate::vm::kernel::Kernel;

/// A module, ready to be loaded.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// Interfaces, protocols and queues that tests ask the kernel for.
const WANTED: [&str; 10] =
    ["veth", "dummy", "bridge", "vrf", "8021q", "sctp", "sch_ingress", "cls_bpf", "sch_netem", "nf_tables"];

/// Reads the wanted modules of a kernel, each after those it needs.
pub(super) fn read(kernel: &Kernel) -> Result<Vec<Module>> {
    let mut files = BTreeMap::new();
    list(&kernel.modules.join("kernel"), &mut files)?;
    let builtin = fs::read_to_string(kernel.modules.join("modules.builtin"))
        .with_context(|| format!("reading what is built into {}", kernel.release))?;
    let builtin: Vec<String> = builtin.lines().map(|line| name_of(Path::new(line))).collect();

    let mut loaded = Vec::new();
    for name in WANTED {
        if !builtin.iter().any(|built| built == name) {
            load(name, &files, &mut loaded).with_context(|| format!("Linux {}", kernel.release))?;
        }
    }
    Ok(loaded)
}

fn list(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.insert(name_of(&path), path);
        }
    }
    Ok(())
}

/// A module's file may have hyphens in its name; the module itself has underscores.
fn name_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().replace('-', "_")
}

/// What a module needs is never built in: modinfo leaves that out.
fn load(name: &str, files: &BTreeMap<String, PathBuf>, loaded: &mut Vec<Module>) -> Result<()> {
    if loaded.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let file = files.get(name).with_context(|| format!("there is no module {name}"))?;
    let bytes = decompress(file)?;
    for needed in needs(&bytes) {
        load(&needed, files, loaded)?;
    }
    loaded.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

fn decompress(file: &Path) -> Result<Vec<u8>> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => return fs::read(file).with_context(|| format!("reading {}", file.display())),
        Some("xz") => {}
        Some(_) | None => bail!("{}: not known how to decompress it", file.display()),
    }
    let mut command = Command::new("busybox"); // which the guest needs anyway; xz itself may not be installed
    command.args(["unxz", "-c"]).arg(file).stdin(Stdio::null());
    let line = shell::show(&command);
    let output = command.output().with_context(|| format!("starting `{line}`"))?;
    ensure!(output.status.success(), "`{line}` failed: {}", output.status);
    Ok(output.stdout)
}

/// The modules that a module says it needs: one of the strings, each ended by a zero byte, that describe it.
fn needs(module: &[u8]) -> Vec<String> {
    let described = module.split(|byte| *byte == 0).find_map(|string| string.strip_prefix(b"depends="));
    let names = String::from_utf8_lossy(described.unwrap_or_default()).replace('-', "_");
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{name_of, needs};

    #[test]
    fn needs_are_read_from_the_modules_own_description() {
        assert_eq!(
            needs(b"\x7fELF\0license=GPL\0depends=libcrc32c,nf-defrag\0retpoline=Y\0"),
            ["libcrc32c", "nf_defrag"]
        );
        assert_eq!(needs(b"\x7fELF\0license=GPL\0depends=\0retpoline=Y\0"), [""; 0]);
    }

    #[test]
    fn modules_are_named_as_the_kernel_names_them() {
        assert_eq!(name_of(Path::new("kernel/arch/x86/crypto/crc32c-intel.ko.xz")), "crc32c_intel");
        assert_eq!(name_of(Path::new("kernel/drivers/net/veth.ko")), "veth");
    }
}
