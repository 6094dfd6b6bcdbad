//! Trying techniques, many at a time: most of the time passes waiting for answers that do not come.

use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow};

use super::ground::{Finding, Ground};
use super::learned::Learned;
use super::list;
use super::said::SYSTEM;
use super::subject::Subject;
use super::technique::{Technique, Way};
use super::tool::Tool;
use super::{Row, Scoreboard, Table};

/// How many techniques are tried at a time.
const AT_A_TIME: usize = 16;

/// Tries the techniques whose name is wanted.
pub(super) fn measure(scanguard: &Path, wanted: impl Fn(&str) -> bool) -> Result<Scoreboard> {
    let mut groups = list::groups();
    for group in &mut groups {
        group.techniques.retain(|technique| wanted(&technique.name));
    }
    let jobs = groups.iter().flat_map(|group| {
        group.techniques.iter().map(|technique| (group.subjects, technique)).collect::<Vec<_>>()
    });
    let mut rows = try_all(scanguard, jobs.collect())?.into_iter();
    let tables = groups.iter().map(|group| Table {
        title: group.title.to_owned(),
        remark: group.remark.to_owned(),
        headings: group.subjects.iter().map(|subject| subject.heading().to_owned()).collect(),
        rows: rows.by_ref().take(group.techniques.len()).collect(),
    });
    Ok(Scoreboard { tables: tables.collect() })
}

type Job<'a> = (&'static [Subject], &'a Technique);

fn try_all(scanguard: &Path, jobs: Vec<Job<'_>>) -> Result<Vec<Row>> {
    let left = Mutex::new(jobs.into_iter().enumerate());
    let next = || left.lock().ok()?.next();
    let worker = || {
        let mut done = Vec::new();
        while let Some((place, (subjects, technique))) = next() {
            let row = try_one(scanguard, technique, subjects);
            done.push((place, row.with_context(|| format!("trying {}", technique.name))?));
        }
        Ok(done)
    };
    let mut rows: Vec<(usize, Row)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(worker)).collect();
        let done = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a thread that tries panicked"))));
        Ok::<_, anyhow::Error>(done.collect::<Result<Vec<_>>>()?.concat())
    })?;
    rows.sort_unstable_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Each technique has a ground of its own, because a guarded host may remember who asked what.
fn try_one(scanguard: &Path, technique: &Technique, subjects: &[Subject]) -> Result<Row> {
    let ground = Ground::new()?;
    let without = ground.ask(technique, subjects)?;
    ground.guard(scanguard)?;
    let with = ground.ask(technique, subjects)?;
    let [learned_without, learned] = [&without, &with].map(|findings| learned(technique, findings));
    let reported = without.into_iter().zip(with).map(|(without, with)| [without.said, with.said]);
    Ok(Row {
        technique: technique.name.clone(),
        reported: reported.collect(),
        learned_without,
        learned,
        reason: if learned == Learned::Nothing { String::new() } else { technique.reason.to_owned() },
    })
}

fn learned(technique: &Technique, findings: &[Finding]) -> Learned {
    let asks_for_system = matches!(technique.way, Way::Tool { tool: Tool::NmapSystem, .. });
    if asks_for_system && findings.iter().any(|finding| finding.said == SYSTEM) {
        return Learned::OperatingSystem;
    }
    let heard: Vec<_> = findings.iter().map(|finding| finding.heard.clone()).collect();
    Learned::from_answers(&heard)
}
