//! Every kind of TCP scan that nmap knows, and what each learned.

use anyhow::{Context, Result, ensure};
use scanguard_harness::{GUARDED_V4, Host, NMAP_OPTIONS, Port, Process, Report};

use crate::demo::interrupt::Interrupt;
use crate::demo::{CLOSED, OPEN};

/// A kind of scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// What comes after `-s`.
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    /// Whether it asks for a connection as any client does, by the system's own stack: then an open port answers.
    pub(crate) knocks: bool,
}

/// All of them.
pub(crate) const KINDS: [Kind; 8] = [
    Kind { letter: 'S', name: "SYN", knocks: false },
    Kind { letter: 'T', name: "connect", knocks: true },
    Kind { letter: 'N', name: "NULL", knocks: false },
    Kind { letter: 'F', name: "FIN", knocks: false },
    Kind { letter: 'X', name: "XMAS", knocks: false },
    Kind { letter: 'M', name: "Maimon", knocks: false },
    Kind { letter: 'A', name: "ACK", knocks: false },
    Kind { letter: 'W', name: "Window", knocks: false },
];

/// One scan, and what came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) kind: Kind,
    /// The ports where a service listens, in the order of [`OPEN`].
    pub(crate) open: Vec<Port>,
    /// The ports where none does, in the order of [`CLOSED`].
    pub(crate) closed: Vec<Port>,
}

/// The command that [`run`] stands for.
pub(crate) fn command_line() -> String {
    let letters = KINDS.map(|kind| kind.letter.to_string()).join(" ");
    format!("for kind in {letters}; do nmap {} & done; wait", arguments("$kind"))
}

/// Scans the guarded host from here in every way at once: most of the time passes waiting for answers that do not
/// come. The kinds do not disturb each other, because each has source ports of its own, and because the probes
/// are not of the sort for which a guarded host keeps a budget.
pub(crate) fn run(host: &Host, interrupt: &Interrupt) -> Result<Vec<Scan>> {
    let start = |kind: Kind| host.spawn("nmap", arguments(&kind.letter.to_string()).split_whitespace());
    let mut running = KINDS.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    KINDS.into_iter().zip(&mut running).map(|(kind, process)| finish(kind, process, interrupt)).collect()
}

fn finish(kind: Kind, process: &mut Process, interrupt: &Interrupt) -> Result<Scan> {
    let output = interrupt.wait(process)?;
    let [text, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let line = process.command_line();
    ensure!(output.status.success(), "`{line}` ended with {}: {}", output.status, errors.trim_end());
    Report::read(&text)
        .and_then(|report| Scan::of(kind, &report))
        .with_context(|| format!("reading what `{line}` printed"))
}

fn arguments(letter: &str) -> String {
    let ports: Vec<String> = OPEN.iter().chain(&CLOSED).map(u16::to_string).collect();
    format!("-s{letter} {NMAP_OPTIONS} -p {} {GUARDED_V4}", ports.join(","))
}

impl Scan {
    /// All ports.
    pub(crate) fn ports(&self) -> impl Iterator<Item = &Port> {
        self.open.iter().chain(&self.closed)
    }

    fn of(kind: Kind, report: &Report) -> Result<Self> {
        let group =
            |ports: [u16; 3]| ports.into_iter().map(|number| report.port(number)).collect::<Result<_>>();
        Ok(Self { kind, open: group(OPEN)?, closed: group(CLOSED)? })
    }
}
