//! Spans of time, as people write them and as the programs keep them: in whole seconds.

use std::time::Duration;

/// Reads a span of a second or more, like 90s, 2h or 7days.
pub(crate) fn parse(given: &str) -> Result<u32, String> {
    let span = humantime::parse_duration(given)
        .map_err(|error| format!("{error}; write it like 90s, 10m, 2h or 7days"))?;
    if span.subsec_nanos() != 0 || span.is_zero() {
        return Err("is no whole number of seconds; write it like 90s, 10m, 2h or 7days".to_owned());
    }
    u32::try_from(span.as_secs()).map_err(|_| "is longer than a hundred years".to_owned())
}

/// Writes it the same way.
pub(crate) fn written(seconds: u32) -> String {
    humantime::format_duration(Duration::from_secs(seconds.into())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (given, seconds) in [("1s", 1), ("90s", 90), ("2h", 7_200), ("1h 30m", 5_400), ("7days", 604_800)]
        {
            assert_eq!(parse(given), Ok(seconds), "{given}");
        }
        assert_eq!(written(5_400), "1h 30m");
        assert_eq!(parse(&written(86_400)), Ok(86_400));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for given in ["", "2", "0s", "20ms", "1s 1ms", "two hours", "-1s", "1000years"] {
            assert!(parse(given).is_err(), "{given}");
        }
    }
}
