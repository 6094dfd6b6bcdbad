//! The program's own messages: heard by whoever asks for them, and not even there for everybody else.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, Injector, Lab, OUTSIDE_V4};
use serde_json::Value;

use crate::guard::Guard;
use crate::lifetime::await_run;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn messages_are_told_when_asked_for_and_cost_nothing_when_not() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let probe = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 81).flags("").build();
    let message = format!("slot 0 cause {}", Cause::TcpNull.index());

    let mut sizes = Vec::new();
    for (line, is_told) in [("run eth0", false), ("run eth0 -v", false), ("run eth0 -vv", true)] {
        let mut run = await_run(guard.spawn(line)?)?;
        injector.send(&probe)?;
        run.wait_for_stdout("tcp-null", LIMIT)?;
        let deadline = Instant::now() + LIMIT;
        while is_told && !run.stderr().contains(&message) {
            ensure!(Instant::now() < deadline, "`{line}` does not say {message:?}: {}", run.stderr());
            sleep(Duration::from_millis(10));
        }
        ensure!(run.stderr().contains(&message) == is_told, "`{line}` says {:?}", run.stderr());
        sizes.push(translated_bytes(&lab.guarded, &guard)?);
        run.signal(Signal::SIGINT)?;
        run.wait(LIMIT)?;
    }
    ensure!(
        sizes.is_sorted() && sizes.first() < sizes.last(),
        "messages are never compiled out: {sizes:?} bytes"
    );
    Ok(())
}

/// How large the program is once the verifier has removed what is never reached.
fn translated_bytes(host: &Host, guard: &Guard<'_>) -> Result<u64> {
    let status = guard.run("status --json")?;
    let status: Value = serde_json::from_str(status.lines().next().context("status says nothing")?)?;
    let program =
        status.get("program").and_then(Value::as_u64).context("status names no program")?.to_string();
    let answer: Value =
        serde_json::from_str(&host.run("bpftool", ["--json", "prog", "show", "id", &program])?)?;
    answer.get("bytes_xlated").and_then(Value::as_u64).context("bpftool does not say how large it is")
}
