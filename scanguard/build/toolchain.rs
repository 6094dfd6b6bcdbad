//! The compiler that builds what runs in the kernel: found, not configured.
//!
//! It needs a `core` for BPF and `bpf-linker`. Two kinds of compiler have such a `core`:
//!
//! - a nightly with `rust-src`, which compiles it from source: rustup's `nightly`;
//! - a distribution's that ships it compiled: Debian's `rustc-web` with `libstd-rust-web-dev-bpf`, which rustup
//!   knows under the name `debian` once `cargo xtask setup` has linked it.
//!
//! Where there is no rustup, the compiler on PATH is taken if it is one of the two. The build script and xtask
//! share this file, so it stands on `std` alone.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names the rustup toolchain to use instead of the ones looked for.
pub(crate) const OVERRIDE: &str = "SCANGUARD_BPF_TOOLCHAIN";

/// The environment variable, aya-build's own, that leaves out what runs in the kernel.
pub(crate) const SKIP: &str = "AYA_BUILD_SKIP";

/// The rustup toolchains looked for, the first usable one wins. `debian` is there only if somebody wanted it, and
/// `bpf-linker` was then built with its LLVM, while a nightly may get `rust-src` for any other reason.
const CANDIDATES: [&str; 2] = ["debian", "nightly"];

/// The target that it builds for.
pub(crate) const TARGET: &str =
    if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

const REMEDY: &str = "run `cargo xtask setup`";

/// A compiler that can build for BPF.
pub(crate) struct Toolchain {
    /// What rustup calls it, or `None` for the compiler on PATH where there is no rustup.
    pub(crate) name: Option<String>,
    core: Core,
}

#[derive(Clone, Copy)]
enum Core {
    Prebuilt,
    FromSource,
}

/// Finds the compiler and makes sure that `bpf-linker` is there as well. The error is one line with its remedy.
pub(crate) fn find() -> Result<Toolchain, String> {
    let toolchain = find_compiler()?;
    if !has_linker() {
        return Err(format!("bpf-linker is not on PATH: {REMEDY}"));
    }
    Ok(toolchain)
}

/// Finds the compiler alone.
pub(crate) fn find_compiler() -> Result<Toolchain, String> {
    if let Ok(name) = env::var(OVERRIDE) {
        return Toolchain::usable(Some(&name)).ok_or_else(|| {
            format!("{OVERRIDE}={name}: no such toolchain, or it has no `core` for {TARGET}")
        });
    }
    let found = if has_rustup() {
        CANDIDATES.into_iter().find_map(|name| Toolchain::usable(Some(name)))
    } else {
        Toolchain::usable(None)
    };
    found.ok_or_else(|| format!("no compiler with a `core` for {TARGET}: {REMEDY}"))
}

/// Whether `bpf-linker` is on PATH.
pub(crate) fn has_linker() -> bool {
    output(Command::new("bpf-linker").arg("--version")).is_some()
}

/// Whether the user wants to do without what runs in the kernel.
pub(crate) fn is_skipped() -> bool {
    env::var(SKIP).is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

impl Toolchain {
    fn usable(name: Option<&str>) -> Option<Self> {
        let root = PathBuf::from(output(command(name, "rustc").args(["--print", "sysroot"]))?.trim_end());
        let core = if has_prebuilt_core(&root) {
            Core::Prebuilt
        } else if root.join("lib/rustlib/src/rust/library/core").is_dir() && is_nightly(name)? {
            Core::FromSource
        } else {
            return None;
        };
        Some(Self { name: name.map(str::to_owned), core })
    }

    /// Whether cargo has to compile `core` as well (`-Z build-std`).
    pub(crate) fn builds_core(&self) -> bool {
        matches!(self.core, Core::FromSource)
    }

    /// The `RUSTC_BOOTSTRAP` it needs, if any: `aya_ebpf` uses unstable features, and only a nightly grants them
    /// unasked. It is the crate's name and not `1`, which aya-build would take for "compile `core` as well".
    pub(crate) fn bootstrap(&self) -> Option<&'static str> {
        match self.core {
            Core::Prebuilt => Some("aya_ebpf"),
            Core::FromSource => None,
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "rustup's toolchain `{name}`")?,
            None => f.write_str("the compiler on PATH")?,
        }
        f.write_str(if self.builds_core() {
            ", compiling `core` from rust-src"
        } else {
            ", with its own `core` for BPF"
        })
    }
}

/// Whether the compiler installed below `root` has a compiled `core` for BPF.
pub(crate) fn has_prebuilt_core(root: &Path) -> bool {
    let Ok(entries) = root.join("lib/rustlib").join(TARGET).join("lib").read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"libcore-"))
}

/// A command that runs one of a toolchain's programs; [`Toolchain::name`] says which toolchain that is.
pub(crate) fn command(toolchain: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let Some(name) = toolchain else { return Command::new(program) };
    let mut command = Command::new("rustup");
    command.args(["run", name]).arg(program);
    command
}

/// What a command prints, if it succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_nightly(name: Option<&str>) -> Option<bool> {
    Some(output(command(name, "rustc").arg("--version"))?.contains("-nightly"))
}

fn has_rustup() -> bool {
    !matches!(Command::new("rustup").arg("--version").output(), Err(error) if error.kind() == ErrorKind::NotFound)
}
