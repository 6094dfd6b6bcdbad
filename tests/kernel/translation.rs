//! Whatever can make a port answer that has no socket here is told by `status`, each by the real thing, and nothing is
//! told where nothing is.

pub(crate) mod lookup;

use anyhow::{Context, Result, ensure};
use aya::programs::tc::NlOptions;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, tc::TcAttachOptions};
use scanguard::program::{Constants, EGRESS, load_apart};
use scanguard_common::schema::InterfaceSlot;
use scanguard_harness::{Host, INTERFACE, Lab};
use serde_json::Value;

use crate::guard::Guard;
use crate::lifetime::add_interface;
use crate::portable::feature::Feature;
use crate::translation::lookup::SocketLookup;

/// What is done on the guarded host, how it is undone, and what is told meanwhile.
type Case = (&'static str, &'static str, &'static [&'static str]);

#[test]
fn chains_of_nf_tables_are_told_where_they_redirect() -> Result<()> {
    const FLUSH: &str = "nft flush ruleset";
    let cases: &[Case] = &[
        (
            "nft add table ip t; nft 'add chain ip t c { type nat hook prerouting priority -100; }'",
            FLUSH,
            &[],
        ),
        (
            "nft add table ip t; nft 'add chain ip t c { type nat hook prerouting priority -100; }'; \
             nft add rule ip t c ip daddr vmap { 10.77.0.9 : accept }",
            FLUSH,
            &["the nf_tables chain `ip t c` translates addresses as packets come in"],
        ),
        (
            "nft add table ip t; nft 'add chain ip t c { type nat hook prerouting priority -100; }'; \
             nft add rule ip t c tcp dport 80 redirect to :8080",
            FLUSH,
            &["the nf_tables chain `ip t c` redirects packets to other ports (redirect)"],
        ),
        (
            "nft add table inet t; nft add chain inet t published; \
             nft add rule inet t published tcp dport 80 dnat ip6 to [fd00::9]:80",
            FLUSH,
            &["the nf_tables chain `inet t published` redirects packets (dnat)"],
        ),
        (
            "nft add table inet t; nft 'add chain inet t c { type filter hook prerouting priority -150; }'; \
             nft add rule inet t c tcp dport 80 tproxy to :8080",
            FLUSH,
            &["the nf_tables chain `inet t c` hands packets to a proxy (tproxy)"],
        ),
        (
            "nft add table netdev t; \
             nft 'add chain netdev t c { type filter hook ingress device eth0 priority 0; }'; \
             nft add rule netdev t c fwd to lo",
            FLUSH,
            &["the nf_tables chain `netdev t c` sends packets to another interface (fwd)"],
        ),
        (
            "iptables-nft -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.9",
            FLUSH,
            &["the nf_tables chain `ip nat PREROUTING` redirects packets (dnat)"],
        ),
        (
            "ip6tables-nft -t mangle -A PREROUTING -p tcp --dport 80 -j TPROXY --on-port 8080",
            FLUSH,
            &["the nf_tables chain `ip6 mangle PREROUTING` hands packets to a proxy (tproxy)"],
        ),
        (
            "nft add table ip t; nft 'add chain ip t c { type nat hook postrouting priority 100; }'; \
             nft add rule ip t c masquerade; nft 'add chain ip t f { type filter hook input priority 0; }'; \
             nft add rule ip t f tcp dport 22 accept",
            FLUSH,
            &[],
        ),
    ];
    told(cases)
}

#[test]
fn tables_of_the_older_iptables_are_told() -> Result<()> {
    if Feature::Iptables.is_missing()? {
        return Ok(());
    }
    told(&[
        ("iptables-legacy -A INPUT -p tcp --dport 22 -j ACCEPT", "true", &[]),
        (
            "iptables-legacy -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
            "true", // a table stays until its network namespace goes
            &["iptables may redirect packets (`iptables-legacy -t nat -S`)"],
        ),
    ])?;
    told(&[(
        "ip6tables-legacy -t mangle -A PREROUTING -p tcp --dport 80 -j TPROXY --on-port 8080",
        "true",
        &["iptables may redirect packets (`ip6tables-legacy -t mangle -S`)"],
    )])
}

#[test]
fn forwarding_is_told_for_each_family() -> Result<()> {
    told(&[
        (
            "echo 1 >/proc/sys/net/ipv4/ip_forward",
            "echo 0 >/proc/sys/net/ipv4/ip_forward",
            &["the interface forwards IPv4"],
        ),
        (
            "echo 1 >/proc/sys/net/ipv6/conf/eth0/forwarding",
            "echo 0 >/proc/sys/net/ipv6/conf/eth0/forwarding",
            &["the interface forwards IPv6"],
        ),
    ])
}

