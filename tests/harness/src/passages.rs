//! What legitimate traffic notices of a guard: a row for each scene that the tests play.
//!
//! A scene is a test. When it ends it prints its row, and whoever publishes the rows reads them there: so nothing is
//! measured twice, and what virtual machines measure is read from their consoles in the same way.

mod markdown;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

pub(crate) use markdown::TITLE;

/// What a row begins with where a test prints it.
const MARK: &str = "passage: ";

/// What was counted of one scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The scene, which is named after its test.
    pub scene: SceneName,
    /// The kernel, by the first two numbers of its release.
    pub kernel: String,
    /// Frames that came in by guarded interfaces.
    pub received: u64,
    /// Frames that scanguard dropped, coming in or going out.
    pub dropped: u64,
    /// Connections that were tried, and questions that were asked without one.
    pub tried: u64,
    /// Those that failed, or ended otherwise than without scanguard.
    pub failed: u64,
}

/// A scene, and the group that it is published in, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SceneName {
    group: String,
    words: String,
}

/// The rows of all scenes, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passages {
    rows: Vec<Passage>,
}

impl Passage {
    /// Whether legitimate traffic was harmed, or there was none.
    pub fn falls_short(&self) -> bool {
        self.received == 0 || self.dropped > 0 || self.failed > 0
    }
}

impl SceneName {
    /// The name of the scene that a test plays, by the test's path.
    ///
    /// # Errors
    ///
    /// Fails where the test is in no module.
    pub fn of_test(path: &str) -> Result<Self> {
        let mut parts = path.rsplit("::").map(|part| part.replace('_', " "));
        match (parts.next(), parts.next()) {
            (Some(words), Some(group)) => Ok(Self { group, words }),
            _ => bail!("{path} is no path of a test"),
        }
    }

    /// The names of the scenes among the tests that a test program lists in its terse format.
    ///
    /// # Errors
    ///
    /// Fails at a line that lists something else.
    pub fn listed(list: &str) -> Result<BTreeSet<Self>> {
        let tests = list.lines().map(|line| line.strip_suffix(": test").with_context(|| line.to_owned()));
        tests.map(|test| Self::of_test(test?)).collect()
    }
}

impl fmt::Display for SceneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.group, self.words)
    }
}

impl Passages {
    /// Reads the rows that tests printed among other things.
    ///
    /// # Errors
    ///
    /// Fails at a row that is none, and where a scene has two.
    pub fn printed(output: &str) -> Result<Self> {
        let rows = output.lines().filter_map(|line| line.trim_end().strip_prefix(MARK));
        Self::of_rows(rows.map(str::parse).collect::<Result<_>>()?)
    }

    /// Reads the rows of the page that is published.
    ///
    /// # Errors
    ///
    /// Fails, naming the line, at a row that does not fit its table.
    pub fn from_markdown(text: &str) -> Result<Self> {
        Self::of_rows(markdown::read(text)?)
    }

    /// Returns the part of the page that is published.
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    /// Adds the rows of other scenes.
    ///
    /// # Errors
    ///
    /// Fails where a scene has two rows then.
    pub fn and(self, others: Self) -> Result<Self> {
        Self::of_rows([self.rows, others.rows].concat())
    }

    /// Demands a row for each of these scenes, and none for any other.
    ///
    /// # Errors
    ///
    /// Fails with the names of those that are missing or too many.
    pub fn are_of(&self, scenes: &BTreeSet<SceneName>) -> Result<()> {
        let present: BTreeSet<SceneName> = self.rows.iter().map(|row| row.scene.clone()).collect();
        let named = |names: Vec<&SceneName>| names.iter().map(|name| format!("\n{name}")).collect::<String>();
        let missing = named(scenes.difference(&present).collect());
        let unknown = named(present.difference(scenes).collect());
        ensure!(missing.is_empty(), "scenes without a row:{missing}");
        ensure!(unknown.is_empty(), "rows without a scene:{unknown}");
        Ok(())
    }

    /// Returns the rows in which legitimate traffic was harmed.
    pub fn short(&self) -> Vec<&Passage> {
        self.rows.iter().filter(|row| row.falls_short()).collect()
    }

    fn of_rows(mut rows: Vec<Passage>) -> Result<Self> {
        rows.sort_by(|one, other| one.scene.cmp(&other.scene));
        for pair in rows.windows(2) {
            let [one, other] = pair else { continue };
            ensure!(one.scene != other.scene, "{}: two rows", one.scene);
        }
        Ok(Self { rows })
    }
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scene: SceneName { group, words }, kernel, received, dropped, tried, failed } = self;
        write!(f, "{MARK}{group}|{words}|{received}|{dropped}|{tried}|{failed}|{kernel}")
    }
}

impl FromStr for Passage {
    type Err = anyhow::Error;

    fn from_str(row: &str) -> Result<Self> {
        let cells: Vec<&str> = row.split('|').collect();
        let [group, words, numbers @ .., kernel] = cells.as_slice() else { bail!("{row}: too few cells") };
        let numbers = numbers.iter().map(|number| number.parse()).collect::<Result<Vec<u64>, _>>();
        let [received, dropped, tried, failed] =
            numbers.with_context(|| row.to_owned())?.try_into().ok().with_context(|| row.to_owned())?;
        let scene = SceneName { group: (*group).to_owned(), words: (*words).to_owned() };
        Ok(Self { scene, kernel: (*kernel).to_owned(), received, dropped, tried, failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(test: &str, failed: u64) -> Passage {
        let scene = SceneName::of_test(test).expect("a path");
        Passage { scene, kernel: "6.18".to_owned(), received: 7, dropped: 0, tried: 2, failed }
    }

    #[test]
    fn what_a_test_prints_is_read_again() {
        let rows = [passage("legitimate::volume::bulk_data", 0), passage("legitimate::idle::urgent_data", 1)];
        let output = format!("running 2 tests\n{}\r\nok\n{}\n", rows[0], rows[1]);
        let passages = Passages::printed(&output).expect("rows");
        assert_eq!(passages.short(), [&rows[1]]);
        assert_eq!(Passages::from_markdown(&passages.to_markdown()).expect("a page"), passages);
    }

    #[test]
    fn every_scene_has_one_row() {
        let list = "legitimate::volume::bulk_data: test\nportable::legitimate::vrf::a_service: test\n";
        let scenes = SceneName::listed(list).expect("a list");
        let row = |test| Passages::of_rows(vec![passage(test, 0)]).expect("one row");
        let (bulk, service) = (row("legitimate::volume::bulk_data"), row("legitimate::vrf::a_service"));
        assert!(bulk.clone().and(bulk.clone()).is_err());
        assert_eq!(
            bulk.are_of(&scenes).expect_err("one is missing").to_string(),
            "scenes without a row:\nvrf: a service"
        );
        let both = bulk.and(service).expect("two rows");
        both.are_of(&scenes).expect("all are there");
        let more = both.and(row("a::b")).expect("three rows");
        assert_eq!(more.are_of(&scenes).expect_err("too many").to_string(), "rows without a scene:\na: b");
    }
}
