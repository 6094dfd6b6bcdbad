//! From what is missing to the commands that bring it.

use crate::setup::survey::{Compiler, DEBIAN, Survey};
use crate::toolchain;

/// One command, and what it is for.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) purpose: &'static str,
    pub(crate) as_root: bool,
    pub(crate) words: Vec<String>,
    /// What else one can do, should it fail.
    pub(crate) otherwise: Option<String>,
}

/// Debian's compiler. Its standard library is for the build scripts of what the program depends on.
const DEBIAN_COMPILER: &str = "rustc-web cargo-web libstd-rust-web-dev libstd-rust-web-dev-bpf";
const DEBIAN_CLIPPY: &str = "rust-web-clippy";

/// How to get a compiler for BPF from rustup.
pub(crate) const NIGHTLY: &str = "rustup toolchain install nightly --component rust-src,clippy";

/// The version that CI has seen working.
const LINKER: &str = "bpf-linker@0.13.0";

/// What Debian can do about it, in order.
pub(crate) fn plan(survey: &Survey) -> Vec<Step> {
    let tools: Vec<&str> = survey.missing_tools.iter().map(|tool| tool.package).collect();
    let compiler = compiler_packages(survey);

    let mut steps = Vec::new();
    if !(tools.is_empty() && compiler.is_empty()) {
        if survey.dpkg_interrupted {
            steps.push(Step::as_root("finish an interrupted installation", "dpkg --configure -a"));
        }
        steps.push(Step::as_root("ask for the current list of packages", "apt-get -qq update"));
    }
    if !tools.is_empty() {
        steps.push(install("install the tools that demo and tests use", &tools.join(" ")));
    }
    if !compiler.is_empty() {
        let step = install("install what building for BPF needs", &compiler.join(" "));
        steps.push(Step { otherwise: Some(another_way(survey)), ..step });
    }
    match &survey.compiler {
        Err(_) if survey.rustup => {
            let purpose = "tell rustup about Debian's compiler";
            steps.push(Step::new(purpose, &format!("rustup toolchain link {DEBIAN} /usr")));
        }
        Ok(Compiler { clippy: false, name: Some(name), .. }) if name != DEBIAN => {
            let words = format!("rustup component add clippy --toolchain {name}");
            steps.push(Step::new("add clippy to the compiler for BPF", &words));
        }
        Ok(_) | Err(_) => {}
    }
    if !survey.linker {
        let llvm = survey.llvm;
        let words = format!(
            "env LLVM_PREFIX=/usr/lib/llvm-{llvm} \
             cargo install {LINKER} --locked --no-default-features --features llvm-{llvm}"
        );
        steps.push(Step::new("build the linker for BPF, which takes a minute or two", &words));
    }
    steps
}

fn compiler_packages(survey: &Survey) -> Vec<String> {
    let mut packages = Vec::new();
    match &survey.compiler {
        Err(_) if !survey.debian_compiler => {
            packages.extend([DEBIAN_COMPILER, DEBIAN_CLIPPY].map(str::to_owned));
        }
        Ok(compiler) if !compiler.clippy && compiler.is_debian() => packages.push(DEBIAN_CLIPPY.to_owned()),
        Ok(_) | Err(_) => {}
    }
    if !survey.linker {
        packages.extend_from_slice(&survey.missing_for_linker);
    }
    packages
}

/// Distributions that have apt-get need not have Debian's compiler, nor Debian the LLVM of another compiler.
fn another_way(survey: &Survey) -> String {
    match &survey.compiler {
        Ok(compiler) if !compiler.is_debian() => {
            format!("{}={DEBIAN} cargo xtask setup", toolchain::OVERRIDE)
        }
        Ok(_) | Err(_) => NIGHTLY.to_owned(),
    }
}

fn install(purpose: &'static str, packages: &str) -> Step {
    const INSTALL: &str =
        "env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends";
    Step::as_root(purpose, &format!("{INSTALL} {packages}"))
}

impl Step {
    fn new(purpose: &'static str, line: &str) -> Self {
        Self {
            purpose,
            as_root: false,
            words: line.split_whitespace().map(str::to_owned).collect(),
            otherwise: None,
        }
    }

    fn as_root(purpose: &'static str, line: &str) -> Self {
        Self { as_root: true, ..Self::new(purpose, line) }
    }
}

#[cfg(test)]
mod tests {
    use super::{NIGHTLY, plan};
    use crate::setup::survey::{Compiler, Survey};

