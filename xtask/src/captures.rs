//! Writes down what a replay makes of recorded traffic.

use std::env;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::shell;

/// Where it is written, seen from the top of the checkout.
const PAGE: &str = "docs/captures.md";

/// The folder with the captures.
const CAPTURES: &str = "SCANGUARD_CAPTURES";

/// Has the tests that compare the page write it.
pub(crate) fn run() -> Result<ExitCode> {
    ensure!(env::var_os(CAPTURES).is_some(), "{CAPTURES} names no folder with captures: set it to one");
    let mut tests = shell::cargo(["test", "--package", "scanguard-tests", "--test", "host", "replay::"]);
    shell::run(tests.env("SCANGUARD_PUBLISH", "1"))?;
    println!("written to {PAGE}");
    Ok(ExitCode::SUCCESS)
}
