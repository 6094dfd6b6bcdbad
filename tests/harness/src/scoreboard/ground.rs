//! Where techniques are tried.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::heard;
use super::responder::Responder;
use super::said;
use super::subject::Subject;
use super::technique::{Technique, Way};
use super::tool::{Command, Tool};
use crate::{Capture, INTERFACE, Injector, Lab, Process, Service};

/// An address in whose name others ask; it answers for itself what it never asked for.
pub(super) const ZOMBIE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 77);

/// How long an answer may take.
const SETTLE: Duration = Duration::from_millis(150);
/// How long a scanner says nothing that is done, and used to say several times a second how far it is.
const SILENCE: Duration = Duration::from_secs(2);
/// The longest that a scanner may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A lab with something to find in it.
pub(super) struct Ground {
    capture: Capture,
    injector: Injector,
    _web: Service,
    _responder: Responder,
    lab: Lab,
}

/// What came of asking about one subject.
#[derive(Debug)]
pub(super) struct Finding {
    /// What the scanner said.
    pub(super) said: String,
    /// The kinds of answers there were.
    pub(super) heard: BTreeSet<String>,
}

impl Ground {
    pub(super) fn new() -> Result<Self> {
        let lab = Lab::new()?;
        lab.guarded.within(refuse_without_delay)?;
        lab.guarded.run("nft", [packet_filter()])?;
        lab.add_source(ZOMBIE_V4.into())?;
        Ok(Self {
            capture: Capture::on(&lab.outside, INTERFACE)?,
            injector: Injector::on(&lab.outside, INTERFACE)?,
            _web: Service::http(&lab.guarded, Subject::Open.number(false))?,
            _responder: Responder::on(&lab.guarded, Subject::Bound.number(false))?,
            lab,
        })
    }

    /// Guards the host, from now on.
    pub(super) fn guard(&self, scanguard: &Path) -> Result<()> {
        self.lab.guarded.run(scanguard, ["attach", INTERFACE, "--preset", "off"]).map(|_| ())
    }

    /// Asks about the subjects, and returns a finding for each.
    pub(super) fn ask(&self, technique: &Technique, subjects: &[Subject]) -> Result<Vec<Finding>> {
        // What is left of earlier questions is no answer to this one.
        self.capture.frames_after(Duration::ZERO)?;
        let said = match &technique.way {
            Way::Tool { tool, options } => {
                let commands = tool.commands(options, technique.is_v6(), subjects);
                let run = |command| self.run(*tool, command, technique.is_v6());
                // zmap aborts now and then at a failed assertion of its own.
                let said = commands.iter().map(|command| run(command).or_else(|_| run(command)));
                said.collect::<Result<Vec<_>>>()?.concat()
            }
            Way::Frames(frames) => {
                let mut questions = subjects.iter().flat_map(|subject| frames(subject.number(false)));
                questions.try_for_each(|frame| self.injector.send(&frame))?;
                Vec::new()
            }
        };
        let heard = heard::sort(&self.capture.answers_after(SETTLE)?, subjects);
        let mut said = said.into_iter();
        // Nobody is there to say what came of frames of our own, so the answers themselves stand for it.
        Ok(heard
            .into_iter()
            .map(|heard| Finding { said: said.next().unwrap_or_else(|| names(&heard)), heard })
            .collect())
    }

    /// Runs a scanner, and returns what it says of each of the command's subjects.
    fn run(&self, tool: Tool, command: &Command, is_v6: bool) -> Result<Vec<String>> {
        let (program, arguments) = command.words.split_first().context("a command has a first word")?;
        let mut process = self.lab.outside.spawn(program, arguments)?;
        let output = match tool.last_words() {
            Some(last_words) => listen(last_words, &process)?,
            None => finish(tool, &mut process)?,
        };
        Ok(command.subjects.iter().map(|subject| said::of(tool, &output, *subject, is_v6)).collect())
    }
}

/// What a scanner wrote until it had said these words, and then nothing more.
fn listen(last_words: &str, process: &Process) -> Result<String> {
    process.wait_for_silence(last_words, SILENCE, LIMIT)?;
    Ok(process.stdout())
}

/// What a scanner wrote until its end, and how it ended.
fn finish(tool: Tool, process: &mut Process) -> Result<String> {
    let output = process.wait(LIMIT)?;
    let [said, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    ensure!(tool.may_fail() || output.status.success(), "`{}` failed: {complaint}", process.command_line());
    Ok(format!("{said}\n{complaint}\n{}", output.status))
}

fn names(heard: &BTreeSet<String>) -> String {
    if heard.is_empty() {
        return said::NO_ANSWER.to_owned();
    }
    heard.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Rules by which the host itself drops everything for two ports.
fn packet_filter() -> String {
    let [tcp, udp] = [Subject::Filtered, Subject::FilteredUdp].map(|subject| subject.number(false));
    format!(
        "table inet filter {{ chain in {{ type filter hook input priority filter; \
         tcp dport {tcp} drop; udp dport {udp} drop;\n }}\n }}"
    )
}

/// Lets the kernel refuse by ICMP as often as it is asked: usually it does so once a second, and scanners take longer.
fn refuse_without_delay() -> Result<()> {
    for setting in ["/proc/sys/net/ipv4/icmp_ratelimit", "/proc/sys/net/ipv6/icmp/ratelimit"] {
        fs::write(setting, "0").with_context(|| format!("writing 0 to {setting}"))?;
    }
    Ok(())
}
