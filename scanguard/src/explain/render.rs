//! Writes topics, 80 columns wide at most, as a terminal has them.

use std::io::{self, Write};

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::signature::{Confidence, Signature};

use super::picture;
use super::topic::{Lesson, Probe, Topic};

/// How wide a text becomes at most, in columns.
const WIDTH: usize = 80;

/// How far paragraphs stand in from their headings.
const INDENT: usize = 2;

/// Where the sentences of the list begin: behind the longest name of a cause.
const LIST_INDENT: usize = 24;

/// Where the sentences of marks begin: behind the longest name of one.
const MARKS_INDENT: usize = 29;

/// Said below every table of answers.
const STATES: &str = "Open: a program listens. Closed: none does. Filtered: a packet filter on the way \
                      swallows the probe. The answers are those of Linux.";

/// Said above commands.
const FROM_ELSEWHERE: &str =
    "From another machine, as root, and only if HOST is yours or its owner has agreed:";

/// Said above commands that probe ports.
const PORTS: &str = "22 stands for a port of HOST that is open, 81 for one that is closed.";

/// Writes the list of all topics.
pub(super) fn list(topics: impl Iterator<Item = &'static Topic>, out: &mut dyn Write) -> io::Result<()> {
    let (dropped, passed): (Vec<_>, Vec<_>) = topics.partition(|topic| is_dropped(topic.cause));
    writeln!(out, "scanguard explain NAME explains one of these, by any of its names.")?;
    for (heading, topics) in [("Dropped", dropped), ("Passed", passed)] {
        writeln!(out, "\n{heading}")?;
        for topic in topics {
            listed(topic, out)?;
        }
    }
    Ok(())
}

/// Writes one topic.
pub(super) fn topic(topic: &Topic, out: &mut dyn Write) -> io::Result<()> {
    let name = topic.cause.name();
    let done = if is_dropped(topic.cause) { "dropped" } else { "passed" };
    writeln!(out, "{} ({name}): {done}\n", topic.title)?;
    paragraph(topic.cause.sentence(), INDENT, out)?;
    also_known(topic, INDENT, out)?;
    section("What it is", topic.what, out)?;
    match &topic.lesson {
        Lesson::Words => {}
        Lesson::Handshake => {
            heading("A normal connection begins", out)?;
            picture::handshake(out)?;
        }
        Lesson::Probe(probe) => comparison(probe, out)?,
    }
    experiment(topic, out)?;
    section("What scanguard does", topic.verdict, out)?;
    match &topic.lesson {
        Lesson::Words | Lesson::Handshake => Ok(()),
        Lesson::Probe(probe) => mercy(topic.cause, probe, out),
    }
}

fn is_dropped(cause: Cause) -> bool {
    match cause.action() {
        Action::Drop => true,
        Action::Pass => false,
    }
}

fn listed(topic: &Topic, out: &mut dyn Write) -> io::Result<()> {
    named(topic.cause.name(), topic.cause.sentence(), LIST_INDENT, out)?;
    also_known(topic, LIST_INDENT, out)
}

/// A name, and beside it a sentence that begins in the column of this number.
fn named(name: &str, sentence: &str, column: usize, out: &mut dyn Write) -> io::Result<()> {
    for (position, line) in wrapped(sentence, WIDTH - column).iter().enumerate() {
        let name = if position == 0 { name } else { "" };
        writeln!(out, "  {name:<width$}{line}", width = column - INDENT)?;
    }
    Ok(())
}

/// Writes which marks are known.
pub(super) fn marks(out: &mut dyn Write) -> io::Result<()> {
    for (confidence, title) in
        [(Confidence::Certain, "Marks that a packet is dropped for"), (Confidence::Hint, "Hints")]
    {
        heading(title, out)?;
        for signature in Signature::ALL.iter().filter(|signature| signature.confidence() == confidence) {
            named(signature.name(), signature.sentence(), MARKS_INDENT, out)?;
        }
    }
    Ok(())
}

fn also_known(topic: &Topic, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    if topic.aliases.is_empty() {
        return Ok(());
    }
    paragraph(&format!("Also: {}", topic.aliases.join(", ")), indent, out)
}

/// The probe next to a normal connection, and what it would have learned.
fn comparison(probe: &Probe, out: &mut dyn Write) -> io::Result<()> {
    heading("Next to a normal connection", out)?;
    picture::beside_handshake(probe.lane, out)?;
    writeln!(out)?;
    paragraph(probe.oddity, INDENT, out)?;
    heading("What it asks", out)?;
    answers(probe, out)?;
    writeln!(out)?;
    paragraph(STATES, INDENT, out)
}

/// What each port would have answered, and what a scanner makes of it.
fn answers(probe: &Probe, out: &mut dyn Write) -> io::Result<()> {
    let Probe { reading, without, with, .. } = probe;
    let report = format!("{} says", reading.scan);
    writeln!(out, "  {:<10}{:<33}With scanguard", "", "Without scanguard")?;
    let mut row = |cells: [&str; 5]| {
        let [port, before, report_before, after, report_after] = cells;
        writeln!(out, "  {port:<10}{before:<9}{report_before:<24}{after:<9}{report_after}")
    };
    row(["A port", "answers", &report, "answers", &report])?;
    let states = [
        ("open", without.open, with.open),
        ("closed", without.closed, with.closed),
        ("filtered", without.filtered, with.filtered),
    ];
    for (state, before, after) in states {
        row([state, &before.to_string(), reading.of(before), &after.to_string(), reading.of(after)])?;
    }
    Ok(())
}

fn experiment(topic: &Topic, out: &mut dyn Write) -> io::Result<()> {
    if topic.tools.is_empty() {
        return Ok(());
    }
    heading("Try it", out)?;
    paragraph(FROM_ELSEWHERE, INDENT, out)?;
    commands(topic.tools, out)?;
    writeln!(out)?;
    match topic.lesson {
        Lesson::Words | Lesson::Handshake => {}
        Lesson::Probe(_) => {
            paragraph(PORTS, INDENT, out)?;
            writeln!(out)?;
        }
    }
    paragraph("Meanwhile, on HOST:", INDENT, out)?;
    commands(&[&format!("scanguard stats --watch --cause {}", topic.cause.name())], out)
}

fn mercy(cause: Cause, probe: &Probe, out: &mut dyn Write) -> io::Result<()> {
    section("Can it hit honest traffic?", probe.honest, out)?;
    if !is_dropped(cause) {
        return Ok(());
    }
    writeln!(out)?;
    paragraph("A source that you trust, like a monitor or your own scanner, can be exempt:", INDENT, out)?;
    commands(&["scanguard allow add ADDRESS"], out)
}

/// Lines to be copied, each as it is.
fn commands(commands: &[&str], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    commands.iter().try_for_each(|command| writeln!(out, "    {command}"))
}

fn section(title: &str, paragraphs: &[&str], out: &mut dyn Write) -> io::Result<()> {
    heading(title, out)?;
    for (position, text) in paragraphs.iter().enumerate() {
        if position > 0 {
            writeln!(out)?;
        }
        paragraph(text, INDENT, out)?;
    }
    Ok(())
}

fn heading(title: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{title}\n")
}

fn paragraph(text: &str, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    for line in wrapped(text, WIDTH - indent) {
        writeln!(out, "{:indent$}{line}", "")?;
    }
    Ok(())
}

/// The words of `text` in lines of at most `width` columns; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled_and_never_too_long() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("unbreakable it is", 4), ["unbreakable", "it", "is"]);
        assert_eq!(wrapped("", 4), [""; 0]);
    }
}
