//! Segments as arrows: a probe, and the normal three-way handshake next to it.

use std::io::{self, Write};

/// One segment of a picture, by what is written on its arrow.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// From left to right.
    Out(&'static str),
    /// From right to left.
    Back(&'static str),
}

/// How every TCP connection begins (RFC 9293 §3.5).
const HANDSHAKE: &[Step] = &[Step::Out("SYN"), Step::Back("SYN/ACK"), Step::Out("ACK")];

/// Columns between the two sides of the probe's picture, and of the handshake's.
const PROBE_WIDTH: usize = 30;
const HANDSHAKE_WIDTH: usize = 22;

const GAP: &str = "      ";

/// Draws the handshake alone.
pub(super) fn handshake(out: &mut dyn Write) -> io::Result<()> {
    let right = Lane { from: "client", to: "server", width: HANDSHAKE_WIDTH, steps: HANDSHAKE };
    (0..right.height()).try_for_each(|row| writeln!(out, "  {}", right.row(row).trim_end()))
}

/// Draws a probe on the left, and the handshake on the right.
pub(super) fn beside_handshake(probe: &'static [Step], out: &mut dyn Write) -> io::Result<()> {
    let left = Lane { from: "scanner", to: "this host", width: PROBE_WIDTH, steps: probe };
    let right = Lane { from: "client", to: "server", width: HANDSHAKE_WIDTH, steps: HANDSHAKE };
    let height = left.height().max(right.height());
    (0..height).try_for_each(|row| {
        let line = format!("  {}{GAP}{}", left.row(row), right.row(row));
        writeln!(out, "{}", line.trim_end())
    })
}

/// Two hosts, and what goes to and fro between them.
struct Lane {
    from: &'static str,
    to: &'static str,
    width: usize,
    steps: &'static [Step],
}

impl Lane {
    fn height(&self) -> usize {
        self.steps.len() + 1
    }

    /// One line of the picture: the names, then an arrow in each, then nothing more is said.
    fn row(&self, row: usize) -> String {
        let Some(row) = row.checked_sub(1) else {
            return format!("{}{:>rest$}", self.from, self.to, rest = self.width + 2 - self.from.len());
        };
        match self.steps.get(row) {
            Some(Step::Out(label)) => format!("|{:-^width$}>|", format!(" {label} "), width = self.width - 1),
            Some(Step::Back(label)) => {
                format!("|<{:-^width$}|", format!(" {label} "), width = self.width - 1)
            }
            None => format!("|{:width$}|", "", width = self.width),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lanes_keep_their_columns_whoever_speaks_longer() {
        let mut bytes = Vec::new();
        beside_handshake(&[Step::Out("FIN"), Step::Back("RST/ACK if closed")], &mut bytes)
            .expect("memory takes everything");
        let expected = "  \
  scanner                this host      client            server
  |------------ FIN ------------>|      |-------- SYN -------->|
  |<----- RST/ACK if closed -----|      |<------ SYN/ACK ------|
  |                              |      |-------- ACK -------->|
";
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }
}
