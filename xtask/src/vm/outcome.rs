//! What a guest's console says about the tests.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::vm::kernel::Kernel;
use crate::vm::qemu::Ended;

/// How the tests went on one kernel.
pub(super) enum Outcome {
    /// Every test passed.
    Passed { release: String, seconds: u64, summary: String },
    /// A test failed, or the guest did not get that far.
    Failed { release: String, reason: String, log: PathBuf, tail: String },
    /// There is no kernel to test on, for this reason.
    Skipped(String),
}

/// How much of the console is shown with a failure: enough for a panic of the kernel.
const TAIL: usize = 60;

impl Outcome {
    /// Reads the console of a guest that ended.
    pub(super) fn judge(kernel: &Kernel, ended: &Ended, log: &Path) -> Self {
        match verdict(&console(log), ended) {
            Ok(summary) => Self::Passed { release: kernel.release.clone(), seconds: ended.seconds, summary },
            Err(reason) => Self::failed(&kernel.release, &reason, log),
        }
    }

    /// A failure, with the end of the console.
    pub(super) fn failed(release: &str, reason: &str, log: &Path) -> Self {
        let console = console(log);
        let lines: Vec<&str> = console.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
        Self::Failed { release: release.to_owned(), reason: reason.to_owned(), log: log.to_owned(), tail }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed { release, seconds, summary } => {
                write!(f, "passed on Linux {release} in {seconds} s: {summary}")
            }
            Self::Failed { release, reason, log, tail } => {
                writeln!(f, "failed on Linux {release}: {reason}; the end of {}:", log.display())?;
                write!(f, "{tail}")
            }
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
        }
    }
}

/// The tests' closing line, or what is wrong.
fn verdict(console: &str, ended: &Ended) -> Result<String, String> {
    if !ended.in_time {
        return Err(format!("the guest was still running after {} s", ended.seconds));
    }
    let Some(status) = console.lines().rev().find_map(|line| line.strip_prefix("vm: exit status ")) else {
        return Err("the guest stopped before its tests ended".to_owned());
    };
    let summary = console.lines().rev().find(|line| line.starts_with("test result: "));
    match (status, summary) {
        ("0", Some(line)) if line.contains(" 0 passed") => Err(format!("no test ran: {line}")),
        ("0", Some(line)) => Ok(line.to_owned()),
        ("0", None) => Err("no test ran".to_owned()),
        (_, Some(line)) => Err(line.to_owned()),
        (status, None) => Err(format!("the tests ended with exit status {status} and no result")),
    }
}

/// A serial line ends its lines in two characters, and a program may have sent anything down it.
pub(super) fn console(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::vm::qemu::Ended;

    const IN_TIME: Ended = Ended { seconds: 20, in_time: true };
    const GOOD: &str = "test result: ok. 3 passed; 0 failed; 0 ignored";

    fn error(console: &str) -> String {
        verdict(console, &IN_TIME).expect_err("this is not a success")
    }

    #[test]
    fn success_is_a_result_and_an_exit_status() {
        let console = format!("running 3 tests\n{GOOD}\n\nvm: exit status 0\n[ 9.1] reboot: Power down\n");
        assert_eq!(verdict(&console, &IN_TIME).as_deref(), Ok(GOOD));
    }

    #[test]
    fn a_guest_that_stops_early_has_failed() {
        assert_eq!(error(&format!("{GOOD}\nKernel panic\n")), "the guest stopped before its tests ended");
    }

    #[test]
    fn a_guest_that_hangs_has_failed() {
        let late = Ended { seconds: 600, in_time: false };
        assert!(verdict("vm: exit status 0\n", &late).is_err());
    }

    #[test]
    fn no_test_is_no_success() {
        assert_eq!(error("vm: exit status 0\n"), "no test ran");
        assert!(error("test result: ok. 0 passed; 0 failed\nvm: exit status 0\n").starts_with("no test ran"));
    }

    #[test]
    fn a_failed_test_is_named_by_the_result() {
        let result = "test result: FAILED. 2 passed; 1 failed";
        assert_eq!(error(&format!("{result}\nvm: exit status 101\n")), result);
        assert!(error("vm: exit status 127\n").contains("127"));
    }
}
