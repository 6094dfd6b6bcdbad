//! Set-up on machines that have one thing and lack another: compilers, package managers and linkers are stand-ins, so
//! that what is chosen, said and done can be seen without changing this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

const TARGET: &str = if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

/// Answers as rustup does of toolchains, which are folders beside it, and makes one where it is told to link one.
const RUSTUP: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "rustup $*" >>"$here/done"
case "$1 $2" in
"run "*)
    [ -d "$here/toolchains/$2" ] || exit 1
    case "$3 $4" in
    "rustc --print") echo "$here/toolchains/$2" ;;
    "rustc --version") echo "rustc 1.99.0-$2 (0 2026-01-01)" ;;
    "rustc -vV") echo "LLVM version: $(cat "$here/toolchains/$2/llvm")" ;;
    "cargo-clippy --version") [ -e "$here/toolchains/$2/clippy" ] ;;
    *) exit 1 ;;
    esac ;;
"toolchain link") cp -r "$here/linkable" "$here/toolchains/$3" ;;
"component add") touch "$here/toolchains/$5/clippy" ;;
"--version "*) echo "rustup 1.0" ;;
*) exit 1 ;;
esac
"#;

/// Installs the linker, which says its version.
const CARGO: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "cargo $*" >>"$here/done"
printf '#!/bin/sh\necho bpf-linker\n' >"$here/bpf-linker"
chmod +x "$here/bpf-linker"
"#;

const APT_GET: &str = "#!/bin/sh\necho \"apt-get $*\" >>\"$(dirname \"$0\")/done\"\n";
const SUDO: &str = "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nexec \"$@\"\n";
const DOES_NOTHING: &str = "#!/bin/sh\n";

/// A folder that is all there is on PATH before the system's own.
struct Machine {
    folder: PathBuf,
    path: String,
}

impl Machine {
    /// A Debian with rustup and with every tool, but with neither compiler nor linker.
    fn debian(name: &str) -> Result<Machine> {
        let machine = Machine::without_apt(name)?;
        machine.program("apt-get", APT_GET)?;
        machine.program("sudo", SUDO)?;
        machine.program("dpkg", DOES_NOTHING)?;
        machine.with_every_tool()
    }

    /// The same on another distribution: only the shell and what these stand-ins call is taken from this machine.
    fn without_apt(name: &str) -> Result<Machine> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder); // what an earlier run left, if there was one
        fs::create_dir_all(folder.join("toolchains"))?;
        for program in ["sh", "dirname", "cat", "cp", "touch", "chmod", "env", "true"] {
            std::os::unix::fs::symlink(Path::new("/bin").join(program), folder.join(program))?;
        }
        let path = folder.to_string_lossy().into_owned();
        let machine = Machine { folder, path };
        machine.program("rustup", RUSTUP)?;
        machine.program("cargo", CARGO)?;
        machine.has_core(&machine.folder.join("linkable"), "22.1.8")?;
        Ok(machine)
    }

    fn with_every_tool(self) -> Result<Machine> {
        for line in self.setup(&["--dry-run"], &[])?.said.lines() {
            if let Some((tool, _)) = line.strip_suffix(": missing").and_then(|tool| tool.split_once(", for "))
            {
                self.program(tool, DOES_NOTHING)?;
            }
        }
        Ok(self)
    }

    fn program(&self, name: &str, text: &str) -> Result<()> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?)
    }

    /// A compiler with a compiled `core`, as Debian's.
    fn has_core(&self, toolchain: &Path, llvm: &str) -> Result<()> {
        let core = toolchain.join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&core)?;
        fs::write(core.join("libcore-0.rlib"), "")?;
        fs::write(toolchain.join("clippy"), "")?;
        Ok(fs::write(toolchain.join("llvm"), llvm)?)
    }

    fn has_debian(&self) -> Result<()> {
        self.has_core(&self.folder.join("toolchains/debian"), "22.1.8")
    }

    /// A nightly, with the source of `core` or without.
    fn has_nightly(&self, with_source: bool) -> Result<()> {
        let toolchain = self.folder.join("toolchains/nightly");
        fs::create_dir_all(&toolchain)?;
        if with_source {
            fs::create_dir_all(toolchain.join("lib/rustlib/src/rust/library/core"))?;
        }
        fs::write(toolchain.join("clippy"), "")?;
        Ok(fs::write(toolchain.join("llvm"), "23.1.0")?)
    }

    fn setup(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Answer> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("setup").args(arguments).env("PATH", &self.path).envs(variables.iter().copied());
        if variables.is_empty() {
            command.env_remove("SCANGUARD_BPF_TOOLCHAIN");
        }
        let Output { status, stdout, stderr } = command.output().context("starting xtask")?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { succeeded: status.success(), said: text(&stdout), complaint: text(&stderr) })
    }

    /// What was done that changes something.
    fn done(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.folder.join("done")).unwrap_or_default();
        let changes =
            text.lines().filter(|line| !line.starts_with("rustup run") && *line != "rustup --version");
        Ok(changes.map(str::to_owned).collect())
    }
}

