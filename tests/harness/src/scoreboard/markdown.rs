//! The page that is published: written, and read again.

use anyhow::{Context, Result, bail, ensure};

use super::{Row, Scoreboard, Table};

const PREFACE: &str = "\
# Scoreboard

What scanners learn of a guarded host. Every row was measured: the technique was tried on a host without scanguard, then
on the same host with it, in network namespaces. `cargo xtask scoreboard` writes this page, and the tests measure it
again: a row may only get better.

Cells hold what the scanner reported of a port where a service listens, of one where none does, and of one for which a
packet filter of the host drops everything. For frames of our own, which no scanner reports on, they hold what came back. The
last columns are taken from the answers on the cable, whatever the scanner made of them:

| learned | because |
|---|---|
| nothing | nothing is answered: open, closed and all other ports look alike, and like a host that is not there |
| host is up | open and closed are answered alike |
| published services | what is open answers, and what is closed is silent |
| **closed ports too** | closed ports can be told from filtered ones: this falls short |
| **operating system** | what runs on the host is recognised: this falls short |

`nmap -T0` is measured with its probes and without its five minutes of waiting after each; of unicornscan, which Debian no
longer has, its SYN is.
";

const WITHOUT: &str = ", without";

/// Writes the whole page.
pub(super) fn write(scoreboard: &Scoreboard) -> String {
    let rows: Vec<&Row> = scoreboard.rows().collect();
    let short = rows.iter().filter(|row| row.learned.falls_short()).count();
    let mut page = format!("{PREFACE}\nTechniques: {}. Falling short: {short}.\n", rows.len());
    for table in &scoreboard.tables {
        page.push_str(&write_table(table));
    }
    page
}

/// Reads the tables of a page.
pub(super) fn read(text: &str) -> Result<Scoreboard> {
    let tables = text.split("\n## ").skip(1).map(read_table);
    Ok(Scoreboard { tables: tables.collect::<Result<_>>()? })
}

fn write_table(table: &Table) -> String {
    let headings: String =
        table.headings.iter().map(|heading| format!(" {heading}{WITHOUT} | {heading}, with |")).collect();
    let rule = "---|".repeat(2 * table.headings.len() + 3);
    let rows: String = table.rows.iter().map(write_row).collect();
    let remark = if table.remark.is_empty() { String::new() } else { format!("{}\n\n", table.remark) };
    format!(
        "\n## {}\n\n{remark}| technique |{headings} learned without | learned with |\n|{rule}\n{rows}",
        table.title
    )
}

fn write_row(row: &Row) -> String {
    let reported: String = row.reported.iter().flatten().map(|word| format!(" {} |", escape(word))).collect();
    let reason = if row.reason.is_empty() { String::new() } else { format!(": {}", row.reason) };
    let emphasis = if row.learned.falls_short() { "**" } else { "" };
    let learned = format!("{} | {emphasis}{}{emphasis}{reason}", row.learned_without, row.learned);
    format!("| {} |{reported} {learned} |\n", escape(&row.technique))
}

fn read_table(text: &str) -> Result<Table> {
    let (title, rest) = text.split_once('\n').context("a table has a title")?;
    let (remark, rest) =
        rest.split_once("| technique |").with_context(|| format!("{title}: no head of a table"))?;
    let (head, body) = rest.split_once('\n').with_context(|| format!("{title}: no rows"))?;
    let headings = head.split('|').filter_map(|cell| Some(cell.trim().strip_suffix(WITHOUT)?.to_owned()));
    let rows = body.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| read_row(row).with_context(|| format!("reading the row {row}")));
    Ok(Table {
        title: title.to_owned(),
        remark: remark.trim().to_owned(),
        headings: headings.collect(),
        rows: rows.collect::<Result<_>>()?,
    })
}

fn read_row(row: &str) -> Result<Row> {
    let cells: Vec<String> = row.split(" | ").map(unescape).collect();
    let [technique, reported @ .., without, last] = cells.as_slice() else { bail!("too few cells") };
    let (pairs, rest) = reported.as_chunks();
    ensure!(rest.is_empty(), "a report without scanguard but none with it");
    let (learned, reason) = last.split_once(": ").unwrap_or((last, ""));
    Ok(Row {
        technique: technique.clone(),
        reported: pairs.to_vec(),
        learned_without: without.parse()?,
        learned: learned.trim_matches('*').parse()?,
        reason: reason.to_owned(),
    })
}

/// A bar would end the cell.
fn escape(word: &str) -> String {
    word.replace('|', r"\|")
}

fn unescape(word: &str) -> String {
    word.replace(r"\|", "|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Learned;
    use crate::scoreboard::change::{Change, Kind};

    fn row(technique: &str, learned: Learned, reason: &str) -> Row {
        let reported = [["open", "open"], ["closed", "open|filtered"]];
        let reported = reported.map(|words| words.map(str::to_owned)).to_vec();
        let learned_without = Learned::ClosedPortsToo;
        Row { technique: technique.to_owned(), reported, learned_without, learned, reason: reason.to_owned() }
    }

    fn scoreboard(rows: Vec<Row>) -> Scoreboard {
        let headings = ["open port", "closed port"].map(str::to_owned).to_vec();
        let tables = vec![Table { title: "TCP".to_owned(), remark: "By nmap.".to_owned(), headings, rows }];
        Scoreboard { tables }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = scoreboard(vec![
            row("`nmap -sF`", Learned::Nothing, ""),
            row("`nmap -sU`", Learned::ClosedPortsToo, "nobody judges it"),
            row("a ping", Learned::HostIsUp, "pings are answered"),
        ]);
        assert_eq!(read(&write(&written)).expect("it was just written"), written);
    }

    #[test]
    fn a_row_may_only_get_better() {
        let was = scoreboard(vec![
            row("worse", Learned::Nothing, ""),
            row("mute", Learned::Nothing, ""),
            row("missing", Learned::Nothing, ""),
            row("better", Learned::ClosedPortsToo, "why"),
            row("same", Learned::HostIsUp, ""),
        ]);
        let is = scoreboard(vec![
            row("worse", Learned::PublishedServices, ""),
            Row { learned_without: Learned::Nothing, ..row("mute", Learned::Nothing, "") },
            row("better", Learned::HostIsUp, ""),
            row("same", Learned::HostIsUp, ""),
            row("new", Learned::HostIsUp, ""),
        ]);
        let change = |technique: &str, kind| Change { technique: technique.to_owned(), kind };
        let expected = [
            change("worse", Kind::Worse(Learned::Nothing, Learned::PublishedServices)),
            change("mute", Kind::Mute(Learned::ClosedPortsToo, Learned::Nothing)),
            change("missing", Kind::Missing),
            change("better", Kind::Better(Learned::ClosedPortsToo, Learned::HostIsUp)),
            change("new", Kind::New),
        ];
        let changes = is.changes_since(&was);
        assert_eq!(changes, expected);
        assert_eq!(
            changes.iter().map(Change::is_worse).collect::<Vec<_>>(),
            [true, true, true, false, false]
        );
    }
}
