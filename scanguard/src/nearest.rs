//! What may have been meant by a name that does not exist.

/// The candidate that is nearest to `given`, if any is near.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&given, candidate), candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// How many letters differ; a candidate's first word may be left out, as in "xmas" for "tcp-xmas".
fn distance(given: &str, candidate: &str) -> usize {
    let whole = strsim::osa_distance(given, candidate);
    let behind = candidate.split_once('-').map(|(_, rest)| 1 + strsim::osa_distance(given, rest));
    whole.min(behind.unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["tcp-null", "tcp-xmas", "closed-port"];
        assert_eq!(nearest("tcp-xmsa", names).as_deref(), Some("tcp-xmas"));
        assert_eq!(nearest("TCP-NULL", names).as_deref(), Some("tcp-null"));
        assert_eq!(nearest("xmas", names).as_deref(), Some("tcp-xmas"));
        assert_eq!(nearest("closedport", names).as_deref(), Some("closed-port"));
        assert_eq!(nearest("weather", names), None);
    }
}
