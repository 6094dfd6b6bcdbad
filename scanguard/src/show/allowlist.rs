//! The allowlist.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use scanguard_common::schema::Allowed;
use serde::Serialize;

use super::table::{Side, Table};
use super::{Show, json_line};
use crate::clock::rfc3339_seconds;
use crate::prefix::Prefix;

/// Who is allowed, in order.
pub(crate) struct Allowlist(pub(crate) Vec<(Prefix, Allowed)>);

impl Show for Allowlist {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([("PREFIX", Side::Left), ("SINCE", Side::Left)]);
        for (prefix, entry) in &self.0 {
            table.row([prefix.to_string(), since(entry)]);
        }
        table.write(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for (prefix, entry) in &self.0 {
            json_line(out, &Line { prefix: prefix.to_string(), since: since(entry) })?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Line {
    prefix: String,
    since: String,
}

fn since(entry: &Allowed) -> String {
    rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(entry.since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::shown;

    #[test]
    fn prefixes_are_shown_with_the_time_of_their_entry() {
        let entry = |given: &str| (Prefix::parse(given).expect("a prefix"), Allowed { since: 1_709_210_096 });
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
