//! What a replay showed.

mod line;

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::signature::Signature;
use scanguard_common::count::Tally;
use scanguard_common::evidence::Weights;
use scanguard_common::time::{Nanos, Seconds};

use super::event::with_port;
use super::incidents::Incidents;
use super::stats::action_name;
use super::table::{Side, Table};
use super::{Show, json_line};
use crate::clock::rfc3339;
use crate::prefix;
use crate::replay::ledger::Banned;
use crate::replay::report::{Conversation, Counts, Loss, Report, Source};
use line::Line;

impl Show for Report {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        counted(self).write(out)?;
        writeln!(out)?;
        let sources = self.sources();
        if !sources.is_empty() {
            dropped(first_of(&sources)).write(out)?;
            writeln!(out)?;
        }
        if !self.bans().is_empty() {
            banned(first_of(self.bans())).write(out)?;
            writeln!(out)?;
        }
        let incidents = incidents(self)?;
        if !incidents.is_empty() {
            incidents.table(out)?;
            writeln!(out)?;
        }
        let losses = self.losses();
        if !losses.is_empty() {
            lost(first_of(&losses)).write(out)?;
            writeln!(out)?;
        }
        for sentence in sentences(self) {
            writeln!(out, "{sentence}")?;
        }
        Ok(())
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (cause, tally) in self.tallies() {
            json_line(out, &Line::cause(cause, tally))?;
        }
        for action in [Action::Drop, Action::Pass] {
            json_line(out, &Line::total(action, self.total(action)))?;
        }
        for source in self.sources() {
            json_line(out, &Line::source(source))?;
        }
        for ban in self.bans() {
            json_line(out, &Line::ban(ban))?;
        }
        for scan in incidents(self)?.into_scans() {
            json_line(out, &Line::Incident(scan))?;
        }
        for (conversation, loss) in self.losses() {
            json_line(out, &Line::loss(conversation, loss))?;
        }
        json_line(out, &Line::capture(self))
    }
}

/// As many rows as a person reads: programs get them all.
fn first_of<T>(rows: &[T]) -> &[T] {
    rows.get(..ROWS).unwrap_or(rows)
}

const ROWS: usize = 25;

fn counted(report: &Report) -> Table<4> {
    let mut table = Table::new([
        ("CAUSE", Side::Left),
        ("ACTION", Side::Left),
        ("PACKETS", Side::Right),
        ("BYTES", Side::Right),
    ]);
    let mut row = |cause: &str, action: Action, tally: Tally| {
        let (packets, bytes) = (tally.packets().to_string(), tally.bytes().to_string());
        table.row([cause.to_owned(), action_name(action).to_owned(), packets, bytes]);
    };
    for (cause, tally) in report.tallies() {
        row(cause.name(), cause.action(), tally);
    }
    for action in [Action::Drop, Action::Pass] {
        row("(total)", action, report.total(action));
    }
    table
}

fn dropped(sources: &[&Source]) -> Table<5> {
    let mut table = Table::new([
        ("SOURCE", Side::Left),
        ("DROPPED", Side::Right),
        ("FIRST", Side::Left),
        ("LAST", Side::Left),
        ("CAUSES", Side::Left),
    ]);
    for source in sources {
        let (first, last) = source.span;
        let causes = by_cause(&source.causes);
        table.row([source.address.to_string(), source.dropped.to_string(), time(first), time(last), causes]);
    }
    table
}

fn banned(bans: &[Banned]) -> Table<8> {
    let mut table = Table::new([
        ("BANNED", Side::Left),
        ("SINCE", Side::Left),
        ("SECONDS", Side::Right),
        ("LAST CONTACT", Side::Left),
        ("CONTACTS", Side::Right),
        ("FAILED", Side::Right),
        ("SCORE", Side::Right),
        ("TOOL", Side::Left),
    ]);
    for ban in bans {
        let [contacts, failed, _] = ban.contacts;
        table.row([
            prefix::address(ban.source.bytes()).to_string(),
            time(ban.at),
            ban.seconds.to_string(),
            format!("{} ({})", ban.kind.name(), ban.cause.name()),
            contacts.to_string(),
            failed.to_string(),
            format!("{:.2}", score(ban)),
            ban.mark.signature().map_or("-", Signature::name).to_owned(),
        ]);
    }
    table
}

/// The score in natural logarithms.
fn score(ban: &Banned) -> f64 {
    f64::from(ban.score) / f64::from(Weights::UNIT)
}

/// Scans that many sources shared, as of the end of the capture.
fn incidents(report: &Report) -> io::Result<Incidents> {
    let end = report.span.map_or(Seconds::default(), |(_, last)| Seconds::of(last));
    let date = |second: Seconds| Ok(time(second.into()));
    Incidents::new(&report.incidents, end, date).map_err(io::Error::other)
}

fn lost(losses: &[(&Conversation, &Loss)]) -> Table<4> {
    let mut table = Table::new([
        ("CONVERSATION", Side::Left),
        ("WITH", Side::Left),
        ("SINCE", Side::Left),
        ("WOULD HAVE LOST", Side::Left),
    ]);
    for (Conversation { local, remote }, loss) in losses {
        let ends = [local, remote].map(|(address, port)| with_port(*address, *port));
        let [local, remote] = ends;
        table.row([local, remote, time(loss.since), by_cause(&loss.causes)]);
    }
    table
}

