//! What became better, and what worse.

use std::fmt;

use super::{Learned, Row, Scoreboard};

/// How a row differs from what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub(super) technique: String,
    pub(super) kind: Kind,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// More is learned than before.
    Worse(Learned, Learned),
    /// Less is learned than before where nothing guards: silence would prove nothing.
    Mute(Learned, Learned),
    /// It is no longer measured.
    Missing,
    /// Less is learned than before.
    Better(Learned, Learned),
    /// It was not measured before.
    New,
    /// As much is learned as before, but something else is reported.
    Reworded,
}

impl Change {
    /// Whether this may not be.
    pub fn is_worse(&self) -> bool {
        match self.kind {
            Kind::Worse(..) | Kind::Mute(..) | Kind::Missing => true,
            Kind::Better(..) | Kind::New | Kind::Reworded => false,
        }
    }

    /// Whether to look twice: a busy machine loses a packet now and then.
    pub(super) fn is_doubtful(&self) -> bool {
        match self.kind {
            Kind::Worse(..) | Kind::Mute(..) | Kind::Better(..) | Kind::Reworded => true,
            Kind::Missing | Kind::New => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.technique)?;
        match self.kind {
            Kind::Worse(before, now) => write!(f, "worse: learns \"{now}\", and learned \"{before}\""),
            Kind::Mute(before, now) => {
                write!(f, "without scanguard it learns \"{now}\" only, and learned \"{before}\"")
            }
            Kind::Missing => f.write_str("no longer measured"),
            Kind::Better(before, now) => write!(f, "better: learns \"{now}\", and learned \"{before}\""),
            Kind::New => f.write_str("new"),
            Kind::Reworded => f.write_str("other words are reported"),
        }
    }
}

/// Compares two scoreboards: the rows of the earlier one, then those that are new.
pub(super) fn between(earlier: &Scoreboard, later: &Scoreboard) -> Vec<Change> {
    let changed = earlier.rows().filter_map(|before| {
        let kind = match later.row(&before.technique) {
            Some(now) => difference(before, now)?,
            None => Kind::Missing,
        };
        Some(Change { technique: before.technique.clone(), kind })
    });
    let new = later.rows().filter(|row| earlier.row(&row.technique).is_none());
    let new = new.map(|row| Change { technique: row.technique.clone(), kind: Kind::New });
    changed.chain(new).collect()
}

fn difference(before: &Row, now: &Row) -> Option<Kind> {
    let (old, new) = (before.learned, now.learned);
    if new > old {
        Some(Kind::Worse(old, new))
    } else if now.learned_without < before.learned_without {
        Some(Kind::Mute(before.learned_without, now.learned_without))
    } else if new < old {
        Some(Kind::Better(old, new))
    } else {
        (before != now).then_some(Kind::Reworded)
    }
}
