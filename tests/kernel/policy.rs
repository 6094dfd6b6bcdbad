//! What the operator chose in a file holds, and what is no policy changes nothing.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, Lab, Service};
use serde_json::Value;

use crate::bans::{SSH, bans, objects, refuses_new_connections, scan, scores, the_only};
use crate::conversation::Conversation;
use crate::guard::Guard;

const HTTPS: u16 = 443;

#[test]
fn whoever_is_banned_may_still_use_what_is_published() -> Result<()> {
    let lab = Lab::new()?;
    let _services = [Service::echo(&lab.guarded, SSH)?, Service::echo(&lab.guarded, HTTPS)?];
    let guard = Guard::on(&lab.guarded);
    let policy = Policy::write("preset = \"sensitive\"\npublic = [\"tcp/443\"]\n")?;
    guard.run(&format!("attach eth0 --policy {}", policy.path()))?;
    scan(&lab)?;
    ensure!(the_only(bans(&guard)?)?["source"] == "10.77.0.2", "{:?}", bans(&guard)?);
    refuses_new_connections(&lab, &guard, Cause::Banned, SSH)?;
    Conversation::open(&lab.outside, (GUARDED_V4, HTTPS))?.exchange("published")?;
    // What was on its way when the ban came begins a new score.
    let scores = scores(&guard.run("explain 10.77.0.2")?)?;
    let banned_by = scores.iter().position(|(_, after)| *after >= 3.31);
    ensure!(banned_by == Some(3), "banned by {banned_by:?} of {scores:?}, and not by the fourth");
    Ok(())
}

#[test]
fn what_holds_for_the_whole_host_stays_until_a_policy_says_otherwise() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.ip("link add eth1 type veth peer name eth1-peer")?;
    let guard = Guard::on(&lab.guarded);
    let policy = Policy::write(
        "preset = \"tolerant\"\nhalf_life = \"1h\"\npublic = [\"tcp/443\", \"udp/443\"]\ndecoys = [\"tcp/23\"]\n\
         closed_ports = \"egress\"\nping = \"silent\"\ngateway = [\"eth0\"]\nallow = [\"192.0.2.0/24\"]\n\
         [ban]\nfirst = \"1h\"\nceiling = \"2h\"\nforget = \"3h\"\n",
    )?;
    guard.run(&format!("attach eth0 --policy {}", policy.path()))?;
    let [eth0, rules, _] = status(&guard)?;
    ensure!(eth0["role"] == "gateway" && eth0["ping"] == "silent", "{eth0}");
    ensure!(eth0["closed_ports"] == "silenced at egress", "{eth0}");
    let expected = serde_json::json!({
        "kind": "rules", "preset": "tolerant", "threshold": 8.3, "half_life": 3_600, "first": 3_600, "ceiling": 7_200,
        "forget": 10_800, "public": ["tcp/443", "udp/443"], "decoys": ["tcp/23"],
    });
    ensure!(rules == expected, "{rules}");
    ensure!(guard.run("allow list")?.contains("192.0.2.0/24"), "nobody is allowed");

    guard.run("attach eth1")?;
    let [_, eth1, rules, _] = status(&guard)?;
    ensure!(eth1["role"] == "host" && eth1["ping"] == "answer", "{eth1}");
    ensure!(rules == expected, "a second attach without a policy changed {rules}");
    guard.run("detach eth1")?;

    guard.run("attach eth1 --preset sensitive --ping silent --gateway")?;
    let [_, eth1, rules, _] = status(&guard)?;
    ensure!(eth1["role"] == "gateway" && eth1["ping"] == "silent", "{eth1}");
    ensure!(rules["preset"] == "sensitive" && rules["public"] == expected["public"], "{rules}");
    guard.run("detach eth1")?;

    let other = Policy::write("decoys = [\"udp/161\"]\n")?;
    guard.run(&format!("attach eth1 --policy {}", other.path()))?;
    let [.., rules, _] = status::<4>(&guard)?;
    ensure!(rules["preset"] == "balanced" && rules["first"] == 600, "{rules}");
    ensure!(
        rules["public"] == serde_json::json!([]) && rules["decoys"] == serde_json::json!(["udp/161"]),
        "{rules}"
    );
    Ok(())
}

#[test]
fn an_attach_that_fails_leaves_the_rules_as_they_were() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.ip("link add br0 type bridge")?;
    let guard = Guard::on(&lab.guarded);
    let before = Policy::write("preset = \"tolerant\"\npublic = [\"tcp/443\"]\n")?;
    guard.run(&format!("attach eth0 --policy {}", before.path()))?;
    let [_, rules, _] = status(&guard)?;
    let other = Policy::write("preset = \"sensitive\"\ndecoys = [\"tcp/23\"]\nallow = [\"192.0.2.7\"]\n")?;
    // A bridge cannot run the program itself, which is found out last.
    let line = format!("attach br0 --mode native --policy {}", other.path());
    let (code, words) = guard.fail_through(&[], &line)?;
    ensure!(code == 4, "{code}: {words}");
    let [_, after, maps] = status(&guard)?;
    ensure!(after == rules, "{rules} became {after}");
    ensure!(maps["allowed"] == 0, "{maps}");
    Ok(())
}

#[test]
fn a_policy_that_is_not_understood_changes_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for (text, problem) in [
        ("preset = \"balancd\"\n", ":1: preset: balancd: no such choice; did you mean balanced?"),
        ("ping = \"silent\"\npublik = []\n", ":2: publik: no such key; did you mean public?"),
        ("gateway = [\"eth7\"]\n", ":1: gateway: eth7: no such choice; did you mean eth0?"),
    ] {
        let policy = Policy::write(text)?;
        let line = format!("attach eth0 --policy {}", policy.path());
        let (code, words) = guard.fail_through(&[], &line)?;
        ensure!(code == 23 && words.contains(problem), "{text}: {code}: {words}");
        ensure!(guard.is_gone()?, "{text}: something is left");
    }
    let (code, words) = guard.fail_through(&[], "attach eth0 --policy /no/such/file")?;
    ensure!(code == 23 && words.contains("/no/such/file: cannot be read"), "{code}: {words}");
    Ok(())
}

/// A policy file, gone on drop.
pub(crate) struct Policy(PathBuf);

impl Policy {
    pub(crate) fn write(text: &str) -> Result<Policy> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("scanguard-policy-{}-{number}.toml", std::process::id()));
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(Policy(path))
    }

    pub(crate) fn path(&self) -> std::path::Display<'_> {
        self.0.display()
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What `status` tells, so many objects: of each interface, of the rules, of the maps.
fn status<const N: usize>(guard: &Guard<'_>) -> Result<[Value; N]> {
    let told = objects(&guard.run("status --json")?)?;
    told.try_into().map_err(|told| anyhow!("not {N} objects: {told:?}"))
}
