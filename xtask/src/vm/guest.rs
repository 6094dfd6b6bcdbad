//! The guest's whole file system: busybox, the tools that tests call, the tests, and the kernel's modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell;
use crate::vm::archive::Archive;
use crate::vm::kernel::Kernel;
use crate::vm::modules;
use crate::vm::payload::Payload;

const INIT: &[u8] = include_bytes!("init.sh");

/// Programs of this machine that tests call and that busybox does not have, or not fully.
const TOOLS: [&str; 8] = ["curl", "ethtool", "hping3", "ip", "nmap", "nsenter", "tc", "unshare"];

/// What the tests shall find in every kernel, in their own words.
const EXPECTED: &str = "vlan,sctp,netem,vrf";

/// Where things are mounted.
const FOLDERS: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

/// Where nmap looks for the names of ports and protocols. Its scripts, much larger, stay here.
const NMAP: &str = "/usr/share/nmap";

/// Puts it all together.
pub(super) fn root(kernel: &Kernel, payload: &Payload) -> Result<Archive> {
    let mut root = Archive::default();
    root.file("/init", INIT.to_vec());
    root.file("/payload.sh", script(payload).into_bytes());
    for folder in FOLDERS {
        root.folder(folder);
    }
    add_program(&mut root, &tool("busybox")?, "/bin/busybox")?;
    // Busybox's own shell would prefer its own tools to those on PATH.
    add_program(&mut root, &tool("sh")?, "/bin/sh")?;
    for name in TOOLS {
        add_program(&mut root, &tool(name)?, &format!("/usr/bin/{name}"))?;
    }
    add_program(&mut root, &payload.tests, "/usr/bin/kernel-tests")?;
    add_program(&mut root, &payload.scanguard, "/usr/bin/scanguard")?;
    for entry in fs::read_dir(NMAP).with_context(|| format!("reading {NMAP}"))? {
        let path = entry.with_context(|| format!("reading {NMAP}"))?.path();
        if path.is_file() {
            add_file(&mut root, &path, &path.to_string_lossy())?;
        }
    }
    for (number, module) in (10..).zip(modules::read(kernel)?) {
        root.file(&format!("/modules/{number}-{}.ko", module.name), module.bytes);
    }
    Ok(root)
}

fn script(payload: &Payload) -> String {
    let mut tests = Command::new("kernel-tests");
    // One test at a time: every BPF_PROG_TEST_RUN patches the kernel's XDP dispatcher, and Linux 5.10 panics where
    // another processor is in it at that moment ("int3 in bpf_dispatcher_xdp_func").
    tests.args(&payload.filters).arg("--test-threads=1");
    // What scenes have counted, and what was skipped and why.
    tests.arg("--show-output");
    // Each run of the program takes a millisecond or two there, against twenty microseconds here.
    tests.env("SCANGUARD_BIN", "/usr/bin/scanguard").env("SCANGUARD_FRAMES", "10000");
    // The modules are there for this: a test that does without them has to fail.
    tests.env("SCANGUARD_EXPECT", EXPECTED);
    shell::show(&tests)
}

fn tool(name: &str) -> Result<PathBuf> {
    shell::find(name).with_context(|| format!("{name} is not installed; `cargo xtask setup` installs it"))
}

/// Adds a program and, where it expects them, the libraries it is linked with.
fn add_program(root: &mut Archive, program: &Path, place: &str) -> Result<()> {
    add_file(root, program, place)?;
    for library in libraries(program)? {
        if !root.contains(&library) {
            add_file(root, Path::new(&library), &library)?;
        }
    }
    Ok(())
}

fn add_file(root: &mut Archive, file: &Path, place: &str) -> Result<()> {
    root.file(place, fs::read(file).with_context(|| format!("reading {}", file.display()))?);
    Ok(())
}

/// The libraries and the loader, as `ldd` tells them. Of a static program it tells nothing and fails.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let mut command = Command::new("ldd");
    let output = command.arg(program).stdin(Stdio::null()).output().context("starting ldd")?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(!told.contains("not found"), "{} needs a library that is not here:\n{told}", program.display());
    Ok(told.lines().filter_map(library).map(str::to_owned).collect())
}

/// `name => path (address)`, or `path (address)` for the loader. The kernel's own part has no path.
fn library(line: &str) -> Option<&str> {
    let line = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
    line.split_once(" (").map(|(path, _)| path).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::library;

    #[test]
    fn libraries_are_read_from_what_ldd_prints() {
        assert_eq!(
            library("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)"),
            Some("/lib/x86_64-linux-gnu/libc.so.6")
        );
        assert_eq!(library("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)"), Some("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(library("\tlinux-vdso.so.1 (0x00007f)"), None);
        assert_eq!(library("\tstatically linked"), None);
    }
}
