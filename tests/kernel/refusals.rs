//! Whatever cannot be done is refused in one line that names the thing and the remedy, with a code of its own, and
//! leaves everything as it was.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Map, MapData};
use aya::programs::{Xdp, XdpMode};
use scanguard::exit::Exit;
use scanguard::program::{Constants, INGRESS, load_apart};
use scanguard_common::schema::{InterfaceSlot, MAX_PREFIXES};
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, Injector, Lab, OUTSIDE_V4};

use crate::guard::Guard;
use crate::lifetime::add_interface;

const LIMIT: Duration = Duration::from_secs(60);
const PINS: &str = "/sys/fs/bpf/scanguard";
const WITHOUT_PRIVILEGES: [&str; 2] = ["setpriv", "--bounding-set=-all"];
const WITHOUT_PERFMON: [&str; 2] = ["setpriv", "--bounding-set=-all,+bpf,+net_admin"];
const WITH_ALL_IT_TAKES: [&str; 2] = ["setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon"];
const AS_LINUX_2_6: [&str; 2] = ["setarch", "--uname-2.6"];
const WITHOUT_MOUNTING: [&str; 2] = ["setpriv", "--bounding-set=-sys_admin"];

/// A command, how it ends, and what its message says: the thing and the remedy.
type Refusal = (&'static str, Exit, [&'static str; 2]);

/// What is wrong with the pins, and how they get that way.
type Spoiler = (&'static str, fn(&Host) -> Result<()>);

#[test]
fn what_cannot_be_done_where_nothing_is_guarded() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.ip("link add ifb0 type ifb")?;
    lab.guarded.ip("tuntap add mode tun tun0")?;
    let guard = Guard::on(&lab.guarded);
    let refusals: [Refusal; 17] = [
        ("attach nosuch0", Exit::UnknownInterface, ["nosuch0", "`ip link`"]),
        ("run nosuch0", Exit::UnknownInterface, ["nosuch0", "`ip link`"]),
        ("attach eth0 nosuch0", Exit::UnknownInterface, ["nosuch0", "`ip link`"]),
        ("attach lo", Exit::UnsuitableInterface, ["lo", "guard an interface to the outside"]),
        ("attach tun0", Exit::UnsuitableInterface, ["tun0: is no Ethernet interface", "guard the Ethernet"]),
        ("attach eth0 lo", Exit::UnsuitableInterface, ["lo", "guard an interface to the outside"]),
        ("attach ifb0 --mode native", Exit::UnsuitableInterface, ["ifb0", "leave out --mode"]),
        ("attach eth0 --allow 10.0.0.1/24", Exit::InvalidCidr, ["10.0.0.1/24", "write 10.0.0.0/24"]),
        ("attach eth0 --allow nobody", Exit::InvalidCidr, ["nobody", "write it like"]),
        ("attach eth0 --mode fast", Exit::Usage, ["fast", "--help"]),
        ("protect eth0", Exit::Usage, ["protect", "--help"]),
        ("stats", Exit::NotGuarded, ["no interface is guarded", "`scanguard attach"]),
        ("stats --cause tcp-xmass", Exit::UnknownName, ["tcp-xmass", "did you mean tcp-xmas?"]),
        ("explain tcp-xmass", Exit::UnknownName, ["tcp-xmass", "`scanguard explain`"]),
        ("events", Exit::NotGuarded, ["no interface is guarded", "`scanguard attach"]),
        ("detach eth0", Exit::NotGuarded, ["eth0", "`scanguard attach eth0`"]),
        ("allow add 192.0.2.7", Exit::NotGuarded, ["no interface is guarded", "`scanguard attach"]),
    ];
    for refusal in &refusals {
        check(&guard, &[], refusal)?;
        ensure!(guard.is_gone()?, "{} left something", refusal.0);
    }
    Ok(())
}

#[test]
fn what_cannot_be_done_where_something_is_guarded() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let guard = Guard::attached(&lab.guarded)?;
    let reader = guard.spawn("events")?;
    let probe = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 9).flags("").build();
    Injector::on(&lab.outside, INTERFACE)?.send(&probe)?;
    reader.wait_for_stdout("tcp-null", LIMIT)?;
    let before = guard.run("status --json")?;
    let refusals: [Refusal; 8] = [
        ("attach eth0", Exit::AlreadyGuarded, ["eth0", "`scanguard detach eth0`"]),
        ("run eth0", Exit::AlreadyGuarded, ["eth0", "`scanguard detach eth0`"]),
        ("attach eth1 eth0", Exit::AlreadyGuarded, ["eth0", "`scanguard detach eth0`"]),
        ("detach eth0 eth1", Exit::NotGuarded, ["eth1", "`scanguard attach eth1`"]),
        ("stats eth1", Exit::NotGuarded, ["eth1", "`scanguard attach eth1`"]),
        ("allow remove 192.0.2.7", Exit::NotAllowed, ["192.0.2.7", "`scanguard allow list`"]),
        ("allow add 192.0.2.7 nobody", Exit::InvalidCidr, ["nobody", "write it like"]),
        (
            "events",
            Exit::EventsTaken,
            ["events are being read already (process", "`scanguard stats --watch`"],
        ),
    ];
    for refusal in &refusals {
        check(&guard, &[], refusal)?;
        ensure!(guard.run("status --json")? == before, "{} changed something", refusal.0);
    }
    Ok(())
}

