//! The page on which the results over recorded traffic are published: one section for each test.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, PoisonError};

/// Where it is published.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/captures.md");

/// The variable that has the page written instead of compared.
const PUBLISH: &str = "SCANGUARD_PUBLISH";

const INTRODUCTION: &str = "\
# Recorded traffic

What `scanguard replay` makes of captures with the policy that holds unless another is given: preset *balanced*.
`cargo xtask captures` writes this page, and the tests compare it with what they find.

The captures lie outside the repository, in the folder that `SCANGUARD_CAPTURES` names: `lab-pcaps` were recorded in a
laboratory of our own, `pcaps` are public ones by others, whose names begin with where they come from. *Ports* are those
of one guarded host, or its IP protocols, to which a source has sent anything. Every scanner that has probed ten of them
or more is to be found, which is to be banned; one that is not stands in **bold**, with the reason.
";

/// A part of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    OurScans,
    PublicScans,
    OurLegitimate,
    PublicLegitimate,
}

impl Section {
    const ALL: [Section; 4] =
        [Section::OurScans, Section::PublicScans, Section::OurLegitimate, Section::PublicLegitimate];

    fn title(self) -> &'static str {
        match self {
            Section::OurScans => "Scans of our laboratory",
            Section::PublicScans => "Public captures of scans",
            Section::OurLegitimate => "Legitimate traffic of our laboratory",
            Section::PublicLegitimate => "Public captures of legitimate traffic",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Section::OurScans => "Of each capture, the source that has probed most.",
            Section::PublicScans => {
                "Each labelled scanner, at the host that it has probed most and where it is found. Many of these \
                 captures have no answers in them; *told* is by what it is known that a port is closed: by refusals or \
                 silence in the capture, or, where neither is there, by `closed_ports = \"ingress\"`, as the host that \
                 is not in the capture would have known it."
            }
            Section::OurLegitimate | Section::PublicLegitimate => {
                "Nobody is banned, and no connection loses a packet. What is dropped are contacts that the host itself \
                 has refused, and its refusals."
            }
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Section::OurScans => &["capture", "source", "ports", "result"],
            Section::PublicScans => &["capture", "scanner", "ports", "told", "result"],
            Section::OurLegitimate => &["capture", "dropped"],
            Section::PublicLegitimate => &["capture", "guarded in turn", "dropped"],
        }
    }

    fn text(self, rows: &[Vec<String>]) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let columns: Vec<String> = self.columns().iter().map(ToString::to_string).collect();
        let rule = format!("|{}\n", "---|".repeat(columns.len()));
        let rows: String = rows.iter().map(|row| line(row)).collect();
        format!("## {}\n\n{}\n\n{}{rule}{rows}", self.title(), self.about(), line(&columns))
    }

    /// Where it stands on the page.
    fn of(self, page: &str) -> String {
        let start = format!("## {}\n", self.title());
        let mut parts = page.split("\n## ").map(|part| format!("## {}\n", part.trim_end()));
        parts.find(|part| part.starts_with(&start)).unwrap_or_default()
    }
}

/// Demands that the page has these rows, or writes them there.
pub(super) fn publish(section: Section, rows: &[Vec<String>]) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    let (before, now) = (section.of(&page), section.text(rows));
    if std::env::var_os(PUBLISH).is_some() {
        let text = |other: Section| if other == section { now.clone() } else { other.of(&page) };
        let sections: Vec<String> =
            Section::ALL.into_iter().map(text).filter(|text| !text.is_empty()).collect();
        fs::write(PAGE, format!("{INTRODUCTION}\n{}", sections.join("\n"))).expect("the page can be written");
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (published, found) = (lines(&before), lines(&now));
    let gone: Vec<_> = published.difference(&found).collect();
    let new: Vec<_> = found.difference(&published).collect();
    assert!(before == now, "`cargo xtask captures` would write otherwise: not {gone:#?} but {new:#?}");
}