#[test]
fn devices_above_and_bridges_are_told() -> Result<()> {
    told(&[
        (
            "ip link add up0 link eth0 type macvlan",
            "ip link del up0",
            &["the interface carries up0 (macvlan)"],
        ),
        ("ip link add br0 type bridge", "ip link del br0", &[]),
        (
            "ip link add br0 type bridge; ip link add guest0 type veth peer name guest1; \
             ip link set guest0 master br0",
            "ip link del br0; ip link del guest0",
            &["the bridge br0 connects 1 interface"],
        ),
        (
            "ip link add br0 type bridge; ip link set eth0 master br0",
            "ip link del br0",
            &["the interface carries br0 (bridge)"],
        ),
        ("ip link add guest0 type veth peer name guest1", "ip link del guest0", &[]),
    ])
}

#[test]
fn programs_that_choose_sockets_are_told() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let elsewhere = lab.outside.within(SocketLookup::that_chooses_none)?;
    ensure!(reasons(&guard)?.is_empty(), "another host's program is told: {:?}", reasons(&guard)?);
    drop(elsewhere);
    let lookup = lab.guarded.within(SocketLookup::that_chooses_none)?;
    let told = reasons(&guard)?;
    ensure!(told == ["1 BPF program (sk_lookup) may choose another socket"], "told: {told:?}");
    drop(lookup);
    ensure!(reasons(&guard)?.is_empty(), "still told: {:?}", reasons(&guard)?);
    Ok(())
}

#[test]
fn programs_of_others_at_tc_ingress_are_told() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let guard = Guard::attached(&lab.guarded)?;
    let filter = || TcAttachOptions::Netlink(NlOptions::default());
    for interface in [INTERFACE, "eth1"] {
        shell(&lab.guarded, &format!("tc qdisc add dev {interface} clsact"))?;
    }
    ensure!(reasons(&guard)?.is_empty(), "an empty discipline is told: {:?}", reasons(&guard)?);
    let _other = lab.guarded.within(|| attach_at_ingress("eth1", filter()))?;
    ensure!(reasons(&guard)?.is_empty(), "another interface's filter is told: {:?}", reasons(&guard)?);

    let by_link =
        lab.guarded.within(|| attach_at_ingress(INTERFACE, TcAttachOptions::TcxOrder(LinkOrder::default())));
    let mut expected = 0;
    if by_link.is_ok() {
        expected += 1; // Linux 6.6 and newer
        let told = reasons(&guard)?;
        ensure!(told == ["1 filter at tc ingress may redirect packets"], "told: {told:?}");
    }
    let _by_filter = lab.guarded.within(|| attach_at_ingress(INTERFACE, filter()))?;
    expected += 1;
    let told = reasons(&guard)?;
    ensure!(
        told.len() == 1 && told.iter().all(|told| told.starts_with(&expected.to_string())),
        "told: {told:?}"
    );
    Ok(())
}

/// Each case in the same lab: its words alone are told while it lasts, and nothing before.
fn told(cases: &[Case]) -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    ensure!(reasons(&guard)?.is_empty(), "nothing is there, and told: {:?}", reasons(&guard)?);
    for (set, undo, expected) in cases {
        shell(&lab.guarded, set)?;
        let told = reasons(&guard)?;
        ensure!(told == *expected, "after `{set}` was told: {told:?}");
        shell(&lab.guarded, undo)?;
    }
    Ok(())
}

/// What `status` tells of the cable's interface.
pub(crate) fn reasons(guard: &Guard<'_>) -> Result<Vec<String>> {
    let status = guard.run("status --json")?;
    let lines = status.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let entry = lines
        .iter()
        .find(|line| line.get("interface").is_some_and(|name| name == INTERFACE))
        .context("status does not know eth0")?;
    let told =
        entry.get("translation").and_then(Value::as_array).context("status tells of no translation")?;
    told.iter().map(|reason| Ok(reason.as_str().context("a reason that is no text")?.to_owned())).collect()
}

fn shell(host: &Host, line: &str) -> Result<()> {
    host.run("sh", ["-ec", line]).map(drop)
}

/// A program of somebody else: ours, but without anything pinned.
fn attach_at_ingress(interface: &str, options: TcAttachOptions) -> Result<aya::Ebpf> {
    let slot = InterfaceSlot::new(0).context("the first slot")?;
    let mut ebpf = load_apart(Constants { slot, seed: 1, log_level: 0 })?;
    let program: &mut SchedClassifier = ebpf.program_mut(EGRESS).context("the program")?.try_into()?;
    program.attach_with_options(interface, TcAttachType::Ingress, options)?;
    Ok(ebpf)
}
