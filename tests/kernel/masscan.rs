//! masscan, which waits for one more packet before it ends, and may do so for ever.

use std::time::Duration;

use anyhow::Result;
use scanguard_harness::Lab;

/// The longest that it may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What it says once it has sent everything.
const SENT: &str = "100.00% done";

/// How long it says nothing when it is done: until then it tells every quarter of a second how far it is.
const SILENT: Duration = Duration::from_secs(2);

/// Runs it with these arguments from outside until it is done, and returns what it found.
pub(crate) fn masscan(lab: &Lab, arguments: &str) -> Result<String> {
    let process = lab.outside.spawn("masscan", arguments.split_whitespace())?;
    let done = process.wait_for_silence(SENT, SILENT, LIMIT);
    // Now and then it tells for ever that it still waits, for answers that have long come.
    if !process.stderr().contains(SENT) {
        done?;
    }
    Ok(process.stdout())
}
