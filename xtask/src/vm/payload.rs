//! What runs in the virtual machines: the kernel suite, and scanguard for it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell;

/// The programs, built for this machine, and which of the tests to run.
pub(super) struct Payload {
    pub(super) tests: PathBuf,
    pub(super) scanguard: PathBuf,
    pub(super) filters: Vec<String>,
}

impl Payload {
    /// Builds the programs and asks cargo where they are.
    pub(super) fn build(filters: &[String]) -> Result<Self> {
        // The same choice of crates as when the tests run here, so that nothing is built twice.
        let mut command =
            shell::cargo(["build", "--workspace", "--exclude", "scanguard-ebpf", "--bins", "--tests"]);
        command.args(["--quiet", "--message-format", "json-render-diagnostics"]).stdin(Stdio::null());
        let line = shell::show(&command);
        println!("$ {line}");
        let output =
            command.stderr(Stdio::inherit()).output().with_context(|| format!("starting `{line}`"))?;
        ensure!(output.status.success(), "`{line}` failed: {}", output.status);

        let messages = String::from_utf8_lossy(&output.stdout);
        let find = |kind, name| {
            executable(&messages, kind, name).with_context(|| format!("cargo built no {kind} named {name}"))
        };
        Ok(Self {
            tests: find("test", "kernel")?,
            scanguard: find("bin", "scanguard")?,
            filters: filters.to_owned(),
        })
    }
}

/// A program may be built twice, once for its own unit tests, which is not the one that is asked for.
fn executable(messages: &str, kind: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut wanted = messages.filter(|message| {
        let is = |field, value: Value| message.pointer(field) == Some(&value);
        is("/target/kind/0", kind.into())
            && is("/target/name", name.into())
            && is("/profile/test", (kind == "test").into())
    });
    wanted.find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::executable;

    #[test]
    fn a_programs_own_unit_tests_are_not_the_program() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"scanguard"},"profile":{"test":true},"executable":"/t/debug/deps/scanguard-1"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"scanguard"},"profile":{"test":false},"executable":"/t/debug/scanguard"}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"kernel"},"profile":{"test":true},"executable":"/t/debug/deps/kernel-2"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "bin", "scanguard"), Some(PathBuf::from("/t/debug/scanguard")));
        assert_eq!(executable(messages, "test", "kernel"), Some(PathBuf::from("/t/debug/deps/kernel-2")));
        assert_eq!(executable(messages, "test", "host"), None);
    }
}
