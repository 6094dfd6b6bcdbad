//! How to get root's rights, and whether they are enough.

use std::io::{IsTerminal, stdin};
use std::process::{Command, Stdio};

use nix::unistd::Uid;

use crate::shell;

/// A way to run a command as root.
#[derive(Clone, Copy)]
pub(crate) enum Root {
    /// We are.
    Already,
    /// sudo lets us, or there is a terminal where it can ask.
    Sudo,
}

impl Root {
    /// Finds the way, or says why there is none.
    pub(crate) fn find() -> Result<Self, String> {
        if Uid::effective().is_root() {
            return Ok(Self::Already);
        }
        if shell::find("sudo").is_none() {
            return Err("not root, and there is no sudo".to_owned());
        }
        let unasked = Command::new("sudo").args(["--non-interactive", "true"]).stderr(Stdio::null()).status();
        if unasked.is_ok_and(|status| status.success()) || stdin().is_terminal() {
            Ok(Self::Sudo)
        } else {
            Err("not root, and sudo wants a password but has no terminal to ask on".to_owned())
        }
    }

    /// What to put before a command.
    pub(crate) fn prefix(self) -> &'static [&'static str] {
        match self {
            Self::Already => &[],
            Self::Sudo => &["sudo", "--preserve-env"],
        }
    }

    /// A command of the given words that runs as root.
    pub(crate) fn command<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Command {
        shell::command(self.prefix().iter().copied().chain(words))
    }

    /// What keeps root from using BPF in a network namespace of its own: in a container, that may be a lot.
    pub(crate) fn obstacle(self) -> Option<String> {
        // The mount goes with its namespace, and the map that is pinned there goes with the mount.
        const MAKE_A_MAP: &str = "mount -t bpf bpf /mnt && \
            bpftool map create /mnt/probe type array key 4 value 4 entries 1 name probe";
        let mut probe = self.command(["unshare", "--net", "--mount", "sh", "-c", MAKE_A_MAP]);
        let reason = match probe.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => return None,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => format!("starting `unshare`: {error}"),
        };
        Some(format!("not even root can make a BPF map in a network namespace here: {}", complaint(&reason)))
    }
}

/// The line that tells what went wrong. It is the last one that stands on its own: `mount` indents its hints.
fn complaint(said: &str) -> &str {
    let own = |line: &&str| !line.is_empty() && !line.starts_with(char::is_whitespace);
    said.lines().rfind(own).unwrap_or("it does not say why")
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn a_hint_is_not_the_reason() {
        let mount = "mount: /mnt: permission denied.\n       dmesg(1) may have more information after failed mount system call.\n";
        assert_eq!(complaint(mount), "mount: /mnt: permission denied.");
        assert_eq!(complaint("libbpf: a warning\nError: it failed\n\n"), "Error: it failed");
        assert_eq!(complaint(""), "it does not say why");
    }
}
