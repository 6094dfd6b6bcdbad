//! The part of the page that tells of legitimate traffic: written, and read again.

use anyhow::{Context, Result, bail};

use super::{Passage, Passages, SceneName};

/// What the part begins with.
pub(crate) const TITLE: &str = "# Legitimate traffic";

const PREFACE: &str = "\
Difficult but legitimate traffic, scene by scene: each is a test of its own with a guarded host in it, mostly over both
families and with that host as the server and as the client. The tests demand of every run that no frame is dropped, by
neither door, and that nothing fails; how many frames there are differs a little from run to run. `cargo xtask
scoreboard` writes down what it saw.

| column | what is counted |
|---|---|
| frames | what came in by the guarded interfaces, as `scanguard stats` counts it |
| dropped | frames that scanguard dropped, coming in or going out; has to be 0 |
| tried | connections, and questions without a connection: datagrams, pings, leases |
| failed | those that failed, or did not end as they end without scanguard; has to be 0 |
";

const HEAD: &str = "| scene | frames | dropped | tried | failed | Linux |\n|---|---|---|---|---|---|\n";

pub(super) fn write(passages: &Passages) -> String {
    let rows = &passages.rows;
    let short = passages.short().len();
    let mut page = format!("{TITLE}\n\n{PREFACE}\nScenes: {}. Falling short: {short}.\n", rows.len());
    for group in rows.chunk_by(|one, other| one.scene.group == other.scene.group) {
        let title = group.first().map(|row| capitalised(&row.scene.group)).unwrap_or_default();
        let rows: String = group.iter().map(write_row).collect();
        page.push_str(&format!("\n## {title}\n\n{HEAD}{rows}"));
    }
    page
}

pub(super) fn read(text: &str) -> Result<Vec<Passage>> {
    let mut rows = Vec::new();
    for table in text.split("\n## ").skip(1) {
        let (title, rest) = table.split_once('\n').context("a table has a title")?;
        let (_, body) = rest.split_once(HEAD).with_context(|| format!("{title}: no head of a table"))?;
        for line in body.lines().filter(|line| !line.is_empty()) {
            rows.push(
                read_row(&title.to_lowercase(), line).with_context(|| format!("reading the row {line}"))?,
            );
        }
    }
    Ok(rows)
}

fn write_row(row: &Passage) -> String {
    let marked = |number: u64, is_right: bool| {
        if is_right { number.to_string() } else { format!("**{number}**") }
    };
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        row.scene.words,
        marked(row.received, row.received > 0),
        marked(row.dropped, row.dropped == 0),
        row.tried,
        marked(row.failed, row.failed == 0),
        row.kernel,
    )
}

fn read_row(group: &str, row: &str) -> Result<Passage> {
    let cells = row.split('|').map(|cell| cell.trim().trim_matches('*'));
    let cells: Vec<&str> = cells.collect();
    let ["", words, received, dropped, tried, failed, kernel, ""] = cells.as_slice() else {
        bail!("not six cells")
    };
    Ok(Passage {
        scene: SceneName { group: group.to_owned(), words: (*words).to_owned() },
        kernel: (*kernel).to_owned(),
        received: received.parse()?,
        dropped: dropped.parse()?,
        tried: tried.parse()?,
        failed: failed.parse()?,
    })
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
