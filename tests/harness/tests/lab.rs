//! The laboratory itself: it works, and nothing of it is left behind. Needs root.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6, Service};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn hosts_reach_each_other_over_both_families() -> Result<()> {
    let lab = Lab::new()?;
    let targets: [(&Host, &Host, IpAddr); 4] = [
        (&lab.outside, &lab.guarded, GUARDED_V4.into()),
        (&lab.outside, &lab.guarded, GUARDED_V6.into()),
        (&lab.guarded, &lab.outside, OUTSIDE_V4.into()),
        (&lab.guarded, &lab.outside, OUTSIDE_V6.into()),
    ];
    for (client, server, address) in targets {
        let _service = Service::echo(server, 7)?;
        let said = client
            .within(|| exchange_line((address, 7)))
            .with_context(|| format!("connecting to {address}"))?;
        ensure!(said == "hello\n", "{address} said {said:?}");
    }
    Ok(())
}

#[test]
fn a_command_that_fails_says_what_and_why() -> Result<()> {
    let host = Host::new("alone")?;
    let error = host.ip("link set nowhere up").expect_err("there is no such interface").to_string();
    ensure!(error.contains("ip link set nowhere up") && error.contains("nowhere\""), "{error}");
    Ok(())
}

#[test]
fn services_answer_and_more_sources_can_be_added() -> Result<()> {
    let lab = Lab::new()?;
    let _web = Service::http(&lab.guarded, 80)?;
    let _echo = Service::echo(&lab.guarded, 22)?;
    lab.add_source("10.77.0.9".parse()?)?;
    lab.add_source("fd77::9".parse()?)?;
    for (source, target) in [("10.77.0.9", "10.77.0.1"), ("fd77::9", "[fd77::1]")] {
        let url = format!("http://{target}/100000");
        let body = lab.outside.run("curl", ["-sS", "-g", "--max-time", "5", "--interface", source, &url])?;
        ensure!(body.len() == 100_000, "{url} from {source}: {} bytes", body.len());
    }
    let said = lab.outside.within(|| exchange_line((GUARDED_V6.into(), 22)))?;
    ensure!(said == "hello\n", "{said:?}");
    Ok(())
}

#[test]
fn a_stopped_service_ends_its_connections_and_frees_its_port() -> Result<()> {
    let lab = Lab::new()?;
    let service = Service::echo(&lab.guarded, 22)?;
    let connection = lab.outside.within(|| TcpStream::connect((GUARDED_V4, 22)))?;
    connection.set_read_timeout(Some(LIMIT))?;
    exchange_line_on(&connection)?;
    drop(service);
    let ended = BufReader::new(&connection).read_line(&mut String::new()).map_or(true, |length| length == 0);
    ensure!(ended, "the connection goes on without its service");
    ensure!(lab.outside.within(|| TcpStream::connect((GUARDED_V4, 22))).is_err(), "the port still answers");
    Ok(())
}

#[test]
fn a_host_has_mounts_of_its_own() -> Result<()> {
    let (one, other) = (Host::new("one")?, Host::new("other")?);
    for directory in ["/sys/fs/bpf/mine", "/run/mine"] {
        one.within(|| std::fs::create_dir(directory)).with_context(|| format!("making {directory}"))?;
        one.run("test", ["-d", directory])?;
        ensure!(other.run("test", ["-d", directory]).is_err(), "{directory} is seen from another host");
        ensure!(!std::fs::exists(directory)?, "{directory} is seen from outside");
    }
    let interfaces = one.run("ls", ["/sys/class/net"])?;
    ensure!(interfaces == "lo\n", "/sys shows another network: {interfaces}");
    Ok(())
}

#[test]
fn a_program_ends_with_its_handle_and_takes_its_children_along() -> Result<()> {
    let host = Host::new("alone")?;
    let process = host.spawn("sh", ["-c", "sleep 71 & echo $!; wait"])?;
    process.wait_for_stdout("\n", LIMIT)?;
    let (shell, child) = (process.pid().to_string(), process.stdout().trim().to_owned());
    ensure!(is_running(&shell)? && is_running(&child)?, "the shell or its child is not running");
    drop(process);
    until("the shell and its child are gone", || Ok(!is_running(&shell)? && !is_running(&child)?))
}