/// What stands below the tables.
fn sentences(report: &Report) -> Vec<String> {
    let span = report.span.map_or_else(String::new, |(first, last)| {
        let seconds = Duration::from_nanos(last.since(first)).as_secs_f64();
        format!(", {} to {} ({seconds:.3} s)", time(first), time(last))
    });
    let mut sentences =
        vec![format!("packets: {}{span}; {} left the host", report.packets(), report.left.packets())];
    let lost: u64 = report.losses().iter().map(|(_, loss)| loss.causes.all()).sum();
    sentences.push(match lost + report.other_losses {
        0 => "conversations would have lost nothing".to_owned(),
        lost => format!("conversations would have lost {lost} packets"),
    });
    let banned: u64 = report.losses().iter().map(|(_, loss)| loss.causes.of(Cause::Banned)).sum();
    let mut count = |number: u64, what: &str| {
        if number > 0 {
            sentences.push(format!("{number} {what}"));
        }
    };
    let more = |rows: usize| rows.saturating_sub(ROWS) as u64;
    count(more(report.sources().len()), "sources more; --json lists them");
    count(banned, "of these losses were of sources that were banned, which begin nothing any more");
    count(more(report.bans().len()), "bans more; --json lists them");
    count(more(report.losses().len()), "conversations more would have lost something; --json lists them");
    count(report.other_drops(), "drops more were of sources that sent too little to be listed");
    count(report.other_bans, "bans more for which the list has no room");
    count(report.unbanned, "sources more would have been banned, had the table of bans had room");
    count(report.other_losses, "losses more were of conversations for which the list has no room");
    count(
        report.unasked,
        "answers would not have been given, because what they answer would have been dropped",
    );
    count(report.within, "packets stayed within the host, between loopback addresses: no door judges them");
    count(report.unsupported, "frames were captured on a network that is not understood, and left out");
    if let Some(kernel) = report.kernel {
        sentences.push(format!(
            "kernel: {} frames judged alike, {} could not be shown to it",
            kernel.alike, kernel.unshown
        ));
    }
    sentences
}

fn by_cause(causes: &Counts) -> String {
    causes
        .sorted()
        .iter()
        .map(|(cause, count)| format!("{} {count}", cause.name()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn time(nanos: Nanos) -> String {
    rfc3339(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::report::{crowd, example};
    use crate::show::shown;

    #[test]
    fn tables_are_of_causes_of_sources_and_of_conversations() {
        let expected = "\
CAUSE          ACTION  PACKETS  BYTES
tcp-null       drop          1     54
tcp-xmas       drop          1     54
in-connection  pass          1     60
(total)        drop          2    108
(total)        pass          1     60

SOURCE     DROPPED  FIRST                        LAST                         CAUSES
192.0.2.1        2  1970-01-01T00:00:01.000000Z  1970-01-01T00:00:02.500000Z  tcp-null 1, tcp-xmas 1

BANNED     SINCE                        SECONDS  LAST CONTACT       CONTACTS  FAILED  SCORE  TOOL
192.0.2.1  1970-01-01T00:00:02.500000Z      600  forged (tcp-xmas)         3       2   6.93  -

CONVERSATION   WITH             SINCE                        WOULD HAVE LOST
192.0.2.2:443  192.0.2.1:40000  1970-01-01T00:00:02.500000Z  tcp-xmas 1

packets: 6, 1970-01-01T00:00:01.000000Z to 1970-01-01T00:00:02.500000Z (1.500 s); 1 left the host
conversations would have lost 1 packets
2 answers would not have been given, because what they answer would have been dropped
";
        assert_eq!(shown(&example(), false), expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let expected = r#"{"kind":"cause","cause":"tcp-null","action":"drop","packets":1,"bytes":54}
{"kind":"cause","cause":"tcp-xmas","action":"drop","packets":1,"bytes":54}
{"kind":"cause","cause":"in-connection","action":"pass","packets":1,"bytes":60}
{"kind":"total","action":"drop","packets":2,"bytes":108}
{"kind":"total","action":"pass","packets":1,"bytes":60}
{"kind":"source","source":"192.0.2.1","dropped":2,"causes":{"tcp-null":1,"tcp-xmas":1},"first":"1970-01-01T00:00:01.000000Z","last":"1970-01-01T00:00:02.500000Z"}
{"kind":"ban","source":"192.0.2.1","since":"1970-01-01T00:00:02.500000Z","seconds":600,"contact":"forged","cause":"tcp-xmas","tool":null,"contacts":3,"failed":2,"answered":1,"score":6.931640625}
{"kind":"loss","remote":"192.0.2.1","remote_port":40000,"local":"192.0.2.2","local_port":443,"since":"1970-01-01T00:00:02.500000Z","causes":{"tcp-xmas":1}}
{"kind":"capture","packets":6,"left":1,"unasked":2,"within":0,"unsupported":0,"other_drops":0,"other_bans":0,"unbanned":0,"other_losses":0,"first":"1970-01-01T00:00:01.000000Z","last":"1970-01-01T00:00:02.500000Z","kernel_alike":null,"kernel_unshown":null}
"#;
        assert_eq!(shown(&example(), true), expected);
    }

    #[test]
    fn a_table_has_no_more_rows_than_a_person_reads() {
        let mut report = example();
        crowd(&mut report, 40);
        let told = shown(&report, false);
        assert_eq!(told.lines().filter(|line| line.contains("syn-fin 1")).count(), ROWS - 1, "{told}");
        assert!(told.contains("\n16 sources more; --json lists them\n"), "{told}");
        let told = shown(&report, true);
        assert_eq!(told.lines().filter(|line| line.starts_with("{\"kind\":\"source\"")).count(), 41);
    }

    #[test]
    fn an_empty_capture_is_told_in_two_sentences() {
        let told = shown(&Report::default(), false);
        assert!(
            told.ends_with("\n\npackets: 0; 0 left the host\nconversations would have lost nothing\n"),
            "{told}"
        );
    }
}
