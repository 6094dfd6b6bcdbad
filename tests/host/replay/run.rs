//! Runs the command, in this process.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::Path;

use clap::Parser as _;
use scanguard::cli::Cli;
use scanguard::exit::Exit;
use scanguard::output::Output;
use scanguard::stop::Stop;
use serde_json::Value;

/// How the command ended, and what it said.
pub(super) struct Run {
    pub(super) exit: Exit,
    pub(super) error: String,
    pub(super) words: String,
    lines: Vec<Value>,
}

/// Runs `scanguard replay FILE --json` with more arguments.
pub(super) fn replay(file: &Path, arguments: &str) -> Run {
    let fixed = ["scanguard", "replay", "--json"].map(str::to_owned);
    let words = fixed.into_iter().chain([file.display().to_string()]);
    let line = words.chain(arguments.split_whitespace().map(str::to_owned));
    let cli = Cli::try_parse_from(line).expect("a command line");
    let (mut data, mut words) = (Vec::new(), Vec::new());
    let mut output = Output { data: &mut data, words: &mut words, is_terminal: false };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let result = runtime.block_on(cli.run(&mut output, &mut Stop::when(pending())));
    let text = String::from_utf8(data).expect("answers are text");
    Run {
        exit: Exit::of(&result),
        error: result.err().map_or_else(String::new, |error| format!("{error:#}")),
        words: String::from_utf8(words).expect("words are text"),
        lines: text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect(),
    }
}

impl Run {
    /// The run, which has to have succeeded.
    pub(super) fn succeeded(self) -> Run {
        assert_eq!(self.exit, Exit::Success, "{}", self.error);
        self
    }

    /// What was dropped, by cause.
    pub(super) fn dropped(&self) -> BTreeMap<&str, u64> {
        self.counted("drop")
    }

    /// What passed, by cause.
    pub(super) fn passed(&self) -> BTreeMap<&str, u64> {
        self.counted("pass")
    }

    fn counted(&self, action: &str) -> BTreeMap<&str, u64> {
        let lines = self.kind("cause").filter(|line| line["action"] == action);
        lines.map(|line| (line["cause"].as_str().expect("a name"), number(&line["packets"]))).collect()
    }

    /// The sources of which something was dropped, loudest first, with how much.
    pub(super) fn sources(&self) -> Vec<(&str, u64)> {
        let lines = self.kind("source");
        lines.map(|line| (line["source"].as_str().expect("an address"), number(&line["dropped"]))).collect()
    }

    /// Who would have been banned, and why.
    pub(super) fn bans(&self) -> Vec<&Value> {
        self.kind("ban").collect()
    }

    /// Scans that many sources shared.
    pub(super) fn incidents(&self) -> Vec<&Value> {
        self.kind("incident").collect()
    }

    /// What conversations would have lost.
    pub(super) fn losses(&self) -> Vec<String> {
        self.kind("loss").map(ToString::to_string).collect()
    }

    /// A number of the capture as a whole.
    pub(super) fn capture(&self, name: &str) -> u64 {
        number(&self.kind("capture").next().expect("the last line")[name])
    }

    fn kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["kind"] == kind)
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