#[test]
fn a_program_outlives_the_thread_that_asked_for_it() -> Result<()> {
    let host = Host::new("alone")?;
    let process =
        std::thread::scope(|scope| scope.spawn(|| host.spawn("sleep", ["72"])).join().expect("no panic"))?;
    sleep(Duration::from_millis(200));
    ensure!(is_running(&process.pid().to_string())?, "the program died with the thread");
    Ok(())
}

#[test]
fn the_network_of_a_dropped_host_is_destroyed() -> Result<()> {
    let lab = Lab::new()?;
    ensure!(has_interface(&lab.outside)?, "the lab has no cable");
    let Lab { guarded, outside } = lab;
    drop(guarded);
    // Only the end of its namespace takes the other end of a cable away.
    until("the cable is gone", || Ok(!has_interface(&outside)?))
}

/// What a killed test or an interrupted demo leaves: nothing.
#[test]
fn nothing_is_left_when_the_owner_is_killed() -> Result<()> {
    if std::env::var_os(OWNER).is_some() {
        return own_a_lab_until_killed();
    }
    let test = "nothing_is_left_when_the_owner_is_killed";
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut lines = BufReader::new(owner.stdout.take().context("no pipe")?).lines();
    let line = loop {
        let line = lines.next().context("the owner ended early")??;
        if let Some((_, ids)) = line.split_once("owned: ") {
            break ids.to_owned();
        }
    };
    let (pid, network) = line.split_once(' ').context("not two words")?;
    ensure!(is_running(pid)? && is_lived_in(network)?, "the owner's lab is not running");
    owner.kill()?;
    owner.wait()?;
    until("the program is gone", || Ok(!is_running(pid)?))?;
    until("nobody lives in the namespace", || Ok(!is_lived_in(network)?))?;
    ensure!(!is_named(network)?, "the namespace has a name");
    Ok(())
}

const OWNER: &str = "SCANGUARD_TEST_OWNS_A_LAB";

fn own_a_lab_until_killed() -> Result<()> {
    let lab = Lab::new()?;
    let process = lab.guarded.spawn("sleep", ["73"])?;
    println!("owned: {} {}", process.pid(), lab.guarded.within(|| network_of("thread-self"))?);
    sleep(Duration::from_secs(60));
    Ok(())
}

fn network_of(process: &str) -> Result<u64> {
    Ok(std::fs::metadata(format!("/proc/{process}/ns/net"))?.ino())
}

/// Whether a file holds the network namespace with this number, as `ip netns` does.
fn is_named(network: &str) -> Result<bool> {
    let network: u64 = network.parse()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let held =
        mounts.lines().filter(|line| line.starts_with("nsfs ")).filter_map(|line| line.split(' ').nth(1));
    // A file that is unmounted while it is looked at holds nothing.
    Ok(held.filter_map(|path| std::fs::metadata(path).ok()).any(|file| file.ino() == network))
}

/// Whether any process lives in the network namespace with this number.
fn is_lived_in(network: &str) -> Result<bool> {
    let network: u64 = network.parse()?;
    let processes = std::fs::read_dir("/proc")?.filter_map(Result::ok);
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    // A process that ends while it is looked at lives nowhere.
    Ok(names
        .filter(|name| name.parse::<u32>().is_ok())
        .any(|pid| network_of(&pid).is_ok_and(|of| of == network)))
}

fn is_running(pid: &str) -> Result<bool> {
    Ok(std::fs::exists(format!("/proc/{pid}/exe"))? && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok())
}

fn has_interface(host: &Host) -> Result<bool> {
    Ok(host.run("ls", ["/sys/class/net"])?.lines().any(|name| name == INTERFACE))
}

fn exchange_line(target: (IpAddr, u16)) -> Result<String> {
    exchange_line_on(&TcpStream::connect(target)?)
}

fn exchange_line_on(mut connection: &TcpStream) -> Result<String> {
    connection.set_read_timeout(Some(LIMIT))?;
    connection.write_all(b"hello\n")?;
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    Ok(line)
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds()? {
        ensure!(Instant::now() < deadline, "after {LIMIT:?} it is still not so that {what}");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