struct Answer {
    succeeded: bool,
    said: String,
    complaint: String,
}

impl Answer {
    fn compiler(&self) -> &str {
        self.said.lines().find_map(|line| line.strip_prefix("compiler for BPF: ")).unwrap_or("not said")
    }
}

#[test]
fn of_two_compilers_it_says_which_it_chose() -> Result<()> {
    const NIGHTLY: &str = "rustup's toolchain `nightly`, compiling `core` from rust-src";
    const DEBIAN: &str = "rustup's toolchain `debian`, with its own `core` for BPF";
    let machine = Machine::debian("two-compilers")?;
    ensure!(machine.setup(&["--dry-run"], &[])?.compiler() == "missing");
    machine.has_nightly(false)?;
    ensure!(
        machine.setup(&["--dry-run"], &[])?.compiler() == "missing",
        "a nightly without source cannot do it"
    );
    machine.has_nightly(true)?;
    ensure!(machine.setup(&["--dry-run"], &[])?.compiler() == NIGHTLY);
    machine.has_debian()?;
    ensure!(machine.setup(&["--dry-run"], &[])?.compiler() == DEBIAN);
    let wish = [("SCANGUARD_BPF_TOOLCHAIN", "nightly")];
    ensure!(machine.setup(&["--dry-run"], &wish)?.compiler() == NIGHTLY, "the wish was not heard");
    Ok(())
}

#[test]
fn it_says_what_it_does_before_it_does_it_and_has_nothing_to_do_the_second_time() -> Result<()> {
    let machine = Machine::debian("twice")?;
    let planned = machine.setup(&["--dry-run"], &[])?;
    ensure!(machine.done()?.is_empty(), "a dry run did {:?}", machine.done()?);

    let first = machine.setup(&[], &[])?;
    ensure!(first.succeeded, "{}{}", first.said, first.complaint);
    ensure!(first.said.starts_with(&planned.said), "it planned {} and did {}", planned.said, first.said);
    let done = machine.done()?;
    ensure!(done.iter().any(|line| line == "rustup toolchain link debian /usr"), "{done:?}");
    let linker = "cargo install bpf-linker@0.13.0 --locked --no-default-features --features llvm-22";
    ensure!(done.last().is_some_and(|line| line == linker), "{done:?}");
    for line in &done {
        let line = line.trim_start_matches("apt-get ");
        let announced = planned.said.find(line);
        ensure!(announced.is_some(), "{line} was not announced: {}", planned.said);
    }

    let second = machine.setup(&[], &[])?;
    ensure!(second.succeeded && second.said.ends_with("set-up: nothing to do\n"), "{}", second.said);
    ensure!(machine.done()? == done, "the second time it did {:?}", machine.done()?);
    Ok(())
}

#[test]
fn with_a_nightly_the_linker_is_built_for_its_llvm() -> Result<()> {
    let machine = Machine::debian("nightly")?;
    machine.has_nightly(true)?;
    let answer = machine.setup(&[], &[])?;
    ensure!(answer.succeeded, "{}{}", answer.said, answer.complaint);
    let done = machine.done()?;
    ensure!(done.last().is_some_and(|line| line.ends_with("--features llvm-23")), "{done:?}");
    ensure!(!done.iter().any(|line| line.contains("debian")), "it has a compiler already: {done:?}");
    Ok(())
}

#[test]
fn without_apt_everything_is_left_to_the_user_and_said() -> Result<()> {
    let machine = Machine::without_apt("no-apt")?;
    let answer = machine.setup(&[], &[])?;
    ensure!(!answer.succeeded, "{}", answer.said);
    for remedy in
        ["rustup toolchain install nightly --component rust-src,clippy", "cargo install bpf-linker", "nmap"]
    {
        ensure!(answer.complaint.contains(remedy), "{remedy} is not said: {}", answer.complaint);
    }
    ensure!(machine.done()?.is_empty(), "it did {:?}", machine.done()?);

    machine.has_nightly(true)?;
    machine.program("bpf-linker", DOES_NOTHING)?;
    let machine = machine.with_every_tool()?;
    let answer = machine.setup(&[], &[])?;
    ensure!(answer.succeeded && answer.said.ends_with("set-up: nothing to do\n"), "{}", answer.complaint);
    ensure!(answer.compiler().contains("`nightly`"), "{}", answer.said);
    Ok(())
}

#[test]
fn a_wish_that_cannot_be_fulfilled_is_an_error_and_changes_nothing() -> Result<()> {
    let machine = Machine::debian("wish")?;
    machine.has_debian()?;
    let answer = machine.setup(&[], &[("SCANGUARD_BPF_TOOLCHAIN", "nosuch")])?;
    ensure!(
        !answer.succeeded && answer.complaint.contains("SCANGUARD_BPF_TOOLCHAIN=nosuch"),
        "{}",
        answer.complaint
    );
    ensure!(machine.done()?.is_empty(), "it did {:?}", machine.done()?);
    Ok(())
}
