//! What this machine has and lacks.

use std::env;
use std::path::Path;

use crate::setup::tools::{self, Extent, Tool};
use crate::shell;
use crate::toolchain::{self, Toolchain};

/// What rustup calls Debian's compiler.
pub(crate) const DEBIAN: &str = "debian";

/// The major version of the LLVM in Debian's compiler, which is what gets installed where there is none.
const DEBIAN_LLVM: u32 = 22;

/// Where dpkg notes what it has not finished. It is empty otherwise; apt-get looks there as well.
const DPKG_JOURNAL: &str = "/var/lib/dpkg/updates";

/// What set-up needs to know about the machine.
pub(crate) struct Survey {
    /// The compiler for BPF, or why there is none.
    pub(crate) compiler: Result<Compiler, String>,
    pub(crate) linker: bool,
    /// The major version of the LLVM that the linker has to have: the compiler's.
    pub(crate) llvm: u32,
    /// The packages that building the linker still lacks. They are told by their files, so that whoever has no
    /// right to install, and had them installed by somebody who has, is not asked for them again.
    pub(crate) missing_for_linker: Vec<String>,
    pub(crate) missing_tools: Vec<&'static Tool>,
    /// Debian's compiler is installed, whether rustup knows it or not.
    pub(crate) debian_compiler: bool,
    /// The toolchain that the user insists on.
    pub(crate) wanted: Option<String>,
    pub(crate) apt: bool,
    /// An installation was interrupted, and dpkg does nothing else until it is finished.
    pub(crate) dpkg_interrupted: bool,
    pub(crate) rustup: bool,
}

/// A compiler for BPF that is ready to use.
pub(crate) struct Compiler {
    /// One line that says which it is.
    pub(crate) description: String,
    /// Its name in rustup, if there is a rustup.
    pub(crate) name: Option<String>,
    /// The major version of its LLVM.
    pub(crate) llvm: u32,
    pub(crate) clippy: bool,
}

impl Survey {
    /// Looks around. Nothing is changed.
    pub(crate) fn take(extent: Extent) -> Self {
        let compiler = toolchain::find_compiler().and_then(|found| Compiler::examine(&found));
        let llvm = compiler.as_ref().map_or(DEBIAN_LLVM, |compiler| compiler.llvm);
        Self {
            compiler,
            linker: toolchain::has_linker(),
            llvm,
            missing_for_linker: missing_for_linker(llvm),
            missing_tools: tools::missing(extent),
            debian_compiler: toolchain::has_prebuilt_core(Path::new("/usr")),
            wanted: env::var(toolchain::OVERRIDE).ok(),
            apt: shell::find("apt-get").is_some(),
            dpkg_interrupted: Path::new(DPKG_JOURNAL)
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_some()),
            rustup: shell::find("rustup").is_some(),
        }
    }
}

impl Compiler {
    /// Whether it is the distribution's, as the compiler on PATH is where there is no rustup.
    pub(crate) fn is_debian(&self) -> bool {
        self.name.as_ref().is_none_or(|name| name == DEBIAN)
    }

    fn examine(toolchain: &Toolchain) -> Result<Self, String> {
        let name = toolchain.name.as_deref();
        let version = toolchain::output(toolchain::command(name, "rustc").arg("-vV")).unwrap_or_default();
        let llvm = llvm_major(&version)
            .ok_or_else(|| format!("{toolchain}: `rustc -vV` does not name an LLVM version"))?;
        Ok(Self {
            description: toolchain.to_string(),
            name: toolchain.name.clone(),
            llvm,
            clippy: toolchain::output(toolchain::command(name, "cargo-clippy").arg("--version")).is_some(),
        })
    }
}

fn missing_for_linker(llvm: u32) -> Vec<String> {
    let needs = [
        (format!("llvm-{llvm}-dev"), format!("/usr/lib/llvm-{llvm}/lib/libLLVM.so")),
        (format!("libpolly-{llvm}-dev"), format!("/usr/lib/llvm-{llvm}/lib/libPolly.a")),
        ("libzstd-dev".to_owned(), "/usr/include/zstd.h".to_owned()),
        ("g++".to_owned(), "/usr/bin/g++".to_owned()),
    ];
    needs.into_iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| package).collect()
}

fn llvm_major(version: &str) -> Option<u32> {
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    llvm.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::llvm_major;

    #[test]
    fn llvm_version_is_read_from_what_rustc_prints() {
        let printed = "rustc 1.96.0 (ac68faa20 2026-05-25)\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(printed), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }
}
