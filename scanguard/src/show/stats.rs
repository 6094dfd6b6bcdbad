//! Counters.

use std::io::{self, Write};

use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::{Note, Tally};
use serde::Serialize;

use super::table::{Side, Table};
use super::{Show, json_line};
use crate::stats::{InterfaceStats, Stats};

/// Which counters to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Only these causes; all where there are none.
    pub(crate) causes: Vec<Cause>,
    /// Also those that counted nothing.
    pub(crate) zeroes: bool,
}

impl Selection {
    fn shows(&self, cause: Cause, tally: Tally) -> bool {
        if self.causes.is_empty() { self.zeroes || tally.packets() > 0 } else { self.causes.contains(&cause) }
    }
}

/// Counters, and which of them to show. Totals are always those of all causes.
pub(crate) struct Shown<'a> {
    /// All counters.
    pub(crate) stats: &'a Stats,
    /// The choice.
    pub(crate) selection: &'a Selection,
}

impl Shown<'_> {
    fn rows<'i>(&'i self, interface: &'i InterfaceStats) -> impl Iterator<Item = (Cause, Tally)> + 'i {
        interface.tallies.iter().copied().filter(|(cause, tally)| self.selection.shows(*cause, *tally))
    }
}

impl Show for Shown<'_> {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            ("INTERFACE", Side::Left),
            ("CAUSE", Side::Left),
            ("ACTION", Side::Left),
            ("PACKETS", Side::Right),
            ("BYTES", Side::Right),
        ]);
        for interface in &self.stats.interfaces {
            let mut row = |cause: &str, action: &str, tally: Tally| {
                let (packets, bytes) = (tally.packets().to_string(), tally.bytes().to_string());
                table.row([interface.name.clone(), cause.to_owned(), action.to_owned(), packets, bytes]);
            };
            for (cause, tally) in self.rows(interface) {
                row(cause.name(), action_name(cause.action()), tally);
            }
            row("(total)", action_name(Action::Drop), interface.total(Action::Drop));
            row("(total)", action_name(Action::Pass), interface.total(Action::Pass));
        }
        table.write(out)?;
        let count = |note| self.stats.notes.of(note);
        let ([told, lost], folded) = ([Note::Told, Note::Lost].map(count), self.stats.folded());
        writeln!(out, "events: {told} told, {folded} folded, {lost} lost")?;
        let [banned, full, crowded] = [Note::Banned, Note::BansFull, Note::Crowded].map(count);
        write!(out, "sources: {banned} banned")?;
        if full > 0 {
            write!(out, ", {full} not banned for want of room")?;
        }
        if crowded > 0 {
            write!(out, ", {crowded} pushed out or turned away before their second contact")?;
        }
        writeln!(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for interface in &self.stats.interfaces {
            for (cause, tally) in self.rows(interface) {
                json_line(out, &Line::cause(&interface.name, cause, tally))?;
            }
            for action in [Action::Drop, Action::Pass] {
                json_line(out, &Line::total(interface, action))?;
            }
        }
        let count = |note| self.stats.notes.of(note);
        let ([told, lost], folded) = ([Note::Told, Note::Lost].map(count), self.stats.folded());
        json_line(out, &Line::Events { told, folded, lost })?;
        let [banned, bans_full, crowded] = [Note::Banned, Note::BansFull, Note::Crowded].map(count);
        json_line(out, &Line::Sources { banned, bans_full, crowded })
    }
}

/// What the action is called.
pub(super) fn action_name(action: Action) -> &'static str {
    match action {
        Action::Pass => "pass",
        Action::Drop => "drop",
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Cause { interface: &'a str, cause: &'static str, action: &'static str, packets: u64, bytes: u64 },
    Total { interface: &'a str, action: &'static str, packets: u64, bytes: u64 },
    Events { told: u64, folded: u64, lost: u64 },
    Sources { banned: u64, bans_full: u64, crowded: u64 },
}

impl Line<'_> {
    fn cause(interface: &str, cause: Cause, tally: Tally) -> Line<'_> {
        Line::Cause {
            interface,
            cause: cause.name(),
            action: action_name(cause.action()),
            packets: tally.packets(),
            bytes: tally.bytes(),
        }
    }

    fn total(interface: &InterfaceStats, action: Action) -> Line<'_> {
        let total = interface.total(action);
        Line::Total {
            interface: &interface.name,
            action: action_name(action),
            packets: total.packets(),
            bytes: total.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use scanguard_common::count::Notes;

    use super::*;
    use crate::show::shown;

    fn stats() -> Stats {
        let counted = [
            (Cause::TcpNull, Tally::default().plus(60).plus(54)),
            (Cause::InConnection, Tally::default().plus(1514)),
        ];
        let tally = |cause| {
            counted.iter().find(|(other, _)| *other == cause).map_or(Tally::default(), |(_, tally)| *tally)
        };
        let tallies = Cause::ALL.iter().map(|cause| (*cause, tally(*cause))).collect();
        let interfaces = vec![InterfaceStats { name: "eth0".into(), tallies, told_of: 0 }];
        let notes = Notes::default().plus(Note::Told);
        Stats { interfaces, notes }
    }

    fn show(selection: &Selection, json: bool) -> String {
        shown(&Shown { stats: &stats(), selection }, json)
    }

    #[test]
    fn the_table_leaves_out_what_counted_nothing() {
        let expected = "\
INTERFACE  CAUSE          ACTION  PACKETS  BYTES
eth0       tcp-null       drop          2    114
eth0       in-connection  pass          1   1514
eth0       (total)        drop          2    114
eth0       (total)        pass          1   1514
events: 1 told, 2 folded, 0 lost
sources: 0 banned
";
        assert_eq!(show(&Selection::default(), false), expected);
    }

    #[test]
    fn every_cause_is_shown_when_asked() {
        let all = show(&Selection { zeroes: true, ..Selection::default() }, false);
        for cause in Cause::ALL {
            assert!(all.contains(&format!("eth0       {} ", cause.name())), "{}", cause.name());
        }
    }

    #[test]
    fn a_chosen_cause_is_shown_even_if_it_counted_nothing_and_totals_stay_whole() {
        let chosen = show(&Selection { causes: vec![Cause::TcpXmas], zeroes: false }, false);
        assert!(chosen.contains("tcp-xmas  drop          0"), "{chosen}");
        assert!(!chosen.contains("tcp-null"));
        assert!(chosen.contains("(total)   drop          2"), "{chosen}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let expected = r#"{"kind":"cause","interface":"eth0","cause":"tcp-null","action":"drop","packets":2,"bytes":114}
{"kind":"cause","interface":"eth0","cause":"in-connection","action":"pass","packets":1,"bytes":1514}
{"kind":"total","interface":"eth0","action":"drop","packets":2,"bytes":114}
{"kind":"total","interface":"eth0","action":"pass","packets":1,"bytes":1514}
{"kind":"events","told":1,"folded":2,"lost":0}
{"kind":"sources","banned":0,"bans_full":0,"crowded":0}
"#;
        assert_eq!(show(&Selection::default(), true), expected);
    }
}