#[test]
fn without_privileges_nothing_is_tried() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for line in ["attach eth0", "run eth0"] {
        let all = ["CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON", "sudo"];
        check(&guard, &WITHOUT_PRIVILEGES, &(line, Exit::NoPrivileges, all))?;
        check(&guard, &WITHOUT_PERFMON, &(line, Exit::NoPrivileges, ["CAP_PERFMON", "sudo"]))?;
    }
    for line in ["detach eth0", "status", "stats", "events", "allow list"] {
        let refusal = (line, Exit::NoPrivileges, ["CAP_BPF and CAP_NET_ADMIN", "sudo"]);
        check(&guard, &WITHOUT_PRIVILEGES, &refusal)?;
    }
    ensure!(guard.is_gone()?, "something is left");
    let capabilities = guard.spawn_through(&WITH_ALL_IT_TAKES, "attach eth0")?.wait(LIMIT)?;
    ensure!(capabilities.status.success(), "{}", String::from_utf8_lossy(&capabilities.stderr));
    Ok(())
}

#[test]
fn root_of_a_user_namespace_is_told_to_go_to_the_host() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let refusal = ("attach eth0", Exit::NoPrivileges, ["the kernel does not permit it", "on the host"]);
    check(&guard, &["unshare", "--user", "--map-root-user"], &refusal)?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn an_old_kernel_is_told_what_it_lacks() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    for line in ["attach eth0", "run eth0"] {
        let refusal = (line, Exit::KernelLacks, ["BPF links for XDP", "Linux 5.10 or newer"]);
        check(&guard, &AS_LINUX_2_6, &refusal)?;
    }
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn a_missing_bpf_file_system_is_mounted_or_the_remedy_is_told() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.run("umount", ["/sys/fs/bpf"])?;
    let guard = Guard::on(&lab.guarded);
    let refusal = ("attach eth0", Exit::NoBpffs, ["/sys/fs/bpf", "`mount -t bpf bpf /sys/fs/bpf`"]);
    check(&guard, &WITHOUT_MOUNTING, &refusal)?;
    check(&guard, &[], &("stats", Exit::NotGuarded, ["no interface is guarded", "`scanguard attach"]))?;
    guard.run("attach eth0")?;
    ensure!(lab.guarded.within(|| Path::new(PINS).exists()), "nothing is pinned");
    guard.run("detach eth0")?;
    lab.guarded.run("mount", ["-o", "remount,ro", "/sys/fs/bpf"])?;
    let refusal = ("attach eth0", Exit::NoBpffs, ["read-only", "`mount -o remount,rw /sys/fs/bpf`"]);
    check(&guard, &[], &refusal)?;
    Ok(())
}

#[test]
fn another_program_is_left_alone() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let _foreign = lab.guarded.within(|| attach_foreign_program("eth1"))?;
    let guard = Guard::on(&lab.guarded);
    for line in ["attach eth1", "run eth1", "attach eth0 eth1", "attach eth1 --mode generic"] {
        check(
            &guard,
            &[],
            &(line, Exit::ForeignProgram, ["eth1: another XDP program", "`ip link set dev eth1 xdp"]),
        )?;
        ensure!(guard.is_gone()?, "{line} left something");
        ensure!(lab.guarded.ip("link show eth1")?.contains("xdp"), "{line} removed the other program");
    }
    Ok(())
}

#[test]
fn pins_that_are_not_ours_are_told_and_detach_all_removes_them() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let spoilers: [Spoiler; 3] = [
        ("an empty directory", |host| Ok(host.within(|| fs::create_dir(PINS))?)),
        ("a file of its own", |host| {
            bpftool(host, "map create /sys/fs/bpf/scanguard type array key 4 value 4 entries 1 name other")
        }),
        ("a map of another shape", |host| {
            Guard::attached(host)?;
            host.within(|| fs::remove_file(format!("{PINS}/maps/COUNTS")))?;
            bpftool(
                host,
                "map create /sys/fs/bpf/scanguard/maps/COUNTS type array key 4 value 8 entries 1 name COUNTS",
            )
        }),
    ];
    for (what, spoil) in spoilers {
        spoil(&lab.guarded)?;
        for line in ["attach eth0", "stats", "status", "detach eth0"] {
            let refusal = (line, Exit::BrokenPins, [PINS, "`scanguard detach --all`"]);
            check(&guard, &[], &refusal).with_context(|| format!("with {what}"))?;
        }
        guard.run("detach --all")?;
        ensure!(guard.is_gone()?, "{what}: something is left");
    }
    Ok(())
}

