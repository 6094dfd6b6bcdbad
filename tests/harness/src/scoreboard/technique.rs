//! A technique, and the group it is published in.

use super::subject::Subject;
use super::tool::{NUMBER, Tool};

/// Techniques that ask about the same things.
pub(super) struct Group {
    pub(super) title: &'static str,
    /// What to know of it, in a sentence or two.
    pub(super) remark: &'static str,
    pub(super) subjects: &'static [Subject],
    pub(super) techniques: Vec<Technique>,
}

/// One way of asking.
#[derive(Clone)]
pub(super) struct Technique {
    /// How people call it, in Markdown; no two the same.
    pub(super) name: String,
    pub(super) way: Way,
    /// Why it learns anything at all, where it does and that is not plain.
    pub(super) reason: &'static str,
}

/// By whom a question is asked.
#[derive(Clone)]
pub(super) enum Way {
    /// A scanner that many use, with these options.
    Tool { tool: Tool, options: &'static str },
    /// Frames of our own that ask about a port.
    Frames(fn(u16) -> Vec<Vec<u8>>),
}

impl Technique {
    /// A scanner with these options.
    pub(super) fn by(tool: Tool, options: &'static str) -> Self {
        Self {
            name: format!("`{}`", format!("{} {options}", tool.name()).replace(NUMBER, "").trim_end()),
            way: Way::Tool { tool, options },
            reason: "",
        }
    }

    /// Frames of our own.
    pub(super) fn crafted(name: &str, frames: fn(u16) -> Vec<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), way: Way::Frames(frames), reason: "" }
    }

    /// Says why it learns what it does.
    pub(super) fn because(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// Whether it asks over IPv6.
    pub(super) fn is_v6(&self) -> bool {
        match &self.way {
            Way::Tool { options, .. } => options.split_whitespace().any(|word| word == "-6"),
            Way::Frames(_) => false,
        }
    }
}
