//! Debian's packages of any suite, from the mirror that this machine already uses, without touching what its own
//! apt knows: lists and packages live in a folder of ours, and nothing needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell;

/// apt, seeing one suite and nothing else.
pub(super) struct Apt {
    configuration: PathBuf,
}

/// A package, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(super) struct Package {
    pub(super) version: String,
    /// The packages it needs in exactly its own version: the parts of one build.
    pub(super) parts: Vec<String>,
}

/// Suites that only Debian has.
const SUITES: [&str; 8] = ["bullseye", "bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable"];

/// Where Debian puts the keys of its archive; the newer name first.
const KEYS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

impl Apt {
    /// Prepares a folder for a suite and asks the mirror what is in it.
    pub(super) fn update(suite: &str, folder: &Path) -> Result<Self> {
        let mirror = mirror()?;
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("making {}", folder.display()))?;
        }
        let apt = Self { configuration: folder.join("apt.conf") };
        fs::write(folder.join("sources.list"), source(&mirror, suite)).context("writing sources.list")?;
        fs::write(&apt.configuration, configuration(folder)).context("writing apt.conf")?;
        apt.run("apt-get", &["-qq", "--error-on=any", "update"])?;
        Ok(apt)
    }

    /// The newest version of a package.
    pub(super) fn package(&self, name: &str) -> Result<Package> {
        let output = self.run("apt-cache", &["show", "--no-all-versions", name])?;
        Package::parse(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("apt says nothing of the version of {name}"))
    }

    /// Downloads packages and unpacks them into a folder, which must exist.
    pub(super) fn unpack(&self, names: &[String], folder: &Path) -> Result<()> {
        let mut words = vec!["-qq", "download"];
        words.extend(names.iter().map(String::as_str));
        succeed(self.command("apt-get", &words).current_dir(folder))?;
        for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let file = entry.context("reading what apt downloaded")?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                succeed(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(folder))?;
                fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
            }
        }
        Ok(())
    }

    fn run(&self, program: &str, words: &[&str]) -> Result<Output> {
        succeed(&mut self.command(program, words))
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.configuration).args(words);
        command
    }
}

impl Package {
    fn parse(described: &str) -> Option<Self> {
        let field = |name| described.lines().find_map(|line| line.strip_prefix(name));
        let version = field("Version: ")?;
        let exact = format!(" (= {version})");
        let parts = field("Depends: ")
            .unwrap_or_default()
            .split(", ")
            .filter_map(|dependency| dependency.strip_suffix(&exact))
            .map(str::to_owned)
            .collect();
        Some(Self { version: version.to_owned(), parts })
    }
}

/// Where this machine gets Debian's packages from, as its own configuration says.
fn mirror() -> Result<String> {
    const FORMAT: &str = "$(ORIGIN) $(RELEASE) $(REPO_URI)";
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", FORMAT, "Created-By: Packages", "Component: main"]);
    let output = succeed(&mut command)?;
    choose_mirror(&String::from_utf8_lossy(&output.stdout))
        .context("apt's sources name no mirror of Debian's main archive")
}

/// Others, too, name suites of theirs after Debian's. apt knows the origin of those it has asked before.
fn choose_mirror(targets: &str) -> Option<String> {
    let words = targets.lines().filter_map(|line| {
        let (origin, rest) = line.split_once(' ')?;
        let (suite, address) = rest.split_once(' ')?;
        SUITES.contains(&suite).then_some((origin != "Debian", address))
    });
    words.min_by_key(|(foreign, _)| *foreign).map(|(_, address)| address.to_owned())
}

fn source(mirror: &str, suite: &str) -> String {
    let keys = KEYS.iter().find(|path| Path::new(path).is_file());
    let signed = keys.map(|path| format!(" signed-by={path}")).unwrap_or_default();
    // Not what else the machine's apt may be set up to fetch: translations, screenshots, file lists.
    format!("deb [arch=amd64 target=Packages{signed}] {mirror} {suite} main\n")
}

/// On top of the machine's own configuration, which knows how to reach the mirror.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "root";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Dir::Cache "{folder}/cache";
Dir::Cache::pkgcache "packages.bin";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::status "/dev/null";
"#
    )
}

/// Runs a command, silent unless it fails.
fn succeed(command: &mut Command) -> Result<Output> {
    let line = shell::show(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
        bail!("`{line}` fails: {first}");
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::{Package, choose_mirror};

    #[test]
    fn parts_of_a_build_are_told_from_what_it_needs_besides() {
        let described = "Package: linux-image-7.2-amd64\nVersion: 7.2.13-1\n\
            Depends: dracut | initramfs-tools (>= 0.120), linux-binary-7.2 (= 7.2.13-1), kmod, linux-modules-7.2 (= 7.2.13-1)\n";
        let parts = vec!["linux-binary-7.2".to_owned(), "linux-modules-7.2".to_owned()];
        assert_eq!(Package::parse(described), Some(Package { version: "7.2.13-1".to_owned(), parts }));
    }

    #[test]
    fn a_package_that_needs_nothing_has_no_parts() {
        let package = Package::parse("Version: 1\n").expect("it has a version");
        assert_eq!(package.parts, Vec::<String>::new());
        assert_eq!(Package::parse(""), None);
    }

    #[test]
    fn debians_own_archive_is_preferred_and_its_security_archive_is_not_it() {
        let targets = "Others bookworm http://others.example/\n\
            Debian bookworm-security http://security.example/\n\
            Debian bookworm http://debian.example/debian/\n";
        assert_eq!(choose_mirror(targets).as_deref(), Some("http://debian.example/debian/"));
        assert_eq!(choose_mirror(" trixie http://new.example/\n").as_deref(), Some("http://new.example/"));
        assert_eq!(choose_mirror("Ubuntu noble http://ubuntu.example/\n"), None);
    }
}
