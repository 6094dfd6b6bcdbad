//! Builds what runs in the kernel and leaves it in `OUT_DIR/scanguard-ebpf`, from where the controller embeds it.

#[path = "build/strip.rs"]
mod strip;
#[path = "build/toolchain.rs"]
mod toolchain;

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use aya_build::{Package, Toolchain, build_ebpf};

const PROGRAM: Package<'_> = Package {
    name: "scanguard-ebpf",
    root_dir: "../scanguard-ebpf",
    no_default_features: false,
    features: &[],
};

/// What the program is made of besides its own folder, which aya-build watches.
const INGREDIENTS: [&str; 3] = ["../scanguard-common", "../Cargo.toml", "../Cargo.lock"];

fn main() -> Result<()> {
    for path in INGREDIENTS {
        println!("cargo::rerun-if-changed={path}");
    }
    for variable in [toolchain::SKIP, toolchain::OVERRIDE] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if toolchain::is_skipped() {
        return leave_empty();
    }
    match toolchain::find() {
        Ok(toolchain) => build(&toolchain),
        Err(reason) => {
            println!("cargo::error={reason}");
            Ok(()) // cargo fails the build for the line above, and shows nothing else
        }
    }
}

/// An empty program: the controller says at run time that it was built without one.
fn leave_empty() -> Result<()> {
    let path = object()?;
    fs::write(&path, []).with_context(|| format!("writing {}", path.display()))?;
    println!("cargo::warning={} is set: built without the program for the kernel", toolchain::SKIP);
    Ok(())
}

fn build(toolchain: &toolchain::Toolchain) -> Result<()> {
    let quiet = ("CARGO_TERM_QUIET", "true"); // cargo shows each line of the inner cargo as a warning, every time
    let bootstrap = toolchain.bootstrap().map(|value| ("RUSTC_BOOTSTRAP", value));
    for (variable, value) in bootstrap.into_iter().chain([quiet]) {
        // SAFETY: nothing else reads or writes the environment meanwhile: this process has one thread.
        unsafe { env::set_var(variable, value) };
    }
    let name = toolchain.name.as_deref().unwrap_or("none: there is no rustup to hear it");
    build_ebpf([PROGRAM], Toolchain::Custom(name))
        .with_context(|| format!("building what runs in the kernel with {toolchain}"))?;
    strip::debug_information(&object()?)
}

/// Where the controller embeds the object from.
fn object() -> Result<PathBuf> {
    let out = env::var_os("OUT_DIR").context("reading OUT_DIR, which cargo sets")?;
    Ok(PathBuf::from(out).join(PROGRAM.name))
}
