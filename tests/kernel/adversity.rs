//! What happens around scanguard while it works: what is guarded stays whole, or is told.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::programs::{SchedClassifier, TcAttachType};
use nix::sys::signal::Signal;
use scanguard::exit::Exit;
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, Injector, Lab, OUTSIDE_V4, Process};

use crate::guard::Guard;
use crate::lifetime::{add_interface, await_run, start_run};

const LIMIT: Duration = Duration::from_secs(60);

/// A disk without room, in the place of one stream.
const DATA_ON_A_FULL_DISK: [&str; 4] = ["sh", "-c", r#"exec "$@" >/dev/full"#, "sh"];
const WORDS_ON_A_FULL_DISK: [&str; 4] = ["sh", "-c", r#"exec "$@" 2>/dev/full"#, "sh"];
/// Nobody reads what comes, as behind `| head`.
const DATA_TO_NOBODY: [&str; 4] = ["bash", "-c", r#""$@" | true; exit "${PIPESTATUS[0]}""#, "bash"];

#[test]
fn data_that_cannot_be_written_is_an_error_that_names_the_stream() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    for line in ["status", "stats", "stats --json", "stats --watch", "allow list", "explain", "explain xmas"]
    {
        let (code, message) = guard.fail_through(&DATA_ON_A_FULL_DISK, line)?;
        ensure!(code == i32::from(Exit::Failure.code()), "`{line}` ended with {code}: {message}");
        let expected = "scanguard: writing to standard output: No space left on device";
        ensure!(
            message.starts_with(expected) && message.trim_end().lines().count() == 1,
            "{line}: {message}"
        );
    }
    for line in ["status", "stats --json", "stats --watch", "explain xmas"] {
        let output = guard.spawn_through(&DATA_TO_NOBODY, line)?.wait(LIMIT)?;
        ensure!(
            output.status.success() && output.stderr.is_empty(),
            "`{line}` into a closed pipe: {output:?}"
        );
    }
    Ok(())
}

#[test]
fn words_that_cannot_be_written_undo_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for line in ["attach eth0", "detach eth0"] {
        let status = guard.spawn_through(&WORDS_ON_A_FULL_DISK, line)?.wait(LIMIT)?.status;
        ensure!(status.success(), "`{line}` ended with {status}");
        ensure!(guard.is_gone()? == line.starts_with("detach"), "`{line}` did not do it");
    }
    Ok(())
}

#[test]
fn of_two_attaches_at_the_same_moment_one_wins() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let mut both = [guard.spawn("attach eth0")?, guard.spawn("attach eth0")?];
    let mut codes = both.each_mut().map(|process| code(process).unwrap_or(-1));
    codes.sort_unstable();
    ensure!(codes == [0, i32::from(Exit::AlreadyGuarded.code())], "they ended with {codes:?}");
    guard.run("detach eth0")?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn interfaces_that_are_attached_at_the_same_moment_are_all_guarded() -> Result<()> {
    const NAMES: [&str; 3] = ["eth0", "eth1", "eth2"];
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    add_interface(&lab.guarded, "eth2")?;
    let guard = Guard::on(&lab.guarded);
    let each = |verb: &str| -> Result<()> {
        let started = NAMES.map(|name| guard.spawn(&format!("{verb} {name}")));
        for process in started {
            let code = code(&mut process?)?;
            ensure!(code == 0, "one {verb} of several ended with {code}");
        }
        Ok(())
    };
    each("attach")?;
    let status = guard.run("status --json")?;
    ensure!(NAMES.iter().all(|name| status.contains(&format!("\"{name}\""))), "{status}");
    each("detach")?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn what_is_half_made_because_another_command_is_at_work_is_not_called_broken() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let pins = "/sys/fs/bpf/scanguard";
    lab.guarded.within(|| fs::create_dir(pins))?;
    let at_work = "echo at work; sleep 0.3; rmdir /sys/fs/bpf/scanguard";
    let other = lab.guarded.spawn("flock", ["/sys/fs/bpf", "sh", "-c", at_work])?;
    other.wait_for_stdout("at work", LIMIT)?;
    let output = guard.spawn("status")?.wait(LIMIT)?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && words.contains("no interface is guarded"), "{words}");
    Ok(())
}

#[test]
fn an_attach_that_was_killed_is_cleaned_up_at_whatever_moment_it_was() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for milliseconds in (5..60).step_by(15).chain((60..240).step_by(10)) {
        let mut attach = guard.spawn("attach eth0")?;
        sleep(Duration::from_millis(milliseconds));
        attach.signal(Signal::SIGKILL)?;
        attach.wait(LIMIT)?;
        // The second door is held open before the first one is there.
        let [first, second] = doors(&lab.guarded)?;
        ensure!(first || !second, "killed after {milliseconds} ms: nothing but the second door is left");
        // Guarded, not guarded, or half-made and told so: nothing else.
        let mut next = guard.spawn("attach eth0")?;
        let code = code(&mut next)?;
        let known =
            [Exit::Success, Exit::AlreadyGuarded, Exit::BrokenPins].map(|exit| i32::from(exit.code()));
        ensure!(known.contains(&code), "after {milliseconds} ms, attach ended with {code}");
        guard.run("detach --all")?;
        ensure!(guard.is_gone()?, "killed after {milliseconds} ms: something is left");
    }
    Ok(())
}

/// Which of both doors the interface has. Before Linux 6.6, whose second doors are filters, only the first is told.
fn doors(host: &Host) -> Result<[bool; 2]> {
    let first = host.ip(&format!("link show {INTERFACE}"))?.contains("xdp");
    let second = host.within(|| SchedClassifier::query_tcx(INTERFACE, TcAttachType::Egress));
    Ok([first, second.is_ok_and(|(_, programs)| !programs.is_empty())])
}

