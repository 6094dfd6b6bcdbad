//! `check` tells what is missing and what the policy means, and changes nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_harness::Lab;
use serde_json::Value;

use crate::guard::Guard;
use crate::policy::Policy;

const LIMIT: Duration = Duration::from_secs(60);
const NOBODY: [&str; 2] = ["setpriv", "--bounding-set=-all"];

#[test]
fn what_is_there_is_told_and_nothing_is_changed() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let told = guard.run("check eth0")?;
    for part in
        ["ok       kernel: Linux ", "ok       privileges: ", "ok       eth0: no XDP program", "MTU: 1500"]
    {
        ensure!(told.contains(part), "no {part:?} in {told}");
    }
    ensure!(told.contains("preset balanced (the usual one)"), "{told}");
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn the_policy_in_force_is_told_in_figures() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    guard.run("attach eth0 --preset tolerant")?;
    let (_, told) = check(&guard, &[], "check eth0 --json")?;
    let policy = told.last().context("nothing was told")?;
    ensure!(policy["policy"] == "in force now" && policy["closed_ports"] == 9, "{policy}");
    ensure!(policy["one_mistaken_in"] == 100_000 && policy["one_missed_in"] == 100, "{policy}");

    let file = Policy::write("preset = \"sensitive\"\n[ban]\nfirst = \"1h\"\n")?;
    let (_, told) = check(&guard, &[], &format!("check eth0 --json --policy {}", file.path()))?;
    let policy = told.last().context("nothing was told")?;
    ensure!(policy["preset"] == "sensitive" && policy["closed_ports"] == 4, "{policy}");
    ensure!(policy["first_ban"] == 3_600, "{policy}");
    Ok(())
}

#[test]
fn what_is_missing_is_told_and_is_the_exit_code() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for (wrapper, line, code, problem) in [
        (&[][..], "check lo --json", 4, "carries only what this host says to itself"),
        (&[][..], "check eth7 --json", 3, "no such interface"),
        (&NOBODY[..], "check eth0 --json", 5, "run it as root"),
    ] {
        let (ended, told) = check(&guard, wrapper, line)?;
        ensure!(ended == Some(code), "`{line}` ended with {ended:?} and not {code}: {told:?}");
        let missing = told.iter().find(|finding| finding["ok"] == false).context("nothing is missing")?;
        ensure!(
            missing["finding"].as_str().is_some_and(|text| text.contains(problem)),
            "`{line}`: {missing}"
        );
        ensure!(told.last().is_some_and(|policy| policy["closed_ports"] == 5), "`{line}`: {told:?}");
    }
    Ok(())
}

/// How `check` ended, and the objects that it told.
fn check(guard: &Guard<'_>, wrapper: &[&str], line: &str) -> Result<(Option<i32>, Vec<Value>)> {
    let output = guard.spawn_through(wrapper, line)?.wait(LIMIT)?;
    let text = String::from_utf8(output.stdout)?;
    let told = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    Ok((output.status.code(), told.with_context(|| format!("reading {text}"))?))
}
