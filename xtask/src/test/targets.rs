//! Which test programs there are, asked of cargo, so that a new one is run without being listed here.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell;

/// The test programs that need no privileges. All others do.
const HOST: [&str; 2] = ["host", "setup"];

/// The names of the workspace's integration tests.
pub(super) struct Targets(Vec<String>);

impl Targets {
    /// Asks cargo.
    pub(super) fn find() -> Result<Self> {
        let mut command = shell::cargo(["metadata", "--no-deps", "--format-version", "1"]);
        let output = command.output().context("starting `cargo metadata`")?;
        ensure!(output.status.success(), "`{}` failed", shell::show(&command));
        let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo's metadata")?;
        Ok(Self(tests(&metadata)))
    }

    /// Arguments for cargo that choose those that need no privileges.
    pub(super) fn host(&self) -> impl Iterator<Item = &str> {
        self.choose(|name| HOST.contains(&name))
    }

    /// Arguments for cargo that choose those that need root.
    pub(super) fn kernel(&self) -> impl Iterator<Item = &str> {
        self.choose(|name| !HOST.contains(&name))
    }

    fn choose(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(move |name| wanted(name)).flat_map(|name| ["--test", name])
    }
}

fn tests(metadata: &Value) -> Vec<String> {
    let list = |value: &Value, key| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list(metadata, "packages")
        .iter()
        .flat_map(|package| list(package, "targets"))
        .filter(|target| target.pointer("/kind/0").is_some_and(|kind| kind == "test"))
        .filter_map(|target| target.get("name").and_then(Value::as_str).map(str::to_owned))
        .collect()
}