#[test]
fn an_attach_that_is_interrupted_is_whole_or_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for milliseconds in [2, 10, 30, 60, 100, 150] {
            let mut attach = guard.spawn("attach eth0")?;
            sleep(Duration::from_millis(milliseconds));
            attach.signal(signal)?;
            let succeeded = attach.wait(LIMIT)?.status.success();
            let what = format!("{signal} after {milliseconds} ms");
            ensure!(guard.is_gone()? != succeeded, "{what}: ended well: {succeeded}, but it is not so");
            if succeeded {
                guard.run("detach eth0").context(what)?;
            }
        }
    }
    Ok(())
}

#[test]
fn an_interface_that_is_deleted_ends_what_runs_for_it() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let guard = Guard::on(&lab.guarded);
    let mut run = await_run(guard.spawn("run eth1")?)?;
    lab.guarded.ip("link del eth1")?;
    let output = run.wait(LIMIT)?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && words.contains("nothing is left of what"), "{words}");
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn whoever_watches_is_told_when_everything_was_detached() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let mut events = guard.spawn("events")?;
    let mut stats = guard.spawn("stats --watch")?;
    stats.wait_for_stdout("(total)", LIMIT)?;
    let probe = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 9).flags("").build();
    Injector::on(&lab.outside, INTERFACE)?.send(&probe)?;
    events.wait_for_stdout("tcp-null", LIMIT)?;
    guard.run("detach eth0")?;
    let output = events.wait(LIMIT)?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && words.contains("no more events will come"), "{words}");
    let output = stats.wait(LIMIT)?;
    let words = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    ensure!(
        code == Some(Exit::NotGuarded.code().into()) && words.contains("no interface is guarded"),
        "{words}"
    );
    Ok(())
}

#[test]
fn an_address_that_changes_is_told_by_status_and_by_run() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let run = start_run(&guard)?;
    lab.guarded.ip("link set eth0 address 02:00:00:00:00:07")?;
    let status = guard.run("status")?;
    for part in ["to 02:00:00:00:00:07", "what comes in is not judged", "`scanguard detach eth0`"] {
        ensure!(status.contains(part), "status does not say {part:?}: {status}");
    }
    await_words(&run, "to 02:00:00:00:00:07, so what comes in is not judged")
}

#[test]
fn an_interface_in_another_namespace_is_told_and_let_go() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let guard = Guard::on(&lab.guarded);
    guard.run("attach eth1")?;
    lab.guarded.ip(&format!("link set eth1 netns {}", lab.outside.network_path()))?;
    let status = guard.run("status")?;
    ensure!(status.contains("is in another network namespace, where it is still guarded"), "{status}");
    guard.run("detach --all")?;
    ensure!(guard.is_gone()?, "something is left");
    ensure!(!lab.outside.ip("link show eth1")?.contains("xdp"), "it is still guarded");
    Ok(())
}

#[test]
fn an_interface_that_is_down_is_guarded_when_it_comes_up() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.ip("link set eth0 down")?;
    let guard = Guard::attached(&lab.guarded)?;
    lab.guarded.ip("link set eth0 up")?;
    ensure!(lab.guarded.ip("link show eth0")?.contains("xdp"), "it is not guarded");
    ensure!(guard.run("status")?.contains("native"), "status does not know it");
    Ok(())
}

#[test]
fn an_interface_and_the_one_above_it_are_guarded_in_the_order_that_the_kernel_wants() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for (make, take_away) in [
        ("link add up0 link eth0 type macvlan", "link del up0"),
        ("link add up0 type bridge; ip link set eth0 master up0", "link del up0"),
    ] {
        lab.guarded.run("sh", ["-ec", &format!("ip {make}")])?;
        guard.run("attach up0 eth0")?;
        guard.run("detach eth0")?;
        let (code, message) = guard.fail_through(&[], "attach eth0")?;
        ensure!(code == i32::from(Exit::ForeignProgram.code()), "attach ended with {code}: {message}");
        ensure!(message.contains("eth0: up0 above it has an XDP program already"), "{message}");
        guard.run("detach up0")?;
        ensure!(guard.is_gone()?, "something is left");
        lab.guarded.ip(take_away)?;
    }
    Ok(())
}

#[test]
fn names_that_the_kernel_allows_are_guarded_and_speak_to_no_terminal() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for (name, shown) in
        [("we;rd", "we;rd"), ("$(x)`", "$(x)`"), ("ä€", "ä€"), ("a\u{1b}[31m", "a\\u{1b}[31m")]
    {
        add_interface(&lab.guarded, name)?;
        guard.run(&format!("attach {name}"))?;
        let table = guard.run("status")?;
        ensure!(table.contains(shown) && !table.contains('\u{1b}'), "{table:?}");
        ensure!(guard.run("stats --all")?.contains(shown), "stats does not know {shown}");
        guard.run(&format!("detach {name}"))?;
        ensure!(guard.is_gone()?, "{shown}: something is left");
    }
    let (_, message) = guard.fail_through(
        &[
            "sh",
            "-c",
            r#""$1" "$2" "no
such""#,
            "sh",
        ],
        "attach",
    )?;
    ensure!(message.starts_with("scanguard: no\\nsuch: no such interface"), "{message:?}");
    Ok(())
}

fn code(process: &mut Process) -> Result<i32> {
    process.wait(LIMIT)?.status.code().context("ended by a signal")
}

fn await_words(process: &Process, words: &str) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !process.stderr().contains(words) {
        ensure!(Instant::now() < deadline, "it does not say {words:?}: {}", process.stderr());
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
