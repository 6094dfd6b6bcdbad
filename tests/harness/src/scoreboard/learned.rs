//! What answers tell, whatever the scanner makes of them.

use std::collections::BTreeSet;
use std::fmt;
use std::slice::from_ref;
use std::str::FromStr;

use anyhow::{Context, Result};

/// What a technique truly learned, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Learned {
    /// Nothing was answered: open, closed and every other port look alike, and like a host that is not there.
    Nothing,
    /// Open and closed were answered alike.
    HostIsUp,
    /// What is open answered, and what is closed was silent.
    PublishedServices,
    /// What is closed can be told from what is filtered.
    ClosedPortsToo,
    /// What runs on the host.
    OperatingSystem,
}

impl Learned {
    const ALL: [Self; 5] =
        [Self::Nothing, Self::HostIsUp, Self::PublishedServices, Self::ClosedPortsToo, Self::OperatingSystem];

    /// What the kinds of answers tell: about what is there and, if that was asked, about what is not. About what is
    /// filtered nothing is ever answered.
    pub(super) fn from_answers(answers: &[BTreeSet<String>]) -> Self {
        match answers {
            [open, closed, ..] if open == closed => Self::from_answers(from_ref(open)),
            [_, closed, ..] if closed.is_empty() => Self::PublishedServices,
            [_, _, ..] => Self::ClosedPortsToo,
            _ if answers.iter().all(BTreeSet::is_empty) => Self::Nothing,
            _ => Self::HostIsUp,
        }
    }

    /// Whether that is more than anybody may know who looks at the published services.
    pub fn falls_short(self) -> bool {
        match self {
            Self::Nothing | Self::HostIsUp | Self::PublishedServices => false,
            Self::ClosedPortsToo | Self::OperatingSystem => true,
        }
    }
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::HostIsUp => "host is up",
            Self::PublishedServices => "published services",
            Self::ClosedPortsToo => "closed ports too",
            Self::OperatingSystem => "operating system",
        })
    }
}

impl FromStr for Learned {
    type Err = anyhow::Error;

    fn from_str(words: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|learned| learned.to_string() == words);
        known.with_context(|| format!("{words}: nothing that a scan can learn"))
    }
}
