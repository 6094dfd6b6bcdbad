//! The allowlist.

use std::io::{self, Write};
use std::time::SystemTime;

use scanguard_common::schema::Listed;
use serde::Serialize;

use super::table::{Side, Table};
use super::{Show, json_line};
use crate::clock::{rfc3339_seconds, time_of_day};
use crate::prefix::Prefix;

/// Who is allowed, in order, and since when.
pub(crate) struct Allowlist(Vec<(Prefix, SystemTime)>);

impl Allowlist {
    /// The list with times of day instead of the kernel's.
    pub(crate) fn dated(entries: &[(Prefix, Listed)]) -> anyhow::Result<Allowlist> {
        let dated = entries.iter().map(|(prefix, entry)| Ok((*prefix, time_of_day(entry.since().into())?)));
        dated.collect::<anyhow::Result<_>>().map(Allowlist)
    }
}

impl Show for Allowlist {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([("PREFIX", Side::Left), ("SINCE", Side::Left)]);
        for (prefix, since) in &self.0 {
            table.row([prefix.to_string(), rfc3339_seconds(*since)]);
        }
        table.write(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (prefix, since) in &self.0 {
            json_line(out, &Line { prefix: prefix.to_string(), since: rfc3339_seconds(*since) })?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Line {
    prefix: String,
    since: String,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::show::shown;

    #[test]
    fn prefixes_are_shown_with_the_time_of_their_entry() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        let entry = |given: &str| (Prefix::parse(given).expect("a prefix"), since);
        let list = Allowlist(vec![entry("192.0.2.7"), entry("2001:db8::/32")]);
        assert_eq!(
            shown(&list, false),
            "PREFIX         SINCE\n\
             192.0.2.7      2024-02-29T12:34:56Z\n\
             2001:db8::/32  2024-02-29T12:34:56Z\n"
        );
        assert_eq!(
            shown(&list, true),
            "{\"prefix\":\"192.0.2.7\",\"since\":\"2024-02-29T12:34:56Z\"}\n\
             {\"prefix\":\"2001:db8::/32\",\"since\":\"2024-02-29T12:34:56Z\"}\n"
        );
    }
}
