//! The demo leaves nothing behind: no process, no pin, no link, no namespace, whenever and however it is interrupted.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use scanguard_harness::Host;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// In the environment of a demo and of whatever it starts, so that they are found again.
const MARK: &str = "SCANGUARD_TEST_OF_DEMO";

/// What the demo has printed at the moment when it is interrupted.
const MOMENTS: [(&str, &str); 5] = [
    ("at the beginning", ""),
    ("when the hosts are there", "Two hosts and a cable"),
    ("during the first scan", "outside$ for kind in"),
    ("with a download under way", "--limit-rate"),
    ("when it is guarded", "guarded, in native mode"),
];

#[test]
fn interrupted_by_ctrl_c_the_demo_leaves_nothing() -> Result<()> {
    at_every_moment(Signal::SIGINT)
}

#[test]
fn ended_by_sigterm_the_demo_leaves_nothing() -> Result<()> {
    at_every_moment(Signal::SIGTERM)
}

#[test]
fn killed_the_demo_leaves_nothing() -> Result<()> {
    at_every_moment(Signal::SIGKILL)
}

#[test]
fn ended_by_itself_the_demo_leaves_nothing() -> Result<()> {
    let machine = Host::new("machine")?;
    let mut demo = Demo::start(&machine, "by itself")?;
    demo.reach("guarded$ scanguard stats")?;
    let held = demo.held()?;
    let status = demo.child.wait()?;
    demo.has_left_nothing(&machine, &held)?;
    ensure!(status.success(), "{status}: {}", demo.last_word()?);
    Ok(())
}

#[test]
fn left_by_its_reader_the_demo_leaves_nothing() -> Result<()> {
    let machine = Host::new("machine")?;
    for (moment, printed) in MOMENTS {
        let mut demo = Demo::start(&machine, &format!("left {moment}"))?;
        demo.reach(printed)?;
        let held = demo.held()?;
        demo.told = None;
        let status = demo.child.wait()?;
        demo.has_left_nothing(&machine, &held).context(moment)?;
        ensure!(status.success(), "left {moment}: {status}: {}", demo.last_word()?);
    }
    Ok(())
}

fn at_every_moment(signal: Signal) -> Result<()> {
    let machine = Host::new("machine")?;
    for (moment, printed) in MOMENTS {
        let what = format!("{signal} {moment}");
        let mut demo = Demo::start(&machine, &what)?;
        demo.reach(printed)?;
        let held = demo.held()?;
        ensure!(printed.is_empty() || held.namespaces.len() == 4, "two hosts have {:?}", held.namespaces);
        let is_guarded = printed.starts_with("guarded, ");
        ensure!(!is_guarded || held.links.len() == 1, "{what}: one link, not {:?}", held.links);
        kill(demo.pid()?, signal)?;
        let status = demo.child.wait()?;
        demo.has_left_nothing(&machine, &held).with_context(|| what.clone())?;
        ensure!(!status.success(), "{what}: it went on to its end");
        if signal != Signal::SIGKILL && !printed.is_empty() {
            let word = demo.last_word()?;
            ensure!(word == "xtask: interrupted; nothing is left behind", "{what}: {word}");
        }
    }
    Ok(())
}

/// A demo under way, on a machine of its own. It is no process of the harness, which would itself end what is left.
struct Demo {
    child: Child,
    told: Option<Lines<BufReader<ChildStdout>>>,
    mark: String,
}

/// What a demo holds while it runs.
struct Held {
    /// Its hosts' network and mount namespaces, as `/proc/PID/fd` calls them.
    namespaces: Vec<String>,
    /// The kernel's numbers for the links that are pinned in them.
    links: Vec<u32>,
}

impl Demo {
    fn start(machine: &Host, what: &str) -> Result<Demo> {
        let scanguard = std::env::var_os("SCANGUARD_BIN")
            .context("SCANGUARD_BIN names no scanguard to show: run `cargo xtask test`")?;
        let mark = format!("{} {what}", std::process::id());
        let mut command = machine.command(env!("CARGO_BIN_EXE_xtask"));
        command.args(["demo", "--scanguard"]).arg(scanguard).env(MARK, &mark).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting the demo")?;
        let told = child.stdout.take().context("standard output is no pipe")?;
        Ok(Demo { child, told: Some(BufReader::new(told).lines()), mark: format!("{MARK}={mark}") })
    }

    fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(self.child.id().try_into()?))
    }

    /// Waits until this was printed; it does not take long, because nothing in the demo does.
    fn reach(&mut self, printed: &str) -> Result<()> {
        let mut lines = self.told.iter_mut().flatten();
        while !printed.is_empty() {
            let line = lines.next().with_context(|| format!("it ended before it printed {printed:?}"))?;
            if line?.contains(printed) {
                break;
            }
        }
        Ok(())
    }

    /// The one line on its standard error.
    fn last_word(&mut self) -> Result<String> {
        let mut line = String::new();
        BufReader::new(self.child.stderr.take().context("it was read already")?).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn held(&self) -> Result<Held> {
        let mut held = Held { namespaces: Vec::new(), links: Vec::new() };
        let folder = PathBuf::from(format!("/proc/{}/fd", self.child.id()));
        for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
            let path = entry?.path();
            let Ok(target) = fs::read_link(&path) else { continue }; // closed meanwhile
            let target = target.to_string_lossy().into_owned();
            if target.starts_with("mnt:[") {
                held.links.extend(links_pinned_in(&path)?);
            }
            if target.starts_with("mnt:[") || target.starts_with("net:[") {
                held.namespaces.push(target);
            }
        }
        Ok(held)
    }

    /// Namespaces, and what lives in them, go a moment after their last holder.
    fn has_left_nothing(&self, machine: &Host, held: &Held) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = self.left(machine, held)?;
            if left.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "it left {}", left.join(", "));
            sleep(POLL);
        }
    }

    fn left(&self, machine: &Host, held: &Held) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for process in processes()? {
            if fs::read(process.join("environ"))
                .is_ok_and(|all| all.split(|b| *b == 0).any(|one| one == self.mark.as_bytes()))
            {
                left.push(format!("the process {}", process.display()));
            }
            for namespace in ["ns/net", "ns/mnt"] {
                let inside = fs::read_link(process.join(namespace));
                if inside.is_ok_and(|inside| held.namespaces.iter().any(|one| Path::new(one) == inside)) {
                    left.push(format!("a process in its {namespace}: {}", process.display()));
                }
            }
        }
        for link in &held.links {
            if exists(*link)? {
                left.push(format!("the link {link}"));
            }
        }
        let pins = machine.within(|| Path::new("/sys/fs/bpf/scanguard").exists());
        let interfaces = machine.ip("-brief link")?.lines().count();
        if pins || interfaces != 1 {
            left.push(format!("{interfaces} interfaces; pins: {pins}"));
        }
        Ok(left)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Where the test has failed, the next one must not find what this one left.
        if let Ok(group) = self.pid() {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn processes() -> Result<Vec<PathBuf>> {
    let all = fs::read_dir("/proc").context("listing /proc")?.flatten().map(|entry| entry.path());
    let is_process =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
    Ok(all.filter(is_process).collect())
}

/// The link of the guarded host's interface, where these mounts are the guarded host's and it is guarded.
fn links_pinned_in(mounts: &Path) -> Result<Option<u32>> {
    const PIN: &str = "/sys/fs/bpf/scanguard/links/0";
    let enter = format!("--mount={}", mounts.display());
    let answer =
        Command::new("nsenter").args([&enter, "bpftool", "--json", "link", "show", "pinned", PIN]).output();
    let answer = answer.context("starting nsenter")?;
    if !answer.status.success() {
        return Ok(None);
    }
    let link: Value =
        serde_json::from_slice(&answer.stdout).context("reading what bpftool says of a link")?;
    let number = link.get("id").and_then(Value::as_u64).context("a link without a number")?;
    Ok(Some(u32::try_from(number)?))
}

fn exists(link: u32) -> Result<bool> {
    let question = ["link", "show", "id", &link.to_string()].map(str::to_owned);
    Ok(Command::new("bpftool").args(question).output().context("starting bpftool")?.status.success())
}
