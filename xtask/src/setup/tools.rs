//! The programs that the demo, the tests and the benchmarks run: what each is for, and the Debian package it comes in.

use crate::shell;

/// A program from the distribution.
#[derive(Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) purpose: &'static str,
}

const fn tool(program: &'static str, package: &'static str, purpose: &'static str) -> Tool {
    Tool { program, package, purpose }
}

/// What demo and tests need.
const TOOLS: [Tool; 24] = [
    tool("nmap", "nmap", "every kind of scan, in demo and tests"),
    tool("hping3", "hping3", "single probes, crafted by somebody else's hand"),
    tool("masscan", "masscan", "scans by another tool, for the scoreboard"),
    tool("zmap", "zmap", "scans by another tool, for the scoreboard"),
    tool("nc", "netcat-openbsd", "ports tried by hand, for the scoreboard"),
    tool("ip", "iproute2", "network namespaces and their interfaces"),
    tool("unshare", "util-linux", "asking whether namespaces are allowed here"),
    tool("ethtool", "ethtool", "switching a test interface's offloads"),
    tool("bpftool", "bpftool", "asking the kernel what is loaded"),
    tool("curl", "curl", "downloads that a guard must not disturb"),
    tool("ab", "apache2-utils", "thousands of short connections"),
    tool("apache2", "apache2-bin", "a real web server; this package starts none by itself"),
    tool("dig", "bind9-dnsutils", "names looked up by UDP, in fragments and by TCP"),
    tool("dnsmasq", "dnsmasq-base", "a real name server; this package starts none by itself"),
    tool("dropbear", "dropbear-bin", "a real ssh server; this package starts none by itself"),
    tool("iperf3", "iperf3", "bulk data as it is measured everywhere"),
    tool("socat", "socat", "proxies and tunnels"),
    tool("ssh", "openssh-client", "sessions that a guard must not disturb"),
    tool(
        "/usr/lib/python3/dist-packages/pyftpdlib/servers.py",
        "python3-pyftpdlib",
        "a real FTP server; this package starts none by itself",
    ),
    tool("nft", "nftables", "address translation, for tests with guests behind the guarded host"),
    tool("iptables-legacy", "iptables", "the older packet filter, which a guarded host may have"),
    tool("qemu-system-x86_64", "qemu-system-x86", "running other kernels"),
    tool("busybox", "busybox-static", "the user space beside those kernels"),
    tool("cpio", "cpio", "packing that user space for them"),
];

/// Those that only benchmarks need besides.
const FOR_BENCHES: [Tool; 6] = [
    tool("iptables", "iptables", "a rival to measure beside"),
    tool("xdp-filter", "xdp-tools", "a rival to measure beside"),
    tool("iperf3", "iperf3", "streams of clients"),
    tool("nginx", "nginx-light", "a server for clients"),
    tool("wrk", "wrk", "many requests of clients"),
    tool("taskset", "util-linux", "keeping servers and clients apart"),
];

/// For what the tools are to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Demo and tests.
    Everyday,
    /// Benchmarks too.
    Benches,
}

/// The tools that are not there.
pub(crate) fn missing(extent: Extent) -> Vec<&'static Tool> {
    let more: &[Tool] = match extent {
        Extent::Everyday => &[],
        Extent::Benches => &FOR_BENCHES,
    };
    TOOLS.iter().chain(more).filter(|tool| shell::find(tool.program).is_none()).collect()
}
