//! masscan, which waits for one more packet before it ends, and may do so for ever.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use scanguard_harness::Lab;

/// The longest that it may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How long it says nothing when it is done: until then it tells every quarter of a second how far it is.
const SILENT: Duration = Duration::from_secs(2);

/// Runs this command from outside until it is done, and returns what it found.
pub(crate) fn masscan(lab: &Lab, line: &str) -> Result<String> {
    let process = lab.outside.spawn("masscan", line.split_whitespace())?;
    let deadline = Instant::now() + LIMIT;
    let (mut said, mut since) = (String::new(), Instant::now());
    while !said.contains("100.00% done") || since.elapsed() < SILENT {
        ensure!(Instant::now() < deadline, "`masscan {line}` is not done after {LIMIT:?}: {said}");
        sleep(Duration::from_millis(100));
        let now = process.stderr();
        if now != said {
            (said, since) = (now, Instant::now());
        }
    }
    Ok(process.stdout())
}
