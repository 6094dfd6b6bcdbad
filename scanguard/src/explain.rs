//! What each cause means, for people: the probe, the normal traffic next to it, and what becomes of both.
//!
//! The texts are data, one [`Topic`] for each cause, in groups by what the packet is: `impossible` flags, `forged`
//! headers, segments without a connection (`disconnected`) and with one (`connected`), what is `marked` as a tool's,
//! answers that are `silenced`, contacts of those who are `banned`, traffic that is `unjudged`, and what is `malformed`. `render` writes them all.

mod banned;
mod connected;
mod disconnected;
mod forged;
mod impossible;
mod malformed;
mod marked;
mod picture;
mod render;
mod silenced;
mod topic;
mod unjudged;

use std::io::{self, Write};

use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Signature;

use crate::error::Error;
use crate::nearest::nearest;

pub(crate) use topic::Topic;

/// Writes what can be explained: every cause, and the names under which people know its packets.
pub(crate) fn list(out: &mut dyn Write) -> io::Result<()> {
    render::list(all(), out)
}

/// The topic of this name, a cause's or one that people know a scan by. Upper and lower case are the same.
///
/// # Errors
///
/// [`Error::UnknownTopic`] with the nearest name that exists.
pub(crate) fn find(name: &str) -> Result<&'static Topic, Error> {
    let name = if is_mark(name) { Cause::ToolSignature.name() } else { name };
    all().find(|topic| topic.names().any(|known| known.eq_ignore_ascii_case(name))).ok_or_else(|| {
        Error::UnknownTopic { given: name.to_owned(), nearest: nearest(name, all().flat_map(Topic::names)) }
    })
}

fn is_mark(name: &str) -> bool {
    Signature::ALL.iter().any(|signature| signature.name().eq_ignore_ascii_case(name))
}

/// Writes all there is to say about one topic.
pub(crate) fn explain(topic: &Topic, out: &mut dyn Write) -> io::Result<()> {
    render::topic(topic, out)?;
    if topic.cause == Cause::ToolSignature { render::marks(out) } else { Ok(()) }
}

/// All topics, in the order of their causes.
fn all() -> impl Iterator<Item = &'static Topic> {
    let groups = [
        impossible::TOPICS,
        forged::TOPICS,
        disconnected::TOPICS,
        marked::TOPICS,
        silenced::TOPICS,
        connected::TOPICS,
        banned::TOPICS,
        unjudged::TOPICS,
        malformed::TOPICS,
    ];
    Cause::ALL
        .iter()
        .filter_map(move |cause| groups.into_iter().flatten().find(|topic| topic.cause == *cause))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use scanguard_common::cause::Action;
    use scanguard_common::stray::{BURST, REFILL};
    use scanguard_common::time::Nanos;

    use super::topic::Lesson;
    use super::*;

    fn text_of(topic: &Topic) -> String {
        let mut bytes = Vec::new();
        explain(topic, &mut bytes).expect("memory takes everything");
        String::from_utf8(bytes).expect("written from strings")
    }

    #[test]
    fn every_cause_has_exactly_one_topic_and_is_found_by_its_name() {
        for cause in Cause::ALL {
            let topic = find(cause.name()).expect("every cause can be explained");
            assert_eq!(topic.cause, *cause);
            assert!(text_of(topic).starts_with(topic.title));
        }
        assert_eq!(all().count(), Cause::ALL.len());
    }

    #[test]
    fn scans_are_found_by_the_names_that_people_know() {
        let known = [
            ("xmas", Cause::TcpXmas),
            ("XMAS", Cause::TcpXmas),
            ("null", Cause::TcpNull),
            ("fin", Cause::FinProbe),
            ("maimon", Cause::MaimonProbe),
            ("ack", Cause::AckProbe),
            ("window", Cause::AckProbe),
            ("syn-ack", Cause::SynAckProbe),
            ("idle", Cause::SynAckProbe),
            ("syn", Cause::ClosedPort),
            ("half-open", Cause::ClosedPort),
            ("connect", Cause::ClosedPort),
            ("rst", Cause::StrayReset),
            ("established", Cause::InConnection),
            ("handshake", Cause::NewConnection),
            ("signature", Cause::ToolSignature),
            ("nmap-syn", Cause::ToolSignature),
        ];
        for (name, cause) in known {
            assert_eq!(find(name).expect("known").cause, cause, "{name}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        let mut meanings = HashMap::new();
        for topic in all() {
            for name in topic.names() {
                assert_eq!(name, name.to_lowercase());
                let earlier = meanings.insert(name, topic.cause);
                assert_eq!(earlier, None, "{name} also means {}", topic.cause.name());
            }
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_nearest_one() {
        let message = |name: &str| find(name).err().map(|error| error.to_string());
        let list = "no such scan or cause; `scanguard explain` lists them";
        assert_eq!(message("xmass"), Some(format!("xmass: {list}; did you mean xmas?")));
        assert_eq!(message("weather"), Some(format!("weather: {list}")));
    }

    #[test]
    fn everything_fits_into_80_columns_and_ends_no_line_in_a_space() {
        let mut texts: Vec<String> = all().map(text_of).collect();
        let mut listed = Vec::new();
        list(&mut listed).expect("memory takes everything");
        texts.push(String::from_utf8(listed).expect("written from strings"));
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line, line.trim_end());
        }
    }

    #[test]
    fn whatever_is_dropped_is_taught_in_full() {
        for topic in all().filter(|topic| topic.cause.action() == Action::Drop) {
            let name = topic.cause.name();
            assert!(!topic.aliases.is_empty(), "{name}: known by no other name");
            assert!(!topic.tools.is_empty(), "{name}: nothing to try");
            assert!(!topic.what.is_empty() && !topic.verdict.is_empty(), "{name}");
            let Lesson::Probe(probe) = &topic.lesson else { continue }; // it has no place in a connection
            assert!(!probe.lane.is_empty() && !probe.oddity.is_empty() && !probe.honest.is_empty(), "{name}");
            let text = text_of(topic);
            for heading in [
                "What it is",
                "Next to a normal connection",
                "What it asks",
                "Try it",
                "What scanguard does",
                "Can it hit honest traffic?",
            ] {
                assert!(text.contains(&format!("\n{heading}\n")), "{name}: {heading}");
            }
            assert!(text.contains("scanguard allow add"), "{name}: no way out");
        }
    }

    #[test]
    fn whatever_passes_says_what_it_is_and_why() {
        for topic in all().filter(|topic| topic.cause.action() == Action::Pass) {
            assert!(!topic.what.is_empty() && !topic.verdict.is_empty(), "{}", topic.cause.name());
        }
    }

    #[test]
    fn the_budget_for_strays_is_the_one_that_the_engine_keeps() {
        assert_eq!(REFILL, Nanos::SECOND);
        for cause in [Cause::Stray, Cause::StrayFlood] {
            let topic = find(cause.name()).expect("every cause can be explained");
            let budget = format!("{BURST} at once, and one more each second");
            assert!(topic.verdict.iter().any(|text| text.contains(&budget)), "{}", cause.name());
        }
    }

    #[test]
    fn an_xmas_scan_reads_like_this() {
        let topic = find("xmas").expect("known");
        assert_eq!(text_of(topic), include_str!("explain/xmas.txt"));
    }
}