#[test]
fn pins_of_another_version_are_left_to_it() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    bpftool(&lab.guarded, "map update pinned /sys/fs/bpf/scanguard/maps/SCHEMA key 0 0 0 0 value 99 0 0 0")?;
    for line in ["attach eth0", "stats", "detach eth0", "detach --all", "allow add 192.0.2.7"] {
        check(&guard, &[], &(line, Exit::OtherSchema, ["schema 99", "`rm -r /sys/fs/bpf/scanguard`"]))?;
    }
    ensure!(lab.guarded.ip("link show eth0")?.contains("xdp"), "the other version's protection ended");
    Ok(())
}

#[test]
fn more_interfaces_than_there_is_room_for_are_refused_together() -> Result<()> {
    let lab = Lab::new()?;
    let room = InterfaceSlot::all().count();
    let names: Vec<String> = (0..=room).map(|number| format!("eth{}", number + 1)).collect();
    for name in &names {
        lab.guarded.ip(&format!("link add {name} type ifb"))?;
    }
    let guard = Guard::on(&lab.guarded);
    let (code, message) = guard.fail_through(&[], &format!("attach {}", names.join(" ")))?;
    ensure!(code == i32::from(Exit::Full.code()), "attach ended with {code}: {message}");
    ensure!(message.contains("there is no room for more; detach one"), "{message}");
    ensure!(guard.is_gone()?, "something is left");
    ensure!(!lab.guarded.ip("link show")?.contains("xdp"), "some are guarded");
    Ok(())
}

#[test]
fn more_prefixes_than_there_is_room_for_are_refused_together() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    lab.guarded.within(|| fill_allowlist(MAX_PREFIXES - 1))?;
    let (code, message) = guard.fail_through(&[], "allow add 192.0.2.1 192.0.2.2")?;
    ensure!(code == i32::from(Exit::Full.code()), "allow ended with {code}: {message}");
    ensure!(message.contains("192.0.2.2: the list is full") && message.contains("remove some"), "{message}");
    guard.run("allow add 192.0.2.1")?; // the first of the two was not added, so there is room for it
    Ok(())
}

/// Writes so many addresses into the map itself: a command line would not hold them.
fn fill_allowlist(addresses: u32) -> Result<()> {
    let map = MapData::from_pin(Path::new(PINS).join("maps/ALLOWED"))?;
    let mut allowed: LpmTrie<MapData, [u8; 16], [u64; 8]> = Map::LpmTrie(map).try_into()?;
    for number in 0..addresses {
        let address = Ipv4Addr::from(0x0a00_0000 + number).to_ipv6_mapped().octets();
        allowed.insert(&Key::new(128, address), [0; 8], 0)?;
    }
    Ok(())
}

#[test]
fn commands_that_change_something_wait_for_each_other_and_not_forever() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let holder = lab.guarded.spawn("flock", ["/sys/fs/bpf", "sh", "-c", "echo held; exec sleep 60"])?;
    holder.wait_for_stdout("held", LIMIT)?;
    check(&guard, &[], &("attach eth0", Exit::Locked, ["another scanguard command", "try again"]))?;
    drop(holder);
    guard.run("attach eth0")?;
    Ok(())
}

fn check(guard: &Guard<'_>, wrapper: &[&str], refusal: &Refusal) -> Result<()> {
    let (line, exit, parts) = refusal;
    let (code, message) = guard.fail_through(wrapper, line)?;
    ensure!(code == i32::from(exit.code()), "`{line}` ended with {code}, not {}: {message}", exit.code());
    for part in parts {
        ensure!(message.contains(part), "`{line}` does not say {part:?}: {message}");
    }
    let is_ours = *exit != Exit::Usage; // clap's own message has a line for the usage
    ensure!(!is_ours || message.trim_end().lines().count() == 1, "`{line}` says more than a line: {message}");
    Ok(())
}

/// A program of somebody else: ours, but without anything pinned. It stays attached as long as it is held.
fn attach_foreign_program(interface: &str) -> Result<Ebpf> {
    let slot = InterfaceSlot::new(0).context("the first slot")?;
    let mut ebpf = load_apart(Constants { slot, seed: 1, log_level: 0 })?;
    let program: &mut Xdp = ebpf.program_mut(INGRESS).context("the program")?.try_into()?;
    program.attach(interface, XdpMode::Driver)?;
    Ok(ebpf)
}

fn bpftool(host: &Host, words: &str) -> Result<()> {
    host.run("bpftool", words.split_whitespace())?;
    Ok(())
}