    fn complete() -> Survey {
        Survey {
            compiler: Ok(compiler("debian", 22, true)),
            linker: true,
            llvm: 22,
            missing_for_linker: Vec::new(),
            missing_tools: Vec::new(),
            debian_compiler: true,
            wanted: None,
            apt: true,
            dpkg_interrupted: false,
            rustup: true,
        }
    }

    fn no_compiler() -> Survey {
        Survey { compiler: Err("no compiler".to_owned()), debian_compiler: false, ..complete() }
    }

    fn compiler(name: &str, llvm: u32, clippy: bool) -> Compiler {
        Compiler { description: String::new(), name: Some(name.to_owned()), llvm, clippy }
    }

    /// The commands, which have to be so many.
    fn lines<const N: usize>(survey: &Survey) -> [String; N] {
        let lines: Vec<_> = plan(survey).iter().map(|step| step.words.join(" ")).collect();
        lines.try_into().unwrap_or_else(|lines| panic!("expected {N} commands: {lines:#?}"))
    }

    #[test]
    fn nothing_missing_needs_nothing() {
        assert_eq!(plan(&complete()), []);
    }

    #[test]
    fn an_empty_machine_gets_debians_compiler_and_a_linker_of_the_same_llvm() {
        let missing_for_linker = vec!["llvm-22-dev".to_owned(), "g++".to_owned()];
        let [update, install, link, build] =
            lines(&Survey { linker: false, missing_for_linker, ..no_compiler() });
        assert!(update.ends_with("apt-get -qq update"));
        assert!(install.ends_with("libstd-rust-web-dev-bpf rust-web-clippy llvm-22-dev g++"), "{install}");
        assert_eq!(link, "rustup toolchain link debian /usr");
        assert!(build.contains("LLVM_PREFIX=/usr/lib/llvm-22 cargo install"), "{build}");
    }

    #[test]
    fn an_interrupted_installation_is_finished_before_anything_is_installed() {
        let [finish, _update, _install, _link] = lines(&Survey { dpkg_interrupted: true, ..no_compiler() });
        assert_eq!(finish, "dpkg --configure -a");
        assert_eq!(plan(&Survey { dpkg_interrupted: true, ..complete() }), []);
    }

    #[test]
    fn without_rustup_nothing_is_linked() {
        let [_update, install] = lines(&Survey { rustup: false, ..no_compiler() });
        assert!(install.contains("rustc-web"), "{install}");
    }

    #[test]
    fn a_compiler_that_rustup_does_not_know_is_only_linked() {
        let [link] = lines(&Survey { debian_compiler: true, ..no_compiler() });
        assert_eq!(link, "rustup toolchain link debian /usr");
    }

    #[test]
    fn a_nightly_gets_a_linker_of_its_own_llvm() {
        let [_update, install, build] = lines(&Survey {
            compiler: Ok(compiler("nightly", 23, true)),
            linker: false,
            llvm: 23,
            missing_for_linker: vec!["llvm-23-dev".to_owned()],
            ..complete()
        });
        assert!(install.ends_with("llvm-23-dev"), "{install}");
        assert!(build.ends_with("--features llvm-23"), "{build}");
    }

    #[test]
    fn where_packages_fail_there_is_the_other_compiler() {
        let other = |survey: Survey| plan(&survey).into_iter().find_map(|step| step.otherwise);
        assert_eq!(other(no_compiler()).as_deref(), Some(NIGHTLY));
        let nightly = compiler("nightly", 23, true);
        let missing_for_linker = vec!["llvm-23-dev".to_owned()];
        let survey = Survey { compiler: Ok(nightly), linker: false, missing_for_linker, ..complete() };
        assert_eq!(other(survey).as_deref(), Some("SCANGUARD_BPF_TOOLCHAIN=debian cargo xtask setup"));
    }

    #[test]
    fn a_linker_whose_packages_are_there_is_built_without_root() {
        let steps = plan(&Survey { linker: false, ..complete() });
        assert!(steps.iter().all(|step| !step.as_root), "{steps:#?}");
        assert_eq!(steps.len(), 1, "{steps:#?}");
    }

    #[test]
    fn clippy_comes_from_where_the_compiler_came() {
        let without_clippy = |name| Survey { compiler: Ok(compiler(name, 22, false)), ..complete() };
        let [add] = lines(&without_clippy("nightly"));
        assert_eq!(add, "rustup component add clippy --toolchain nightly");
        let [_update, install] = lines(&without_clippy("debian"));
        assert!(install.ends_with("rust-web-clippy"), "{install}");
    }
}
